// Runs before the first paint, so that a filtered list never shows the shop window first and then jumps, and the window's picture,
// one of four, is asked for before anything else. It needs the viewport's width: the page says it above.
{
  const root = document.documentElement;
  const home = !/[?&](q|category|brand|price_min|price_max|rating_min|in_stock|sort)=[^&]/.test(location.search);
  root.dataset.view = home ? "home" : "list";
  if (home) {
    const tall = matchMedia("(max-width: 38rem)").matches ? "-tall" : "";
    const dark = root.dataset.theme === "dark" || (root.dataset.theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches) ? "-dark" : "";
    const early = Object.assign(document.createElement("link"), { rel: "preload", as: "image", fetchPriority: "high" });
    early.href = new URL(`../images/hero${tall}${dark}.svg`, document.currentScript.src);
    document.head.append(early);
  }
}

const root = document.documentElement;
const dark = matchMedia("(prefers-color-scheme: dark)");
const shownDark = () => (root.dataset.theme === "dark" || (root.dataset.theme !== "light" && dark.matches));

function choose(theme) {
  root.dataset.theme = theme;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `theme=${theme}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
  document.dispatchEvent(new Event("theme:changed"));
}

/** Enhances either three radios named `theme` or one button with data-toggle. The server reads the cookie, so the next page is right from its first paint. */
class ThemeSwitch extends HTMLElement {
  #update = () => {
    for (const radio of this.querySelectorAll("input")) radio.checked = radio.value === (root.dataset.theme ?? "auto");
    const use = this.querySelector("use");
    if (!use) return;
    use.setAttribute("href", use.getAttribute("href").replace(/#.*/, shownDark() ? "#sun" : "#moon"));
    this.querySelector("[data-label]").textContent = shownDark() ? "Switch to the light theme" : "Switch to the dark theme";
  };

  connectedCallback() {
    this.addEventListener("change", ({ target }) => choose(target.value));
    this.querySelector("[data-toggle]")?.addEventListener("click", () => choose(shownDark() ? "light" : "dark"));
    document.addEventListener("theme:changed", this.#update);
    dark.addEventListener("change", this.#update);
    this.#update();
  }

  disconnectedCallback() {
    document.removeEventListener("theme:changed", this.#update);
    dark.removeEventListener("change", this.#update);
  }
}

customElements.define("theme-switch", ThemeSwitch);

// What every page of the shop does: header, menu, cart drawer, badge, theme, offline notice.
import "./components/cart-badge.js";
import "./components/theme-switch.js";
import { toast } from "./components/toast-stack.js";
import { refreshWishes } from "./lib/wishlist.js";
import { api, session, signInAddress } from "./lib/api.js";
import { html, render } from "./lib/html.js";

const all = (selector) => document.querySelectorAll(selector);
const drawer = (name) => document.querySelector(`[data-drawer="${name}"]`);

async function showAccount(options) {
  const { user } = await session(options).catch(() => ({ user: null }));
  for (const link of all("[data-account]")) {
    const name = user ? user.first_name || user.username : "Sign in";
    link.href = user ? "/account" : signInAddress();
    link.querySelector("[data-account-name]").textContent = name;
    link.setAttribute("aria-label", user ? `Account of ${name}` : "Sign in");
  }
  for (const link of all("[data-admin]")) link.hidden = !user || user.role === "customer";
}

let categoriesAsked;

/** The menus fetch the categories when somebody first reaches for them. */
function showCategories() {
  categoriesAsked ??= api.get("/categories").then(({ items }) => {
    for (const place of all("[data-categories]")) {
      render(place, html`<a href="/?sort=newest">All products</a>${items.map((one) => html`<a href="/?category=${one.slug}">${one.name}</a>`)}`);
    }
  }).catch(() => { categoriesAsked = undefined; }); // "All products" is there without them.
}

async function open(name, title = "Your cart") {
  const dialog = drawer(name);
  if (name === "menu") showCategories();
  if (name === "cart") {
    dialog.querySelector("h2").textContent = title;
    (await import("./components/cart-drawer.js")).fill(dialog);
  }
  if (!dialog.open) dialog.showModal();
}

document.addEventListener("click", async (event) => {
  const adder = event.target.closest("[data-add]");
  if (adder) (await import("./components/quick-add.js")).quickAdd(adder);
});

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open]");
  if (opener && !event.metaKey && !event.ctrlKey && !event.shiftKey && !(opener.dataset.open === "cart" && location.pathname === "/cart")) {
    event.preventDefault();
    open(opener.dataset.open);
  }
  const dialog = event.target.closest("dialog.drawer");
  if (dialog && (event.target === dialog || event.target.closest("[data-close]"))) dialog.close();
  for (const menu of all("[data-menu][open]")) if (!menu.contains(event.target)) menu.open = false;
});

document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && event.target.closest?.("[data-menu][open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

for (const menu of all("[data-menu]")) {
  menu.addEventListener("pointerenter", showCategories, { once: true });
  menu.addEventListener("toggle", showCategories, { once: true });
  menu.addEventListener("focusout", ({ relatedTarget }) => { if (relatedTarget && !menu.contains(relatedTarget)) menu.open = false; });
}

document.querySelector("[data-open-search]")?.addEventListener("click", ({ currentTarget }) => {
  const shown = document.querySelector(".header__search").classList.toggle("header__search--open");
  currentTarget.setAttribute("aria-expanded", String(shown));
  if (shown) document.querySelector(".search__input").focus();
});

const searchForm = document.querySelector("[data-search]");
searchForm?.addEventListener("focusin", async () => (await import("./components/search-suggestions.js")).suggest(searchForm), { once: true });

const letter = document.querySelector("[data-letter]");
letter?.addEventListener("submit", async (event) => {
  event.preventDefault();
  event.stopImmediatePropagation();
  (await import("./components/newsletter-sign-up.js")).signUp(letter);
  letter.requestSubmit();
}, { once: true });

document.addEventListener("account:changed", () => showAccount({ fresh: true }));
// The page of the cart shows it already.
document.addEventListener("cart:added", () => (location.pathname === "/cart" ? toast("Added to your cart.") : open("cart", "Added to your cart")));

let closeOffline;
window.addEventListener("offline", () => { closeOffline ??= toast("You are offline. What you see may be out of date.", { seconds: 86_400 }); });
window.addEventListener("online", () => { closeOffline?.(); closeOffline = undefined; });

window.addEventListener("pageshow", ({ persisted }) => {
  if (!persisted) return;
  showAccount({ fresh: true });
  for (const badge of all("cart-badge")) badge.refresh();
  refreshWishes();
});

showAccount();

if (sessionStorage.getItem("notices")) import("./components/notices.js").then(({ sayKeptNotices }) => sayKeptNotices());

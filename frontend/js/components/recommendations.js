import { api } from "../lib/api.js";
import { html, icon, render } from "../lib/html.js";
import { price, productCard, productPicture } from "./product-card.js";

const TITLES = { you: "For you", cart: "Goes well with it", best_sellers: "Best-sellers", newest: "New in" };

/** What to call recommendations by their basis. @param {"you" | "cart" | "best_sellers" | "newest"} basis */
export const titleOf = (basis) => TITLES[basis];

/**
 * Show products in a row: a section with [data-row-title] and [data-row-grid] that the page has already. Nothing to show hides it.
 * @param {HTMLElement} section
 * @param {{title?: string, items: object[], currency: string, most?: number}} what
 */
export function showRow(section, { title, items, currency, most = 4 }) {
  section.hidden = items.length === 0;
  if (title) section.querySelector("[data-row-title]").textContent = title;
  render(section.querySelector("[data-row-grid]"), html`${items.slice(0, most).map((one) => productCard(one, { currency }))}`);
}

/**
 * The row of the home page, for whoever is here. Its place is kept until it comes near; what is merely new stands in the list below already.
 * @param {HTMLElement} section
 */
export function showHomeRow(section) {
  new IntersectionObserver(async ([entry], observer) => {
    if (!entry.isIntersecting) return;
    observer.disconnect();
    const found = await api.get("/recommendations", { params: { limit: 4 } }).catch(() => null); // The home page stands without them.
    if (!found || found.basis === "newest" || found.items.length < 4) section.hidden = true;
    else showRow(section, { title: titleOf(found.basis), ...found });
  }, { rootMargin: "600px" }).observe(section);
}

/** The same where there is little room: one line each, with a button to add what needs no choice. @param {object[]} items @param {string} currency */
export const smallRow = (items, currency) => html`<ul class="small-row">${items.map((one) => html`<li class="small-row__item">
  <span class="small-row__picture">${productPicture(one.image, { alt: "", sizes: "4rem" })}</span>
  <div><a class="small-row__link" href="/products/${one.slug}">${one.title}</a>${price({ now: one.price_minor, old: one.compare_at_minor, from: one.price_max_minor > one.price_minor, currency })}</div>
  ${one.variant_count === 1 && html`<button class="icon-button" type="button" data-add="${one.id}">${icon("plus")}<span class="visually-hidden">Add ${one.title} to the cart</span></button>`}
</li>`)}</ul>`;

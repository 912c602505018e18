// What the shop's search box offers while somebody types.
import { api } from "../lib/api.js";
import { money } from "../lib/format.js";
import { html, icon } from "../lib/html.js";
import { combobox } from "./combobox.js";
import { productPicture } from "./product-card.js";

const MAX_CACHED_RESPONSES = 50;
const CACHE_TTL_MS = 60_000; // A page may stay open for days, and suggestions carry prices.

const cachedResponses = new Map();

async function ask(path, params, signal) {
  const key = JSON.stringify([path, params?.q ?? ""]);
  const cached = cachedResponses.get(key);
  if (cached && Date.now() - cached.receivedAt < CACHE_TTL_MS) return cached.response;
  const response = await api.get(path, { params, signal });
  if (cachedResponses.size >= MAX_CACHED_RESPONSES) cachedResponses.clear();
  cachedResponses.set(key, { response, receivedAt: Date.now() });
  return response;
}

const search = (words) => `/?${new URLSearchParams({ q: words })}`;

/** The words as they stand, with what was typed set back so that the rest is what the eye finds. */
function marked(text, typed) {
  const at = text.toLowerCase().indexOf(typed.toLowerCase());
  if (!typed || at < 0) return text;
  return html`${text.slice(0, at)}<span class="suggestions__typed">${text.slice(at, at + typed.length)}</span>${text.slice(at + typed.length)}`;
}

const option = (href, content) => html`<li role="presentation"><a class="suggestions__option" role="option" aria-selected="false" tabindex="-1" href="${href}">${content}</a></li>`;

const group = (title, options) => options.length > 0 && html`<ul class="suggestions__group" role="group" aria-label="${title}">
  <li class="suggestions__title" role="presentation" aria-hidden="true">${title}</li>${options}</ul>`;

const found = ({ terms, categories, products, currency }, typed) => html`
  ${group("Searches", terms.map((term) => option(search(term), html`${icon("search")}<span>${marked(term, typed)}</span>`)))}
  ${group("Categories", categories.map(({ slug, name }) => option(`/?category=${slug}`, html`${icon("tag")}<span>${marked(name, typed)}</span>`)))}
  ${group("Products", products.map(({ slug, title, price_minor: price, image }) => option(`/products/${slug}`, html`<span class="suggestions__picture">${productPicture(image, { alt: "", eager: true })}</span>
    <span class="suggestions__name">${marked(title, typed)}</span> <span class="suggestions__price">${money(price, currency)}</span>`)))}`;

const popular = ({ items }) => html`${group("Searched for lately", items.map((term) => option(search(term), html`${icon("chart")}<span>${term}</span>`)))}`;

/** Suggestions for one search box. @param {HTMLFormElement} form */
export function suggest(form) {
  const offer = async (typed, signal) => (typed ? found(await ask("/search/suggestions", { q: typed }, signal), typed) : popular(await ask("/search/trending", undefined, signal)));
  const { close } = combobox(form.querySelector("input[type=search]"), form.querySelector("[data-suggestions]"), offer, { room: form });
  form.addEventListener("submit", close);
}

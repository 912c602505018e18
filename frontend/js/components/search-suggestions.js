// What a search box offers while somebody types, as the combobox pattern of the ARIA Authoring Practices has it.
import { api } from "../lib/api.js";
import { money } from "../lib/format.js";
import { html, icon, render } from "../lib/html.js";
import { productPicture } from "./product-card.js";

const PAUSE = 90; // milliseconds without a key before the shop is asked
const MOST_KEPT = 50;

const answers = new Map();

async function ask(path, params, signal) {
  const key = path + (params?.q ?? "");
  if (!answers.has(key)) {
    if (answers.size > MOST_KEPT) answers.clear();
    answers.set(key, await api.get(path, { params, signal }));
  }
  return answers.get(key);
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
  const input = form.querySelector("input[type=search]");
  const panel = form.querySelector("[data-suggestions]");
  let asked;
  let timer;
  const options = () => [...panel.querySelectorAll("[role=option]")];
  const chosen = () => panel.querySelector("[aria-selected=true]");

  function choose(one) {
    chosen()?.setAttribute("aria-selected", "false");
    input.removeAttribute("aria-activedescendant");
    if (!one) return;
    one.setAttribute("aria-selected", "true");
    input.setAttribute("aria-activedescendant", one.id);
    one.scrollIntoView({ block: "nearest" });
  }

  function open(markup) {
    render(panel, markup);
    options().forEach((one, i) => { one.id = `${panel.id}-${i}`; });
    panel.hidden = options().length === 0;
    input.setAttribute("aria-expanded", String(!panel.hidden));
    input.removeAttribute("aria-activedescendant");
  }

  function close() {
    clearTimeout(timer);
    asked?.abort();
    panel.hidden = true;
    input.setAttribute("aria-expanded", "false");
    choose(null);
  }

  async function look() {
    asked?.abort();
    asked = new AbortController();
    const { signal } = asked;
    const typed = input.value.trim();
    try {
      const markup = typed ? found(await ask("/search/suggestions", { q: typed }, signal), typed) : popular(await ask("/search/trending", undefined, signal));
      if (!signal.aborted && document.activeElement === input) open(markup);
    } catch (error) {
      // Searching works without suggestions, so nobody is told that there are none.
      if (error.name !== "AbortError" && error.status === undefined) throw error;
    }
  }

  function step(by) {
    const all = options();
    const at = all.indexOf(chosen());
    choose(all[at === -1 && by < 0 ? all.length - 1 : at + by]);
  }

  input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(look, PAUSE); });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !panel.hidden) { event.preventDefault(); close(); }
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (panel.hidden) look(); else step(event.key === "ArrowDown" ? 1 : -1);
    }
    if (event.key === "Enter" && chosen()) { event.preventDefault(); chosen().click(); }
  });
  input.addEventListener("focus", look);
  form.addEventListener("focusout", ({ relatedTarget }) => { if (!form.contains(relatedTarget)) close(); });
  form.addEventListener("submit", close);
  panel.addEventListener("pointerdown", (event) => event.preventDefault()); // the box keeps the focus while an option is pressed
  panel.addEventListener("click", close);
  if (document.activeElement === input) look();
}

import { api, firstData } from "../lib/api.js";
import { afterPaint, append, html, icon, render } from "../lib/html.js";
import { digitsOf, money, number, plural } from "../lib/format.js";
import { readNumber } from "../lib/numbers.js";
import { cardSkeletons, productCard, productPicture } from "../components/product-card.js";
import { showHomeRow } from "../components/recommendations.js";
import { emptyState, failedPart, failedState, loadInto } from "../components/states.js";

const FILTERS = ["q", "category", "brand", "price_min", "price_max", "rating_min", "in_stock", "sort"];
const NARROWING = ["brand", "price_min", "price_max", "rating_min", "in_stock"];
const EAGER = 4;

const shopName = document.title.split(" · ").pop();

const part = (name) => document.querySelector(`[data-${name}]`);
const results = part("results");
const more = part("more");
const tools = part("tools");

let wish = read();
let categories = [];
let currency = "";
let asked; // aborts the request that a newer one made pointless

/** The filters are the address and nothing else; prices stand there in minor units, as in the API. */
function read() {
  const query = new URLSearchParams(location.search);
  return Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? ""]));
}

function addressOf(changes) {
  const query = new URLSearchParams(Object.entries({ ...wish, ...changes }).filter(([, value]) => value));
  return query.size ? `/?${query}` : "/";
}

const isHome = () => FILTERS.every((name) => !wish[name]);

// ---- what is shown

function showHead({ total, approximate } = {}) {
  const category = categories.find((one) => one.slug === wish.category);
  const home = isHome();
  document.documentElement.dataset.view = home ? "home" : "list";
  placeFacets();
  const words = wish.q ? `Results for “${wish.q}”${category ? ` in ${category.name}` : ""}` : category?.name ?? (wish.sort === "newest" || home ? "New in" : "All products");
  const level = home ? "h2" : "h1";
  const title = part("title");
  if (title.localName !== level) {
    const other = document.createElement(level);
    for (const { name, value } of title.attributes) other.setAttribute(name, value);
    title.replaceWith(other);
  }
  part("title").textContent = words;
  part("list-heading").hidden = home;
  part("lead").hidden = !category?.description || Boolean(wish.q);
  part("lead").textContent = category?.description ?? "";
  part("total").textContent = total === undefined ? "" : (approximate ? "about " : "") + plural(total, "product");
}

function showRail() {
  render(part("rail"), html`${categories.map((one) => html`<li class="category-tile">
    <span class="category-tile__picture">${productPicture(one.image, { alt: "" })}</span>
    <a class="category-tile__link" href="/?category=${one.slug}" data-go>${one.name}</a>
    <span class="category-tile__count">${plural(one.product_count, "product")}</span>
  </li>`)}`);
}

function showCategoryFilter(counts) {
  const count = new Map(counts.map((one) => [one.slug, one.count]));
  const chip = (slug, name, found) => html`<a class="chip" href="${addressOf({ category: slug })}" data-go ${wish.category === slug && html`aria-current="true"`}>${name}
    ${found !== undefined && html`<span class="chip__count"><span class="visually-hidden">, </span>${number(found)}</span>`}</a>`;
  const listed = categories.filter((one) => count.has(one.slug) || one.slug === wish.category);
  render(part("categories-filter"), html`<nav class="category-strip" aria-label="Categories">${chip("", "All", undefined)}${listed.map((one) => chip(one.slug, one.name, count.get(one.slug) ?? 0))}</nav>`);
  part("categories-filter").querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest", container: "nearest" });
}

// ---- facets: what the list could be narrowed to, with how much would be left

const priceStep = ({ min_minor: low, max_minor: high }) => (high === null ? `${money(low, currency)} and more` : low ? `${money(low, currency)} to ${money(high, currency)}` : `Up to ${money(high, currency)}`);

/** A list of links that set one filter; the chosen one takes itself off. */
const facetLinks = (facets) => html`<ul class="facets__list">${facets.map(({ label, words, count, set, chosen }) => html`<li><a class="facets__link" href="${addressOf(chosen ? Object.fromEntries(Object.keys(set).map((name) => [name, ""])) : set)}" data-go ${chosen && html`aria-current="true"`}>
  <span>${label}${words && html`<span class="visually-hidden">${words}</span>`}</span> <span class="facets__count">${number(count)}</span></a></li>`)}</ul>`;

const stars = (count) => html`<span class="stars" aria-hidden="true">${[1, 2, 3, 4, 5].map((one) => icon(one <= count ? "star-filled" : "star"))}</span>`;

function showFacet(name, title, facets) {
  const place = document.querySelector(`[data-facet="${name}"]`);
  place.hidden = facets.length === 0;
  render(place, html`${title && html`<h2 class="facets__title">${title}</h2>`}${facetLinks(facets)}`);
}

function showFacets({ prices = [], brands = [], ratings = [] }) {
  const isStep = ({ min_minor: low, max_minor: high }) => wish.price_min === String(low || "") && wish.price_max === String(high ?? "");
  showFacet("prices", "", prices.filter(({ count }) => count).map((step) => ({
    label: priceStep(step), count: step.count, set: { price_min: step.min_minor || "", price_max: step.max_minor ?? "" }, chosen: isStep(step),
  })));
  showFacet("brands", "Brand", brands.length > 1 || wish.brand ? brands.map(({ name, count }) => ({ label: name, count, set: { brand: name }, chosen: wish.brand === name })) : []);
  showFacet("ratings", "Rating", ratings.filter(({ count }) => count).map(({ min, count }) => ({
    label: stars(min), words: `${min} stars and more`, count, set: { rating_min: min }, chosen: wish.rating_min === String(min),
  })));
}

// Beside the list there is room for the filters on wide windows; elsewhere they open below their button.
const wide = matchMedia("(min-width: 60rem)");

function placeFacets() {
  const beside = wide.matches && !isHome();
  part("facets").open = beside;
  part("facets").classList.toggle("facets--beside", beside);
}

wide.addEventListener("change", placeFacets);

function chosenFilters() {
  const chosen = [];
  if (wish.q) chosen.push({ label: `Search: ${wish.q}`, without: { q: "", sort: wish.sort === "relevance" ? "" : wish.sort } });
  if (wish.brand) chosen.push({ label: wish.brand, without: { brand: "" } });
  if (wish.rating_min) chosen.push({ label: `${wish.rating_min} stars and more`, without: { rating_min: "" } });
  if (wish.price_min) chosen.push({ label: `From ${money(wish.price_min, currency)}`, without: { price_min: "" } });
  if (wish.price_max) chosen.push({ label: `Up to ${money(wish.price_max, currency)}`, without: { price_max: "" } });
  if (wish.in_stock) chosen.push({ label: "In stock", without: { in_stock: "" } });
  return chosen;
}

function showChips() {
  const chosen = chosenFilters();
  part("chips").hidden = chosen.length === 0;
  render(part("chips"), html`${chosen.map(({ label, without }) => html`<a class="chip" href="${addressOf(without)}" data-go>${label} ${icon("close")}<span class="visually-hidden">, remove</span></a>`)}
    ${chosen.length > 0 && html`<a class="small lone-link" href="/?sort=newest" data-go>Clear all</a>`}`);
}

function showControls() {
  const { sort, price_min: low, price_max: high, in_stock: inStock } = tools.elements;
  const major = (minor) => (minor ? String(minor / 10 ** digitsOf(currency || "EUR")) : "");
  tools.querySelector("[data-search-only]").hidden = !wish.q;
  sort.value = wish.sort || (wish.q ? "relevance" : "newest");
  low.value = major(wish.price_min);
  high.value = major(wish.price_max);
  inStock.checked = wish.in_stock === "true";
  for (const box of document.querySelectorAll("[data-search] input")) box.value = wish.q;
}

const cards = (items, eager = 0) => items.map((product, i) => productCard(product, { currency, eager: i < eager, first: false }));

function nothing() {
  const category = categories.find((one) => one.slug === wish.category);
  const narrowed = NARROWING.some((name) => wish[name]);
  const actions = [
    ...(narrowed ? [{ label: "Remove the filters", href: addressOf(Object.fromEntries(NARROWING.map((name) => [name, ""]))) }] : []),
    ...(wish.q && category ? [{ label: "Search everywhere", href: addressOf({ category: "" }) }] : []),
    { label: "See all products", href: "/?sort=newest" },
  ];
  return emptyState({
    title: wish.q ? `Nothing found for “${wish.q}”` : "Nothing here yet",
    text: wish.q ? "Perhaps a shorter word or another spelling finds it." : narrowed ? "No product fits all of these filters." : "New things arrive soon.",
    image: "empty-search.svg",
    actions: actions.slice(0, 2),
  });
}

/** What is in sight at once is painted before the rest is made, unless somebody comes back to where they were further down. */
function showCards(items) {
  const now = history.state?.y ? items.length : EAGER;
  const grid = append(render(results, html``), html`<ul class="product-grid" data-grid>${cards(items.slice(0, now), isHome() ? 0 : EAGER)}</ul>`);
  if (items.length <= now) return;
  grid.ariaBusy = "true";
  results.dataset.growing = "";
  afterPaint(() => {
    append(grid, html`${cards(items.slice(now))}`);
    grid.ariaBusy = null;
    delete results.dataset.growing;
  });
}

function showList(list) {
  currency = list.currency;
  part("catalogue").removeAttribute("data-waiting");
  showHead(list);
  showCategoryFilter(list.facets.categories);
  showFacets(list.facets);
  showChips();
  showControls();
  if (list.items.length) showCards(list.items);
  else render(results, nothing());
  showMore(list, list.items.length);
}

// ---- more of it

/** Where the reader is in the list goes into the history entry, so that Back shows as much as there was. */
function showMore({ next, total, approximate }, shown) {
  history.replaceState({ ...history.state, shown }, "");
  if (!next) return render(more, total > shown || shown > 24 ? html`<p class="soft">That was everything.</p>` : html``);
  render(more, html`<p class="soft small">${number(shown)} of ${approximate && "about "}${number(total)} shown</p><a class="button button--quiet" href="${addressOf({ after: next })}" data-load>Show more</a>`);
  more.querySelector("[data-load]").addEventListener("click", (event) => { event.preventDefault(); loadMore(next, shown, event.currentTarget); });
}

async function loadMore(after, shown, button) {
  if (button.ariaBusy === "true") return;
  button.ariaBusy = "true";
  try {
    const list = await api.get("/products", { params: { ...wish, after } });
    const first = append(part("grid"), html`${cards(list.items)}`);
    first?.querySelector("a").focus({ preventScroll: true });
    showMore(list, shown + list.items.length);
  } catch (error) {
    if (error.status === undefined) throw error;
    render(more, failedPart(error, "The next products could not be loaded"));
    more.querySelector("[data-retry]").addEventListener("click", ({ currentTarget }) => loadMore(after, shown, currentTarget));
  }
}

// ---- going about

async function fetchList(signal) {
  const wanted = Math.min(history.state?.shown ?? 24, 96);
  const params = { ...wish, after: new URLSearchParams(location.search).get("after"), limit: wanted > 24 ? wanted : undefined };
  const [list, all] = await Promise.all([
    api.get("/products", { params, signal }),
    categories.length ? { items: categories } : api.get("/categories", { signal }),
  ]);
  categories = all.items;
  return list;
}

function load() {
  asked?.abort();
  asked = new AbortController();
  const { signal } = asked;
  render(more, html``);
  showHead();
  return loadInto(results, {
    load: () => fetchList(signal),
    skeleton: cardSkeletons(8),
    show: (list) => { if (!part("rail").children.length) showRail(); showList(list); },
    failed: (error) => {
      part("catalogue").removeAttribute("data-waiting");
      if (error.status !== 404) return failedState(error, "The products could not be loaded");
      return emptyState({ title: "There is no such category", text: "It may have been renamed.", actions: [{ label: "See all products", href: "/?sort=newest" }] });
    },
  });
}

/** Back must find the list as it was left; the browser tries before the list is there. */
function keepPlace() {
  history.replaceState({ ...history.state, y: window.scrollY }, "");
}

function restorePlace() {
  if (history.state?.y) window.scrollTo(0, history.state.y);
}

async function go(address, { scroll = true } = {}) {
  if (address !== location.pathname + location.search) {
    keepPlace();
    history.pushState({}, "", address);
  }
  wish = read();
  await load();
  document.title = isHome() ? shopName : `${part("title").textContent} · ${shopName}`;
  if (scroll) (isHome() ? document.documentElement : part("catalogue")).scrollIntoView();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-go], .empty-state a[href^='/?']");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  event.preventDefault();
  go(link.getAttribute("href"));
});

tools.addEventListener("submit", (event) => {
  event.preventDefault();
  const { sort, price_min: low, price_max: high, in_stock: inStock } = tools.elements;
  const prices = [low, high].map((field) => ({ field, ...readNumber(field.value, digitsOf(currency || "EUR"), "Enter an amount like 20.") }));
  for (const { field, problem } of prices) field.setCustomValidity(problem);
  if (!tools.reportValidity()) return;
  const [from, to] = prices.map(({ value }) => String(value ?? ""));
  go(addressOf({ sort: sort.value === "relevance" ? "" : sort.value, price_min: from, price_max: to, in_stock: inStock.checked ? "true" : "" }), { scroll: false });
});
for (const name of ["price_min", "price_max"]) tools.elements[name].addEventListener("input", ({ target }) => target.setCustomValidity(""));
for (const name of ["sort", "in_stock"]) tools.elements[name].addEventListener("change", () => tools.requestSubmit());

part("search").addEventListener("submit", (event) => {
  event.preventDefault();
  const q = event.target.elements.q.value.trim();
  if (q) go(`/?${new URLSearchParams({ q })}`);
});

history.scrollRestoration = "manual";
window.addEventListener("pagehide", keepPlace);
window.addEventListener("popstate", () => go(location.pathname + location.search, { scroll: false }).then(restorePlace));

const data = firstData();
categories = data?.categories?.items ?? [];

function begin() {
  // A search that was submitted before the first paint has a list of its own.
  if (asked) return;
  if (isHome() && categories.length) showRail();
  if (data?.products && !(history.state?.shown > 24)) {
    showList(data.products);
    restorePlace();
  } else load().then(restorePlace);
}

// The window of the shop is all there without its goods, which stand below.
if (isHome() && !history.state?.y) afterPaint(begin);
else begin();
showHomeRow(part("home-row"));

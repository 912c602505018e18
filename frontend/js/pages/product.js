import { api, firstData } from "../lib/api.js";
import { cart } from "../lib/cart.js";
import { isWished } from "../lib/wishlist.js";
import { afterPaint, html, icon, prose, render } from "../lib/html.js";
import { money, number, plural } from "../lib/format.js";
import { price, productPicture, stockWords } from "../components/product-card.js";
import { showRow } from "../components/recommendations.js";
import { showReviews } from "../components/reviews.js";
import { stars } from "../components/stars.js";
import { loadInto } from "../components/states.js";
import { offerMail } from "../components/stock-request.js";
import "../components/quantity-stepper.js";

const page = document.querySelector("[data-product]");
const part = (name) => document.querySelector(`[data-${name}]`);

let product;
let variant;

const sameOptions = (one, options) => Object.entries(options).every(([name, value]) => one.options[name] === value);
const buyable = (one) => !one.tracked || one.stock > 0;

function firstVariant() {
  const wanted = Number(new URLSearchParams(location.search).get("variant"));
  return product.variants.find((one) => one.id === wanted) ?? product.variants.find(buyable) ?? product.variants[0];
}

// ---- markup

const breadcrumbs = () => html`<nav class="breadcrumbs" aria-label="Breadcrumbs"><ol class="breadcrumbs__list">
  <li><a href="/">Home</a></li>
  ${product.category && html`<li><a href="/?category=${product.category.slug}">${product.category.name}</a></li>`}
  <li><span aria-current="page">${product.title}</span></li>
</ol></nav>`;

function gallery() {
  const images = product.images.length ? product.images : [null];
  return html`<div class="gallery">
    <div class="gallery__strip" data-strip role="group" aria-label="Pictures" ${images.length > 1 && html`tabindex="0"`}>
      ${images.map((image, i) => html`<div class="gallery__picture">${productPicture(image, { first: i === 0, sizes: "(min-width: 84rem) 44rem, (min-width: 52rem) 52vw, 100vw", alt: image ? image.alt || product.title : "" })}</div>`)}
    </div>
    ${images.length > 1 && html`<div class="gallery__thumbs">${images.map((image, i) => html`<button class="gallery__thumb" type="button" data-picture="${i}" ${i === 0 && html`aria-current="true"`}>
      ${productPicture(image, { sizes: "5rem", alt: "" })}<span class="visually-hidden">Picture ${i + 1} of ${images.length}</span></button>`)}</div>`}
  </div>`;
}

const optionChoice = ({ name, values }, index) => html`<fieldset class="options" data-option="${name}">
  <legend><span class="options__name">${name}<span class="options__chosen" data-chosen></span></span></legend>
  <div class="options__values">${values.map((value) => html`<label class="option" data-value="${value}">
    <input class="option__input" type="radio" name="option-${index}" value="${value}">
    <span class="option__label"><span>${value}<span class="visually-hidden" data-out></span></span></span>
  </label>`)}</div>
</fieldset>`;

const stepper = () => html`<quantity-stepper class="stepper stepper--large">
  <button class="stepper__button" type="button" data-step="-1">${icon("minus")}<span class="visually-hidden">One ${product.title} fewer</span></button>
  <input class="stepper__value" type="number" inputmode="numeric" min="1" max="99" value="1" aria-label="Quantity of ${product.title}">
  <button class="stepper__button" type="button" data-step="1">${icon("plus")}<span class="visually-hidden">One ${product.title} more</span></button>
</quantity-stepper>`;

const whole = () => html`${breadcrumbs()}
<article class="product">
  ${gallery()}
  <div class="product__facts">
    <header class="product__head">
      ${product.brand && html`<p class="product__brand">${product.brand}</p>`}
      <h1 class="product__title">${product.title}</h1>
      ${product.rating !== null && html`<p class="product__rating">${stars(product.rating)}<a class="lone-link" href="#reviews">${product.rating.toFixed(1)} from ${plural(product.rating_count, "review")}</a></p>`}
      <div class="product__price" data-price></div>
      <p class="product__tax">${product.gift_card ? "No tax now: it is in the price of what the card will buy." : "Including tax, before delivery."}</p>
    </header>
    <form class="product__form" method="post" data-buy>
      ${product.options.map(optionChoice)}
      <p class="stock" role="status" data-stock></p>
      <div class="product__buy">${stepper()}<div class="product__add"><button class="button button--large" type="submit" data-add-main>Add to cart</button>
        <button class="heart-button" type="button" data-heart="${product.id}" aria-pressed="${String(isWished(product.id))}">${icon("heart")}${icon("heart-filled")}<span class="visually-hidden">Keep ${product.title} in the wishlist</span></button></div></div>
    </form>
    <div data-request></div>
    <div class="delivery" data-delivery></div>
    <div class="product__story">
      <div class="prose">${prose(product.description)}</div>
      <div class="disclosure-list"><details class="disclosure">
        <summary class="disclosure__summary">Details ${icon("chevron-down")}</summary>
        <div class="disclosure__body"><dl class="details-list" data-details></dl></div>
      </details></div>
    </div>
  </div>
</article>
<div class="buy-bar" data-bar inert>
  <div class="buy-bar__text"><p class="buy-bar__title" data-bar-title></p><p class="strong figures" data-bar-price></p></div>
  <button class="button" type="button" data-bar-add>Add to cart</button>
</div>`;

const skeleton = html`<div class="product" aria-hidden="true">
  <div class="skeleton skeleton--picture"></div>
  <div class="stack"><div class="skeleton skeleton--title"></div><div class="skeleton skeleton--line w-40"></div><div class="skeleton skeleton--button"></div><div class="skeleton skeleton--line"></div><div class="skeleton skeleton--line w-80"></div></div>
</div>`;

// ---- the chosen variant

function showVariant() {
  const { currency } = product;
  const { price_minor: now, compare_at_minor: old } = variant;
  render(part("price"), price({ now, old, currency, large: true }));
  const words = stockWords(variant);
  const stock = part("stock");
  stock.className = `stock ${!buyable(variant) ? "stock--out" : words.startsWith("Only") ? "stock--low" : ""}`;
  if (stock.textContent !== words) stock.textContent = words;
  const label = buyable(variant) ? "Add to cart" : "Out of stock";
  for (const button of [part("add-main"), part("bar-add")]) {
    button.textContent = label;
    button.setAttribute("aria-disabled", String(!buyable(variant)));
  }
  part("bar-title").textContent = [product.title, ...Object.values(variant.options)].join(", ");
  part("bar-price").textContent = money(now, currency);
  page.querySelector("quantity-stepper").hidden = !buyable(variant);
  part("request").hidden = buyable(variant);
  if (!buyable(variant)) offerMail(part("request"), variant.id);
  showOptions();
  showDetails();
  // One without a picture of its own must not go on showing another's.
  if (product.variants.some(({ image }) => image)) showPicture(variant.image ? product.images.findIndex((image) => image.src === variant.image.src) : 0);
}

function showOptions() {
  for (const set of page.querySelectorAll("[data-option]")) {
    const { option } = set.dataset;
    set.querySelector("[data-chosen]").textContent = variant.options[option];
    for (const one of set.querySelectorAll("[data-value]")) {
      const other = product.variants.find((candidate) => sameOptions(candidate, { ...variant.options, [option]: one.dataset.value }));
      const out = !other || !buyable(other);
      one.classList.toggle("option--out", out);
      one.querySelector("[data-out]").textContent = !other ? ", not made" : out ? ", out of stock" : "";
      one.querySelector("input").checked = variant.options[option] === one.dataset.value;
    }
  }
}

function showDetails() {
  const facts = [
    ["Brand", product.brand],
    ...Object.entries(variant.options),
    ["Weight", variant.weight_g ? (variant.weight_g < 1000 ? `${number(variant.weight_g)} g` : `${number(variant.weight_g / 1000)} kg`) : ""],
    ["Item number", variant.sku],
    ["Barcode", variant.barcode],
  ].filter(([, value]) => value);
  render(part("details"), html`${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}`);
  part("details").closest("details").hidden = facts.length === 0;
}

function choose({ target }) {
  const { option } = target.closest("[data-option]").dataset;
  const wanted = { ...variant.options, [option]: target.value };
  // A combination that is not made gives way to the nearest that has what was just chosen.
  variant = product.variants.find((one) => sameOptions(one, wanted))
    ?? product.variants.find((one) => one.options[option] === target.value && buyable(one))
    ?? product.variants.find((one) => one.options[option] === target.value)
    ?? variant;
  history.replaceState(history.state, "", `${location.pathname}?variant=${variant.id}`);
  showVariant();
}

// ---- gallery

function showPicture(index) {
  const strip = part("strip");
  if (index >= 0) strip.scrollTo({ left: index * strip.clientWidth, behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}

function followGallery() {
  const strip = part("strip");
  for (const thumb of page.querySelectorAll("[data-picture]")) thumb.addEventListener("click", () => showPicture(Number(thumb.dataset.picture)));
  strip.addEventListener("scroll", () => {
    const current = Math.round(strip.scrollLeft / strip.clientWidth);
    for (const thumb of page.querySelectorAll("[data-picture]")) {
      if (Number(thumb.dataset.picture) === current) thumb.setAttribute("aria-current", "true");
      else thumb.removeAttribute("aria-current");
    }
  }, { passive: true });
}

// ---- buying

async function add(button) {
  if (!buyable(variant)) {
    part("stock").textContent = product.options.length && product.in_stock ? "Out of stock. Please choose another one." : "Out of stock. It cannot be ordered just now.";
    return;
  }
  if (button.ariaBusy === "true") return;
  button.ariaBusy = "true";
  showSnag("");
  try {
    await cart.add(variant.id, page.querySelector("quantity-stepper").quantity);
    document.dispatchEvent(new CustomEvent("cart:added"));
  } catch (error) {
    if (error.status === undefined) throw error;
    showSnag(error.code === "out_of_stock" ? `${error.message} What is in your cart counts too.` : error.message);
  } finally {
    button.ariaBusy = null;
  }
}

function showSnag(message) {
  part("snag")?.remove();
  if (!message) return;
  const note = document.createElement("p");
  note.className = "alert alert--warning";
  note.dataset.snag = "";
  note.setAttribute("role", "alert");
  render(note, html`${icon("warning")}<span class="alert__text">${message}</span>`);
  part("buy").append(note);
  note.scrollIntoView({ block: "nearest" });
}

/** A gift card is nothing that a carrier brings. */
const byMail = html`<p class="delivery__item">${icon("mail")}<span>By e-mail, as soon as it is paid</span><span class="push-end figures">Free</span></p>
  <p class="delivery__item">${icon("gift")}<span>Paid in any way, only not with another gift card.</span></p>`;

async function showDelivery() {
  if (product.gift_card) return render(part("delivery"), byMail);
  const promise = html`<p class="delivery__item">${icon("return")}<span>Cancel online at no cost until it ships.</span></p>`;
  try {
    const { shipping_methods: all, currency } = await api.post("/checkout/quote");
    const ways = all.filter(({ code }) => code !== "email"); // So go the gift cards that are alone in the cart.
    const asked = part("delivery");
    render(asked, html`${ways.map((way) => html`<p class="delivery__item">${icon("truck")}<span>${way.name}${way.days && `, ${way.days} working days`}</span><span class="push-end figures">${way.price_minor ? money(way.price_minor, currency) : "Free"}</span></p>`)}${promise}`);
  } catch (error) {
    if (error.status === undefined) throw error;
    render(part("delivery"), html`<p class="delivery__item">${icon("truck")}<span>Delivery is reckoned in the cart, before you order.</span></p>${promise}`);
  }
}

async function showRelated() {
  const found = await api.get(`/products/${product.id}/related`).catch(() => null); // The page stands without them.
  if (!found) return;
  showRow(part("together"), { items: found.bought_together, currency: found.currency });
  showRow(part("similar"), { items: found.similar, currency: found.currency });
}

function showOpinions() {
  part("reviews-section").hidden = false;
  const shown = showReviews(part("reviews"), product);
  // The browser looked for the part that the address names before it was there.
  if (location.hash === "#reviews") shown.then(() => part("reviews-section").scrollIntoView());
}

function followBuyButton() {
  const bar = part("bar");
  new IntersectionObserver(([entry]) => {
    const away = !entry.isIntersecting;
    bar.classList.toggle("buy-bar--shown", away);
    bar.inert = !away;
  }, { rootMargin: "0px 0px -16px" }).observe(part("add-main"));
}

function show(found) {
  product = found;
  variant = firstVariant();
  document.body.classList.add("product-page");
  render(page, whole());
  showVariant();
  followGallery();
  followBuyButton();
  page.addEventListener("change", (event) => { if (event.target.name?.startsWith("option-")) choose(event); });
  part("buy").addEventListener("submit", (event) => { event.preventDefault(); add(part("add-main")); });
  part("bar-add").addEventListener("click", ({ currentTarget }) => add(currentTarget));
  afterPaint(() => {
    showDelivery();
    showOpinions();
    showRelated();
  });
}

const data = firstData();
if (data?.product) show(data.product);
else loadInto(page, { load: () => api.get(location.pathname), show, skeleton });

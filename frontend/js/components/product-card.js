import { html, icon, picture } from "../lib/html.js";
import { money, plural } from "../lib/format.js";
import { isWished } from "../lib/wishlist.js";
import { ratingLine } from "./stars.js";

/** @typedef {{src: string, srcset?: string | null, alt: string, width: number, height: number} | null} Image */

/**
 * A product's picture, or the placeholder.
 * @param {Image} image
 * @param {{eager?: boolean, first?: boolean, alt?: string, sizes?: string}} [how] eager: in sight at once; first: the largest thing of the page
 */
export const productPicture = (image, { eager = false, first = false, alt = image?.alt ?? "", sizes = "(min-width: 48rem) 22vw, 46vw" } = {}) => html`<img
  ${image?.srcset && html`srcset="${image.srcset}" sizes="${sizes}"`} src="${image?.src ?? picture("placeholder.svg")}" alt="${alt}" width="${image?.width ?? 800}" height="${image?.height ?? 800}" decoding="${first ? "sync" : "async"}"
  ${!eager && !first && html`loading="lazy"`} ${first && html`fetchpriority="high"`}>`;

/**
 * What it costs, and what it cost.
 * @param {{now: number, old?: number | null, from?: boolean, currency: string, large?: boolean}} what
 */
export const price = ({ now, old, from = false, currency, large = false }) => {
  const reduced = old && old > now;
  return html`<p class="price ${reduced && html`price--sale`} ${large && html`price--large`}">
    <span class="price__now">${reduced && html`<span class="visually-hidden">Now </span>`}${from && "From "}${money(now, currency)}</span>
    ${reduced && html`<s class="price__old"><span class="visually-hidden">Was </span>${money(old, currency)}</s>`}
  </p>`;
};

const LOW = 5;

/** How many are left, in words. @param {{stock: number, tracked?: boolean}} variant */
export function stockWords({ stock, tracked = true }) {
  if (!tracked || stock > LOW) return "In stock";
  return stock > 0 ? `Only ${stock} left` : "Out of stock";
}

function badges(product) {
  const off = product.compare_at_minor > product.price_minor ? Math.round((1 - product.price_minor / product.compare_at_minor) * 100) : 0;
  const low = product.in_stock && product.stock > 0 && product.stock <= LOW;
  return html`${!product.in_stock && html`<span class="badge">Out of stock</span>`}
    ${off > 0 && html`<span class="badge badge--accent">−${off}%</span>`}
    ${low && html`<span class="badge">Only ${product.stock} left</span>`}`;
}

/** A product in a grid. @param {object} product @param {{currency: string, eager?: boolean, first?: boolean}} how */
export const productCard = (product, { currency, eager, first }) => html`<li class="product-card ${!product.in_stock && html`product-card--out`}">
  <div class="product-card__picture">
    ${productPicture(product.image, { eager, first, alt: "" })}
    <div class="product-card__badges">${badges(product)}</div>
    <button class="product-card__heart heart-button" type="button" data-heart="${product.id}" aria-pressed="${String(isWished(product.id))}">
      ${icon("heart")}${icon("heart-filled")}<span class="visually-hidden">Keep ${product.title} in the wishlist</span></button>
    ${product.in_stock && product.variant_count === 1 && html`<button class="product-card__add" type="button" data-add="${product.id}">
      ${icon("plus")}<span class="visually-hidden">Add ${product.title} to the cart</span></button>`}
  </div>
  <div class="product-card__body">
    <h3 class="product-card__title"><a class="product-card__link" href="/products/${product.slug}">${product.title}</a></h3>
    ${price({ now: product.price_minor, old: product.compare_at_minor, from: product.price_max_minor > product.price_minor, currency })}
    ${ratingLine(product)}
    <p class="product-card__hint">${product.variant_count > 1 ? `${plural(product.variant_count, "variant")}` : product.brand || product.category?.name}</p>
  </div>
</li>`;

/** The shape of a grid of cards while it loads. @param {number} count */
export const cardSkeletons = (count) => html`<div class="product-grid" aria-hidden="true">${Array.from({ length: count }, () => html`<div class="product-card">
  <div class="skeleton skeleton--picture"></div>
  <div class="product-card__body"><div class="skeleton skeleton--line w-80"></div><div class="skeleton skeleton--line w-40"></div><div class="skeleton skeleton--line w-60"></div></div>
</div>`)}</div>`;

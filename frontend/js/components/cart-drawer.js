import { api } from "../lib/api.js";
import { cart } from "../lib/cart.js";
import { html, render } from "../lib/html.js";
import { money } from "../lib/format.js";
import { smallRow, titleOf } from "./recommendations.js";
import { loadInto } from "./states.js";
import "./cart-lines.js";

const nothing = html`<div class="stack"><p class="soft">There is nothing in it yet.</p><p><a class="button button--quiet" href="/?sort=newest">See what is new</a></p></div>`;

function showFoot(dialog, { items, subtotal_minor: subtotal, currency }) {
  const foot = dialog.querySelector("[data-cart-foot]");
  foot.hidden = items.length === 0;
  render(foot, html`<dl class="amounts"><div class="amounts__row"><dt>Subtotal</dt><dd class="strong">${money(subtotal, currency)}</dd></div></dl>
    <a class="button button--wide" href="/checkout">Go to checkout</a>
    <a class="button button--quiet button--wide" href="/cart">View cart</a>`);
}

let shownWith;

/** What goes with the cart, below its lines; asked for anew when other things are in it. */
async function showRecommended(place, { items }) {
  const held = items.map((item) => item.product_id).sort().join();
  if (held === shownWith && place.childElementCount) return;
  shownWith = held;
  const found = await api.get("/recommendations", { params: { from_cart: true, limit: 3 } }).catch(() => null); // The cart stands without them.
  if (!found || held !== shownWith) return;
  render(place, html`${found.items.length > 0 && html`<h3 class="drawer__label">${titleOf(found.basis)}</h3>${smallRow(found.items, found.currency)}`}`);
}

function show(dialog, now) {
  const body = dialog.querySelector("[data-cart-lines]");
  if (!now.items.length) render(body, nothing);
  else {
    if (!body.querySelector("cart-lines")) render(body, html`<cart-lines compact></cart-lines><div data-goes-with></div>`);
    body.querySelector("cart-lines").cart = now;
    showRecommended(body.querySelector("[data-goes-with]"), now);
  }
  showFoot(dialog, now);
}

let followed = false;

/** Show the cart in its drawer and keep it up to date. @param {HTMLDialogElement} dialog */
export function fill(dialog) {
  if (!followed) document.addEventListener("cart:changed", ({ detail }) => show(dialog, detail));
  followed = true;
  const body = dialog.querySelector("[data-cart-lines]");
  const skeleton = html`<div class="stack" aria-hidden="true"><div class="skeleton skeleton--row"></div><div class="skeleton skeleton--row"></div></div>`;
  return loadInto(body, { load: () => cart.get(), show: () => {}, skeleton: body.childElementCount ? undefined : skeleton });
}

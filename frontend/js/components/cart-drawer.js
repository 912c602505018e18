import { cart } from "../lib/cart.js";
import { html, render } from "../lib/html.js";
import { money } from "../lib/format.js";
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

function show(dialog, now) {
  const body = dialog.querySelector("[data-cart-lines]");
  if (!now.items.length) render(body, nothing);
  else {
    if (!body.querySelector("cart-lines")) render(body, html`<cart-lines compact></cart-lines>`);
    body.querySelector("cart-lines").cart = now;
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

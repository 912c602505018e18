import { api } from "../lib/api.js";
import { cart } from "../lib/cart.js";
import { html, icon, picture, render } from "../lib/html.js";
import { money } from "../lib/format.js";
import { inWords } from "./order-amounts.js";
import { smallRow, titleOf } from "./recommendations.js";
import { failedPart, loadInto } from "./states.js";
import "./cart-lines.js";

const nothing = html`<div class="drawer__nothing"><img src="${picture("empty-cart.svg")}" alt="" width="480" height="360"><p class="strong">There is nothing in it yet</p>
  <p class="soft">What you put in waits here for you, for 90 days.</p><p><a class="button" href="/?sort=newest">See what is new</a></p></div>`;

const foot = html`<dl class="amounts"><div class="amounts__row"><dt>Subtotal</dt><dd class="strong" data-subtotal></dd></div></dl>
  <details class="disclosure explained" data-why><summary class="disclosure__summary small">What it will come to ${icon("chevron-down")}</summary><div class="disclosure__body" data-why-body></div></details>
  <a class="button button--wide" href="/checkout">Go to checkout</a>
  <a class="button button--quiet button--wide" href="/cart">View cart</a>`;

/** The arithmetic is asked for when somebody wants to see it. */
function showWhy(why) {
  if (!why.open) return null;
  return loadInto(why.querySelector("[data-why-body]"), {
    load: () => api.post("/checkout/quote"),
    show: (quote) => render(why.querySelector("[data-why-body]"), inWords(quote, quote.lines)),
    failed: (error) => failedPart(error, "The total could not be reckoned"),
  });
}

function showFoot(dialog, { items, subtotal_minor: subtotal, currency }) {
  const place = dialog.querySelector("[data-cart-foot]");
  place.hidden = items.length === 0;
  if (!place.childElementCount) {
    render(place, foot);
    place.querySelector("[data-why]").addEventListener("toggle", ({ currentTarget }) => showWhy(currentTarget));
  }
  place.querySelector("[data-subtotal]").textContent = money(subtotal, currency);
  showWhy(place.querySelector("[data-why]"));
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

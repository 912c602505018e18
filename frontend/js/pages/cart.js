import { api } from "../lib/api.js";
import { cart } from "../lib/cart.js";
import { html, icon, render } from "../lib/html.js";
import { amounts, drawSummary, explained } from "../components/order-amounts.js";
import { showRow, titleOf } from "../components/recommendations.js";
import { emptyState, failedPart, loadInto } from "../components/states.js";
import "../components/cart-lines.js";

const place = document.querySelector("[data-cart-page]");
const lastOrder = JSON.parse(sessionStorage.getItem("last-order") ?? "null");

const skeleton = html`<div class="sidebar-layout" aria-hidden="true">
  <div class="stack"><div class="skeleton skeleton--row"></div><div class="skeleton skeleton--row"></div><div class="skeleton skeleton--row"></div></div>
  <div class="skeleton skeleton--row"></div>
</div>`;

const layout = html`<div class="sidebar-layout">
  <div class="stack"><h2 class="visually-hidden">What is in it</h2><div data-notices></div><cart-lines></cart-lines><p><a class="lone-link" href="/?sort=newest">Continue shopping</a></p></div>
  <aside class="sidebar-layout__aside" aria-labelledby="summary-title">
    <div class="order-summary">
      <h2 class="order-summary__title" id="summary-title">Order summary</h2>
      <div class="stack"><div class="order-summary__amounts" data-summary></div>
      <a class="button button--large button--wide" href="/checkout" >Go to checkout</a>
      <p class="small soft order-summary__note">${icon("lock")}<span>No account needed. You see the whole total before you order.</span></p></div>
    </div>
  </aside>
</div>`;

const nothing = () => emptyState({
  title: "There is nothing in it yet",
  text: lastOrder ? `Your last order was ${lastOrder.number}. Its page shows how it stands.` : "What you put into your cart waits here for you, for 90 days.",
  image: "empty-cart.svg",
  actions: [...(lastOrder ? [{ label: "See your order", href: lastOrder.address }] : []), { label: "See what is new", href: "/?sort=newest" }],
});

let asked;

function showSummary() {
  const summary = place.querySelector("[data-summary]");
  asked?.abort();
  asked = new AbortController();
  summary.querySelector("[data-amounts]")?.setAttribute("aria-busy", "true");
  return loadInto(summary, {
    load: () => api.post("/checkout/quote", {}, { signal: asked.signal }),
    show: (quote) => drawSummary(summary, html`${amounts(quote)}${explained(quote, quote.lines)}`),
    failed: (error) => failedPart(error, "The total could not be reckoned"),
  });
}

let shownWith;

/** What goes with the cart, asked for anew when other things are in it. */
async function showRecommended({ items }) {
  const held = items.map((item) => item.product_id).sort().join();
  if (held === shownWith) return;
  shownWith = held;
  const found = await api.get("/recommendations", { params: { from_cart: true, limit: 4 } }).catch(() => null); // The cart stands without them.
  if (found && held === shownWith) showRow(document.querySelector("[data-row]"), { title: titleOf(found.basis), ...found });
}

function show(now) {
  showRecommended(now);
  if (!now.items.length) return render(place, nothing());
  if (!place.querySelector("cart-lines")) {
    render(place, layout);
    place.querySelector("cart-lines").cart = now; // From here on it follows by itself.
  }
  render(place.querySelector("[data-notices]"), html`${now.notices.map((text) => html`<p class="alert">${icon("info")}<span class="alert__text">${text}</span></p>`)}`);
  return showSummary();
}

const load = () => loadInto(place, { load: () => cart.get(), show: () => {}, skeleton: place.childElementCount ? undefined : skeleton });

document.addEventListener("cart:changed", ({ detail }) => show(detail));
window.addEventListener("pageshow", ({ persisted }) => { if (persisted) load(); });
load();

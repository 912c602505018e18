import { api, session, signInAddress } from "../lib/api.js";
import { html, icon, render } from "../lib/html.js";
import { countryName, date, dateTime, plural } from "../lib/format.js";
import { amounts, summaryLines } from "../components/order-amounts.js";
import { emptyState, failedState, loadInto } from "../components/states.js";

const place = document.querySelector("[data-order]");
const dialog = document.querySelector("[data-cancel-dialog]");
const number = decodeURIComponent(location.pathname.split("/").pop());
const token = new URLSearchParams(location.search).get("token");

const HOUR = 3_600_000;

const EVENTS = {
  placed: "Order placed", paid: "Payment received", confirmed: "Order confirmed", shipped: "Handed to the carrier", partly_shipped: "Partly handed to the carrier",
  delivered: "Delivered", completed: "Completed", cancelled: "Cancelled", expired: "Expired without payment", refunded: "Money returned", partly_refunded: "Part of the money returned",
};
const STOPPED = ["cancelled", "expired"];

const sentence = (kind) => EVENTS[kind] ?? kind.charAt(0).toUpperCase() + kind.slice(1).replaceAll("_", " ");
const stopped = (order) => STOPPED.includes(order.status);
const isNew = (order) => Date.now() - new Date(order.placed_at) < HOUR;

function heading(order) {
  if (order.status === "cancelled") return "This order was cancelled";
  if (order.status === "expired") return "This order has expired";
  if (order.status === "completed" || order.fulfilment_status === "delivered") return "Delivered. Enjoy it.";
  if (order.fulfilment_status === "shipped") return "It is on its way";
  return isNew(order) ? "Thank you. Your order is placed." : "Your order";
}

const head = (order) => html`<header class="order-head">
  <span class="order-head__mark ${stopped(order) && html`order-head__mark--stopped`}">${icon(stopped(order) ? "close" : "check")}</span>
  <h1 data-heading tabindex="-1">${heading(order)}</h1>
  <p class="order-head__number">Order <strong>${order.number}</strong> of ${date(order.placed_at)}</p>
</header>`;

function whatNext(order) {
  if (stopped(order)) return html`<p>Nothing was charged, and the goods are back on the shelf. We have written to <strong>${order.email}</strong>.</p>`;
  const paid = order.payment.status === "paid";
  return html`${isNew(order) && html`<p>We have sent a confirmation to <strong>${order.email}</strong>. This page stays where it is: come back whenever you like.</p>`}
    ${!paid && order.payment.instructions && html`<div class="alert ${order.payment.method === "bank_transfer" ? "alert--warning" : "alert--good"}">${icon(order.payment.method === "bank_transfer" ? "bank" : "cash")}
      <div class="alert__text"><p class="alert__title">${order.payment.name}</p><p>${order.payment.instructions}</p></div></div>`}
    ${order.fulfilment_status === "unfulfilled" && html`<p>${order.status === "pending" ? "As soon as the money is there, we pack your order" : "We pack your order now"} and send it by ${order.shipping_name.toLowerCase()}. You get a mail when it leaves.</p>`}`;
}

function timeline(order) {
  const steps = order.events.map(({ kind, at }) => ({ name: sentence(kind), when: dateTime(at), state: STOPPED.includes(kind) ? "stopped" : "done" }));
  const coming = stopped(order) ? [] : [
    ...(order.status === "pending" ? ["Payment received"] : []),
    ...(["shipped", "delivered"].includes(order.fulfilment_status) ? [] : ["Handed to the carrier"]),
    ...(order.fulfilment_status === "delivered" || order.status === "completed" ? [] : ["Delivered"]),
  ].map((name) => ({ name, state: "coming" }));
  return html`<ol class="timeline">${[...steps, ...coming].map(({ name, when, state }) => html`<li class="timeline__step timeline__step--${state}"><div>
    <p class="timeline__name">${name}${state === "coming" && html`<span class="visually-hidden"> (still to come)</span>`}</p>${when && html`<p class="timeline__when">${when}</p>`}</div></li>`)}</ol>`;
}

function addressLines({ name, line1, line2, postcode, city, region, country, phone }) {
  return [name, line1, line2, `${postcode} ${city}`, region, countryName(country), phone].filter(Boolean).join("\n");
}

const offer = html`<section class="offer" aria-labelledby="offer-title">
  <h2 class="panel__title" id="offer-title">Keep your orders in one place</h2>
  <p>With an account you see all your orders and check out faster. It takes a name, a password and a code from your mail.</p>
  <a class="button button--quiet" href="/register">Create an account</a>
</section>`;

const whole = (order, guest) => html`${head(order)}
<div class="sidebar-layout">
  <div>
    <section class="order-section" aria-labelledby="next-title"><h2 class="order-section__title" id="next-title">${stopped(order) ? "What this means" : "What happens next"}</h2>${whatNext(order)}${timeline(order)}</section>
    <section class="order-section" aria-labelledby="where-title"><h2 class="order-section__title" id="where-title">Delivery and payment</h2>
      <dl class="facts">
        <div><dt>Goes to</dt><dd>${addressLines(order.address)}</dd></div>
        <div><dt>Delivery</dt><dd>${order.shipping_name}</dd></div>
        <div><dt>Payment</dt><dd>${order.payment.name}, ${order.payment.status === "unpaid" ? "not yet paid" : order.payment.status.replaceAll("_", " ")}</dd></div>
        <div><dt>E-mail</dt><dd>${order.email}</dd></div>
      </dl></section>
    ${guest && isNew(order) && offer}
  </div>
  <aside class="sidebar-layout__aside stack" aria-labelledby="summary-title">
    <div class="order-summary">
      <h2 class="order-summary__title" id="summary-title">${plural(order.items.reduce((sum, item) => sum + item.quantity, 0), "item")}</h2>
      ${summaryLines(order.items, order.currency, { linked: true })}
      <div class="amounts--lined">${amounts(order)}</div>
    </div>
    <div class="cluster">
      <a class="button" href="/?sort=newest">Continue shopping</a>
      ${!guest && html`<a class="button button--quiet" href="/orders">All your orders</a>`}
      ${order.can_cancel && html`<button class="button button--danger-quiet" type="button" data-cancel>Cancel order</button>`}
    </div>
  </aside>
</div>`;

const skeleton = html`<div class="order-head" aria-hidden="true"><div class="skeleton skeleton--title"></div><div class="skeleton skeleton--line w-40"></div></div>
<div class="sidebar-layout" aria-hidden="true"><div class="stack"><div class="skeleton skeleton--row"></div><div class="skeleton skeleton--row"></div></div><div class="skeleton skeleton--row"></div></div>`;

function show([order, { user }]) {
  const guest = !user;
  document.title = document.title.replace("Your order", `Order ${order.number}`);
  if (guest) sessionStorage.setItem("register-email", order.email);
  render(place, whole(order, guest));
  place.querySelector("[data-cancel]")?.addEventListener("click", () => dialog.showModal());
}

const missing = (user) => emptyState({
  level: 1, image: "not-found.svg", title: "We do not find this order here",
  text: user ? "Perhaps it was placed with another account, or as a guest: then the link in its mail opens it." : "If you ordered with an account, please sign in. If you ordered as a guest, open it with the link in the confirmation mail.",
  actions: user ? [{ label: "Your orders", href: "/orders" }] : [{ label: "Sign in", href: signInAddress() }, { label: "To the shop", href: "/" }],
});

const load = () => loadInto(place, {
  load: () => Promise.all([api.get(`/orders/${encodeURIComponent(number)}`, { params: { token } }), session()]),
  show,
  skeleton,
  failed: (error) => {
    if (error.status !== 404) return failedState(error, "The order could not be loaded");
    session().then(({ user }) => render(place, missing(user)), () => render(place, missing(null)));
    return null;
  },
});

dialog.querySelector("[data-keep]").addEventListener("click", () => dialog.close());
dialog.querySelector("[data-cancel-now]").addEventListener("click", async ({ currentTarget: button }) => {
  if (button.ariaBusy === "true") return;
  button.ariaBusy = "true";
  const snag = dialog.querySelector("[data-cancel-snag]");
  snag.hidden = true;
  try {
    const order = await api.post(`/orders/${encodeURIComponent(number)}/cancellation`, {}, { params: { token } });
    dialog.close();
    show([order, await session()]);
    place.querySelector("[data-heading]").focus();
    window.scrollTo(0, 0);
  } catch (error) {
    if (error.status === undefined) throw error;
    snag.hidden = false;
    snag.textContent = error.message;
  } finally {
    button.ariaBusy = null;
  }
});

window.addEventListener("pageshow", ({ persisted }) => { if (persisted) load(); });
load();

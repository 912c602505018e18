import { api, session, signInAddress } from "../lib/api.js";
import { html, icon, render } from "../lib/html.js";
import { countryName, date, dateTime, money, plural } from "../lib/format.js";
import { cart } from "../lib/cart.js";
import { handle } from "../lib/form.js";
import { amounts, explained, summaryLines } from "../components/order-amounts.js";
import { REASONS } from "../components/order-states.js";
import { emptyState, failedState, loadInto } from "../components/states.js";
import { toast } from "../components/toast-stack.js";

const place = document.querySelector("[data-order]");
const dialog = document.querySelector("[data-cancel-dialog]");
const number = decodeURIComponent(location.pathname.split("/").pop());
const token = new URLSearchParams(location.search).get("token");

const path = `/orders/${encodeURIComponent(number)}`;

const HOUR = 3_600_000;

const EVENTS = {
  placed: "Order placed", paid: "Payment received", confirmed: "Order confirmed", shipped: "Handed to the carrier", partly_shipped: "Partly handed to the carrier",
  delivered: "Delivered", completed: "Completed", cancelled: "Cancelled", expired: "Expired without payment", refunded: "Money returned", partly_refunded: "Part of the money returned", parcel_delivered: "A parcel arrived",
  return_requested: "You asked to send something back", return_approved: "Your return is approved", return_rejected: "Your return was not accepted", return_received: "Your return has reached us", claimed: "Added to your account",
};
const STOPPED = ["cancelled", "expired"];

const sentence = (kind) => EVENTS[kind] ?? kind.charAt(0).toUpperCase() + kind.slice(1).replaceAll("_", " ");
const stopped = (order) => STOPPED.includes(order.status);
const isNew = (order) => Date.now() - new Date(order.placed_at) < HOUR;

// How somebody comes back from the page where the order is paid: "returned" after paying, "left" without.
const comesBack = new URLSearchParams(location.search).get("payment");
const LOOKS = 40;

const awaited = (order) => order.payment.can_resume && comesBack === "returned";

/** Nothing but gift cards: nobody packs or brings them. */
const mailed = (order) => order.shipping_method === "email";

function heading(order) {
  if (awaited(order)) return "We are waiting for your payment to arrive";
  if (order.payment.can_resume) return "Your order waits for its payment";
  if (order.status === "cancelled") return "This order was cancelled";
  if (order.status === "expired") return "This order has expired";
  if (order.status === "completed" && mailed(order)) return "Thank you. Your gift card is in your mail.";
  if (order.status === "completed" || order.fulfilment_status === "delivered") return "Delivered. Enjoy it.";
  if (order.fulfilment_status === "shipped") return "It is on its way";
  return isNew(order) ? "Thank you. Your order is placed." : "Your order";
}

const head = (order) => html`<header class="order-head">
  <span class="order-head__mark ${stopped(order) && html`order-head__mark--stopped`}">${icon(stopped(order) ? "close" : order.payment.can_resume ? "receipt" : "check")}</span>
  <h1 data-heading tabindex="-1">${heading(order)}</h1>
  <p class="order-head__number">Order <strong>${order.number}</strong> of ${date(order.placed_at)}</p>
</header>`;

/** The way to pay what is not paid yet: somebody who left the payment page, or whose card was declined, goes on from here. */
const resuming = (order) => html`<div class="alert alert--warning" role="status">${icon("receipt")}<div class="alert__text stack stack--tight">
  <p class="alert__title">${awaited(order) ? "The payment service has not told us yet" : comesBack === "left" ? "Nothing was paid" : "Not paid yet"}</p>
  <p>${awaited(order) ? "That usually takes a few seconds; this page shows it by itself. Should you not have paid, you can go back and do so." : "If your card was declined or you changed your mind, pay again, with another card if you like."}
    We hold ${mailed(order) ? "the order" : "the goods"} until ${dateTime(order.payment.pay_by)}.</p>
  <p><button class="button ${awaited(order) && html`button--quiet`}" type="button" data-pay>Pay ${money(order.due_minor, order.currency)}</button></p></div></div>`;

function whatNext(order) {
  if (stopped(order)) return html`<p>${order.refunded_minor ? html`What you paid, ${money(order.refunded_minor, order.currency)}, comes back to you the way you paid.` : "Nothing was charged."} ${!mailed(order) && "The goods are back on the shelf. "}We have written to <strong>${order.email}</strong>.</p>`;
  const paid = order.payment.status === "paid";
  return html`${isNew(order) && html`<p>We have sent a confirmation to <strong>${order.email}</strong>. This page stays where it is: come back whenever you like.</p>`}
    ${order.payment.can_resume ? resuming(order) : !paid && order.payment.instructions && html`<div class="alert ${order.payment.method === "bank_transfer" ? "alert--warning" : "alert--good"}">${icon(order.payment.method === "bank_transfer" ? "bank" : "cash")}
      <div class="alert__text"><p class="alert__title">${order.payment.name}</p><p>${order.payment.instructions}</p></div></div>`}
    ${mailed(order) && html`<p>${paid ? html`The code went to <strong>${order.email}</strong>. Whoever has it can spend it, so keep that mail like cash.` : order.payment.status === "unpaid" && html`As soon as the money is there, the code goes to <strong>${order.email}</strong>.`}</p>`}
    ${!mailed(order) && order.fulfilment_status === "unfulfilled" && html`<p>${order.status === "pending" ? "As soon as the money is there, we pack your order" : "We pack your order now"} and send it by ${order.shipping_name.toLowerCase()}. You get a mail when it leaves.</p>`}`;
}

function timeline(order) {
  const steps = order.events.map(({ kind, at }) => ({ name: sentence(kind), when: dateTime(at), state: STOPPED.includes(kind) ? "stopped" : "done" }));
  const coming = stopped(order) ? [] : [
    ...(order.status === "pending" ? ["Payment received"] : []),
    ...(mailed(order) || ["shipped", "delivered"].includes(order.fulfilment_status) ? [] : ["Handed to the carrier"]),
    ...(mailed(order) && order.status !== "completed" ? ["Sent by e-mail"] : []),
    ...(mailed(order) || order.fulfilment_status === "delivered" || order.status === "completed" ? [] : ["Delivered"]),
  ].map((name) => ({ name, state: "coming" }));
  return html`<ol class="timeline">${[...steps, ...coming].map(({ name, when, state }) => html`<li class="timeline__step timeline__step--${state}"><div>
    <p class="timeline__name">${name}${state === "coming" && html`<span class="visually-hidden"> (still to come)</span>`}</p>${when && html`<p class="timeline__when">${when}</p>`}</div></li>`)}</ol>`;
}

// ---- parcels, returns and refunds

const RETURNS = { requested: ["Waiting for our answer", "warning"], approved: ["Approved: please send it", "good"], rejected: ["Not accepted", "soft"], received: ["It has reached us", "good"] };
const REFUNDS = { pending: "On its way", done: "Returned", failed: "Delayed; we look into it" };

const named = ({ title, options }) => [title, options].filter(Boolean).join(", ");
const pieces = (order, items) => html`<ul class="small soft">${items.map(({ item_id: id, quantity }) => html`<li>${quantity} × ${named(order.items.find((item) => item.id === id))}</li>`)}</ul>`;

const parcels = (order) => order.shipments.length > 0 && html`<section class="order-section" aria-labelledby="parcels-title"><h2 class="order-section__title" id="parcels-title">${order.shipments.length > 1 ? "Your parcels" : "Your parcel"}</h2>
  <ul class="order-parts">${order.shipments.map((one) => html`<li class="order-parts__one"><div class="cluster cluster--between"><p><strong>${one.delivered_at ? `Arrived ${date(one.delivered_at)}` : `Sent ${date(one.shipped_at)}`}</strong></p>
    ${one.tracking_url && html`<a class="button button--quiet button--small" href="${one.tracking_url}" rel="noreferrer">Follow the parcel</a>`}</div>
    ${(one.carrier || one.tracking_number) && html`<p class="small">${[one.carrier, one.tracking_number].filter(Boolean).join(", ")}</p>`}${pieces(order, one.items)}</li>`)}</ul></section>`;

const backs = (order) => order.returns.length > 0 && html`<section class="order-section" aria-labelledby="returns-title"><h2 class="order-section__title" id="returns-title">What you send back</h2>
  <ul class="order-parts">${order.returns.map((one) => html`<li class="order-parts__one"><div class="cluster cluster--between"><p><strong>Asked for ${date(one.created_at)}</strong></p><span class="badge badge--${RETURNS[one.status][1]}">${RETURNS[one.status][0]}</span></div>
    ${pieces(order, one.items)}${one.answer && html`<p>${one.answer}</p>`}</li>`)}</ul></section>`;

const refunds = (order) => order.refunds.length > 0 && html`<section class="order-section" aria-labelledby="refunds-title"><h2 class="order-section__title" id="refunds-title">Money that comes back</h2>
  <ul class="order-parts">${order.refunds.map((one) => html`<li class="order-parts__one"><div class="cluster cluster--between"><p><strong class="figures">${money(one.amount_minor, order.currency)}</strong> of ${date(one.created_at)}</p><span class="badge badge--${one.status === "done" ? "good" : "warning"}">${REFUNDS[one.status]}</span></div>
    ${one.reason && html`<p>${one.reason}</p>`}${pieces(order, one.items)}</li>`)}</ul></section>`;

const returnable = ({ items }) => items.filter((item) => item.sent > item.sent_back);

const returnForm = (order) => order.can_return && html`<details class="disclosure order-return" data-return><summary class="disclosure__summary">Send something back<span class="soft small">until ${date(order.return_by)}</span></summary>
  <form class="disclosure__body stack" method="post" novalidate>
    ${returnable(order).map((item) => html`<fieldset class="order-return__line"><legend>${named(item)}</legend><div class="order-return__fields">
      <div class="field"><label class="field__label" for="quantity-${item.id}">How many of ${item.sent - item.sent_back}</label><input class="field__input" id="quantity-${item.id}" name="quantity.${item.id}" type="number" min="0" max="${item.sent - item.sent_back}" step="1" value="0" required data-invalid="Enter 0 to ${item.sent - item.sent_back}."></div>
      <div class="field"><label class="field__label" for="reason-${item.id}">Why</label><span class="select"><select class="field__input" id="reason-${item.id}" name="reason.${item.id}" required>${Object.entries(REASONS).map(([value, label]) => html`<option value="${value}">${label}</option>`)}</select><span class="select__arrow">${icon("chevron-down")}</span></span></div></div></fieldset>`)}
    <div class="field"><label class="field__label" for="return-note">What should we know? <span class="field__optional">(optional)</span></label><textarea class="field__input" id="return-note" name="note" maxlength="1000"></textarea></div>
    <p><button class="button" type="submit">Ask to send it back</button></p>
  </form></details>`;

function listenToReturn(order) {
  const form = place.querySelector("[data-return] form");
  if (!form) return;
  const key = crypto.randomUUID();
  const wanted = ({ quantity, reason }) => Object.entries(quantity).filter(([, count]) => count > 0).map(([id, count]) => ({ item_id: Number(id), quantity: count, reason: reason[id] }));
  handle(form, {
    check: (values) => (wanted(values).length ? {} : { [`quantity.${returnable(order)[0].id}`]: "Say how many of something you send back." }),
    send: (values) => api.post(`${path}/returns`, { items: wanted(values), note: values.note ?? "" }, { key, params: { token } }),
    done: async (answer) => {
      show([answer, await session()]);
      place.querySelector("#returns-title").scrollIntoView({ block: "center" });
      toast("We have your request, and write to you soon.");
    },
  });
}

async function pay({ currentTarget: button }) {
  if (button.ariaBusy === "true") return;
  button.ariaBusy = "true";
  try {
    const { payment } = await api.post(`${path}/payments`, {}, { key: crypto.randomUUID(), params: { token } });
    location.assign(payment.redirect_url);
  } catch (error) {
    if (error.status === undefined) throw error;
    toast(error.message);
    if (error.status === 409) load();
  } finally {
    button.ariaBusy = null;
  }
}

/** Looks again every moment, for a minute or so, until the payment is there. A look that fails is made up for by the next one. */
async function watch(looks) {
  await new Promise((done) => setTimeout(done, 1500));
  try {
    const order = await api.get(path, { params: { token } });
    if (!order.payment.can_resume) return show([order, await session()]);
  } catch (error) {
    if (error.status === undefined) throw error;
  }
  if (looks > 1) await watch(looks - 1);
}

async function orderAgain({ currentTarget: button }) {
  if (button.ariaBusy === "true") return;
  button.ariaBusy = "true";
  try {
    const notices = await cart.again(number, token);
    toast(notices.length ? notices.join(" ") : "It is all in your cart.", { seconds: notices.length ? 15 : 6, action: { label: "To the cart", run: () => location.assign("/cart") } });
  } catch (error) {
    if (error.status === undefined) throw error;
    toast(error.message);
  } finally {
    button.ariaBusy = null;
  }
}

function addressLines({ name, line1, line2, postcode, city, region, country, phone }) {
  return [name, line1, line2, `${postcode} ${city}`.trim(), region, countryName(country), phone].filter(Boolean).join("\n");
}

const offer = html`<section class="offer" aria-labelledby="offer-title">
  <h2 class="panel__title" id="offer-title">Keep your orders in one place</h2>
  <p>With an account for this e-mail address you keep this order and all others in one place, and check out faster. It takes a name, a password and a code from your mail.</p>
  <a class="button button--quiet" href="/register">Create an account</a>
</section>`;

const paper = (name, address) => html`<li class="cluster">${icon("receipt")}<a class="lone-link" href="${address}">${name} (PDF)</a></li>`;

/** The order's invoice and credit notes, as soon as they are issued. */
const papers = ({ invoice_url: invoice, credit_notes: notes }) => invoice && html`<ul class="stack stack--tight">${paper("Invoice", invoice)}${notes.map(({ number: one, url }) => paper(notes.length > 1 ? `Credit note ${one}` : "Credit note", url))}</ul>`;

const paidBy = (order) => (order.due_minor === 0 && order.gift_card_minor ? "Gift card" : order.payment.name);

const whole = (order, guest) => html`${head(order)}
<div class="sidebar-layout">
  <div>
    <section class="order-section" aria-labelledby="next-title"><h2 class="order-section__title" id="next-title">${stopped(order) ? "What this means" : "What happens next"}</h2>${whatNext(order)}${timeline(order)}</section>
    ${parcels(order)}${backs(order)}${refunds(order)}${returnForm(order)}
    <section class="order-section" aria-labelledby="where-title"><h2 class="order-section__title" id="where-title">Delivery and payment</h2>
      <dl class="facts">
        <div><dt>${mailed(order) ? "For" : "Goes to"}</dt><dd>${addressLines(order.address)}</dd></div>
        <div><dt>Delivery</dt><dd>${order.shipping_name}</dd></div>
        <div><dt>Payment</dt><dd>${paidBy(order)}, ${order.payment.status === "unpaid" ? "not yet paid" : order.payment.status.replaceAll("_", " ")}</dd></div>
        <div><dt>E-mail</dt><dd>${order.email}</dd></div>
      </dl></section>
    ${guest && isNew(order) && offer}
  </div>
  <aside class="sidebar-layout__aside stack" aria-labelledby="summary-title">
    <div class="order-summary">
      <h2 class="order-summary__title" id="summary-title">${plural(order.items.reduce((sum, item) => sum + item.quantity, 0), "item")}</h2>
      ${summaryLines(order.items, order.currency, { linked: true })}
      <div class="amounts--lined">${amounts(order)}</div>
      ${explained(order, order.items)}
      ${papers(order)}
    </div>
    <div class="cluster">
      <a class="button" href="/?sort=newest">Continue shopping</a>
      <button class="button button--quiet" type="button" data-again>Order again</button>
      ${!guest && html`<a class="button button--quiet" href="/orders">All your orders</a>`}
      ${!guest && !token && html`<a class="button button--quiet" href="/tickets?order=${order.number}#ask">Ask about this order</a>`}
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
  listenToReturn(order);
  place.querySelector("[data-pay]")?.addEventListener("click", pay);
  if (awaited(order)) watch(LOOKS);
  place.querySelector("[data-again]").addEventListener("click", orderAgain);
  place.querySelector("[data-cancel]")?.addEventListener("click", () => dialog.showModal());
}

const missing = (user) => emptyState({
  level: 1, image: "not-found.svg", title: "We do not find this order here",
  text: user ? "Perhaps it was placed with another account, or as a guest: then the link in its mail opens it." : "If you ordered with an account, please sign in. If you ordered as a guest, open it with the link in the confirmation mail.",
  actions: user ? [{ label: "Your orders", href: "/orders" }] : [{ label: "Sign in", href: signInAddress() }, { label: "To the shop", href: "/" }],
});

const load = () => loadInto(place, {
  load: () => Promise.all([api.get(path, { params: { token } }), session()]),
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
    const order = await api.post(`${path}/cancellation`, {}, { params: { token } });
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

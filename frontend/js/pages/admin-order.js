import { api } from "../lib/api.js";
import { html, icon, render } from "../lib/html.js";
import { countryName, dateTime, money, plural } from "../lib/format.js";
import { ask } from "../components/ask-dialog.js";
import { amounts } from "../components/order-amounts.js";
import { METHODS, REASONS, stateBadge } from "../components/order-states.js";
import { proved } from "../components/password-dialog.js";
import { productPicture } from "../components/product-card.js";
import { askForRefund, chosen, field, named, quantities } from "../components/refund-dialog.js";
import { dealtWith, staff } from "../components/staff.js";
import { emptyState, failedState, loadInto } from "../components/states.js";
import { toast } from "../components/toast-stack.js";

const place = document.querySelector("[data-order]");
const path = `/admin/orders/${encodeURIComponent(decodeURIComponent(location.pathname.split("/").pop()))}`;

const EVENTS = {
  placed: "Placed", paid: "Paid", partly_shipped: "A parcel was sent", shipped: "All was sent", parcel_delivered: "A parcel arrived", delivered: "All arrived", completed: "Completed", claimed: "Added to the customer's account",
  cancelled: "Cancelled", expired: "Expired without payment", partly_refunded: "Part of the money returned", refunded: "All money returned",
  return_requested: "Return asked for", return_approved: "Return approved", return_rejected: "Return rejected", return_received: "Return received",
};

let now;

const itemOf = (id) => now.order.items.find((item) => item.id === id);
const lineOf = (id) => now.lines.find((line) => line.id === id);
const cash = (minor) => money(minor, now.order.currency);
const pieces = (items) => html`<ul class="desk-list">${items.map((one) => html`<li>${one.quantity} × ${named(itemOf(one.item_id))}${one.reason && html` <span class="soft">${REASONS[one.reason] ?? one.reason}</span>`}${one.restocked > 0 && html` <span class="soft">${one.restocked} back on the shelf</span>`}</li>`)}</ul>`;

// ---- what is shown

const act = (name, label, looks = "button--quiet", id = "") => html`<button class="button ${looks} button--small" type="button" data-act="${name}" data-id="${id}">${label}</button>`;

function progress(item) {
  const { left_to_send: left } = lineOf(item.id);
  const told = [item.sent && `${item.sent} sent`, left && !["cancelled", "expired"].includes(now.order.status) && `${left} to send`, item.sent_back && `${item.sent_back} sent back`, item.refunded && `${item.refunded} refunded`];
  return told.filter(Boolean).join(" · ");
}

const goods = ({ items, currency }) => html`<section class="panel" aria-labelledby="goods-title"><div class="panel__head"><h2 class="panel__title" id="goods-title">${plural(items.reduce((sum, { quantity }) => sum + quantity, 0), "piece")}</h2></div>
  <ul class="desk-goods">${items.map((item) => html`<li class="desk-goods__line"><span class="desk-goods__picture">${productPicture(item.image, { alt: "", sizes: "48px" })}</span>
    <div><p>${item.product_id ? html`<a href="/admin/products/${item.product_id}">${item.title}</a>` : item.title}${item.options && html`<span class="soft"> ${item.options}</span>`}</p><p class="soft small">${[item.sku, progress(item)].filter(Boolean).join(" · ")}</p></div>
    <p class="figures nowrap">${item.quantity} × ${money(item.price_minor, currency)}</p><p class="figures nowrap desk-goods__amount">${money(item.line_minor, currency)}</p></li>`)}</ul>
  <div class="amounts--lined">${amounts(now.order)}</div></section>`;

const section = (id, title, entries, head = "") => entries.length > 0 && html`<section class="panel" aria-labelledby="${id}"><div class="panel__head"><h2 class="panel__title" id="${id}">${title}</h2>${head}</div>
  <ul class="desk-entries">${entries.map((entry) => html`<li class="desk-entries__one">${entry}</li>`)}</ul></section>`;

const parcel = (one, i) => html`<div class="editor__line"><p><strong>Parcel ${i + 1}</strong> ${stateBadge(one.delivered_at ? "delivered" : "shipped")}</p>${!one.delivered_at && act("deliver", "It arrived", "button--quiet", one.id)}</div>
  <p class="soft small">Sent ${dateTime(one.shipped_at)}${one.delivered_at && html`, arrived ${dateTime(one.delivered_at)}`}</p>
  ${(one.carrier || one.tracking_number) && html`<p class="small">${one.carrier} ${one.tracking_url ? html`<a href="${one.tracking_url}" rel="noreferrer">${one.tracking_number || "Follow it"}</a>` : one.tracking_number}</p>`}${pieces(one.items)}`;

const refundedFor = (id) => now.order.refunds.some(({ return_id: of }) => of === id);
const sentBack = (one) => html`<div class="editor__line"><p><strong>Return</strong> ${stateBadge(one.status)}</p>
    ${one.status === "requested" && html`${act("reject", "Reject", "button--danger-quiet", one.id)}${act("approve", "Approve", "button--quiet", one.id)}`}
    ${one.status === "approved" && act("receive", "It is here", "button--quiet", one.id)}
    ${one.status === "received" && now.acts.refund && !refundedFor(one.id) && act("refundReturn", "Refund it", "button--quiet", one.id)}</div>
  <p class="soft small">Asked for ${dateTime(one.created_at)}</p>${pieces(one.items)}
  ${one.note && html`<blockquote class="desk-quote">${one.note}</blockquote>`}${one.answer && html`<p class="small"><span class="soft">Your answer:</span> ${one.answer}</p>`}`;

const refund = (one) => html`<div class="editor__line"><p><strong class="figures">${cash(one.amount_minor)}</strong> ${stateBadge(one.status)}</p>${one.status === "failed" && act("retry", "Try again", "button--quiet", one.id)}</div>
  <p class="soft small">${dateTime(one.created_at)}${one.gift_card_minor > 0 && html`, ${cash(one.gift_card_minor)} of it to the gift card`}${one.shipping_minor > 0 && html`, ${cash(one.shipping_minor)} of it for delivery`}</p>
  ${one.reason && html`<p class="small">${one.reason}</p>`}${pieces(one.items)}`;

const payment = (one) => html`<p><strong class="figures">${cash(one.captured_minor || one.amount_minor)}</strong> ${stateBadge(one.status)}</p>
  <p class="soft small">${METHODS[one.method] ?? one.method}, ${dateTime(one.paid_at ?? one.created_at)}${one.gateway_id && html`<br><span class="anywhere">${one.gateway_id}</span>`}</p>`;

const address = ({ name, line1, line2, postcode, city, region, country, phone }) => [name, line1, line2, `${postcode} ${city}`.trim(), region, countryName(country), phone].filter(Boolean).join("\n");

const customer = (order) => html`<section class="panel" aria-labelledby="customer-title"><div class="panel__head"><h2 class="panel__title" id="customer-title">Customer</h2></div>
  <dl class="facts"><div><dt>E-mail</dt><dd class="anywhere">${order.email ? html`<a href="mailto:${order.email}">${order.email}</a>` : "erased"}${now.customer_id ? html`<br><a href="/admin/users/${now.customer_id}">Their page</a>` : " (guest)"}</dd></div>
    <div><dt>Goes to</dt><dd>${address(order.address)}</dd></div><div><dt>Delivery</dt><dd>${order.shipping_name}</dd></div><div><dt>Pays by</dt><dd>${order.payment.name}</dd></div>
    ${order.terms_version !== null && html`<div><dt>Terms</dt><dd>accepted, <a href="/terms?version=${order.terms_version}">version ${order.terms_version}</a></dd></div>`}
    ${order.note && html`<div><dt>Their note</dt><dd>${order.note}</dd></div>`}</dl></section>`;

const history_ = html`<h2 class="panel__title" id="history-title">History</h2>`;
const timeline = (events) => html`<section class="panel" aria-labelledby="history-title"><div class="panel__head">${history_}</div>
  <ol class="timeline">${events.map(({ kind, at, actor }) => html`<li class="timeline__step timeline__step--${["cancelled", "expired"].includes(kind) ? "stopped" : "done"}"><div><p class="timeline__name">${EVENTS[kind] ?? kind.replaceAll("_", " ")}</p><p class="timeline__when">${dateTime(at)}${actor && ` by ${actor}`}</p></div></li>`)}</ol></section>`;

function show(answer) {
  now = answer;
  const { order, acts } = now;
  document.title = document.title.replace(/^Order[^·]*/, `${order.number} `);
  render(place, html`<div class="desk-head"><a class="icon-button" href="/admin/orders">${icon("arrow-left")}<span class="visually-hidden">All orders</span></a>
    <h1 class="figures" data-heading tabindex="-1">${order.number}</h1>${stateBadge(order.status)}${stateBadge(order.payment_status)}${stateBadge(order.fulfilment_status)}
    <div class="desk-head__end">${acts.cancel && act("cancel", "Cancel", "button--danger-quiet")}${acts.refund && act("refund", "Refund")}${acts.record_payment && act("pay", "Note payment")}${acts.ship && act("ship", "Send", "")}</div>
    <p class="desk-head__lead small">Placed ${dateTime(order.placed_at)}</p></div>
  <div class="editor__columns"><div class="editor__column">${goods(order)}
    ${section("parcels-title", "Parcels", order.shipments.map(parcel))}${section("returns-title", "Returns", order.returns.map(sentBack))}${section("refunds-title", "Refunds", order.refunds.map(refund))}</div>
  <div class="editor__column">${customer(order)}${section("payments-title", "Payments", now.payments.map(payment))}${timeline(now.events)}</div></div>`);
}

// ---- acts

function ship() {
  const lines = now.lines.filter(({ left_to_send: left }) => left > 0);
  return ask({
    title: "Send a parcel", wide: true, action: "It is on its way",
    text: "The buyer gets a mail with what is in it and where to follow it.",
    fields: html`${quantities(now.order.items, lines, "What is in it", ({ left_to_send: left }) => left)}
      <div class="field-row">${field("carrier", "Carrier", html`<input class="field__input" id="carrier" name="carrier" maxlength="60" autocomplete="off">`)}
      ${field("tracking_number", "Parcel number", html`<input class="field__input" id="tracking_number" name="tracking_number" maxlength="80" autocomplete="off" spellcheck="false">`)}</div>
      ${field("tracking_url", "Where to follow it", html`<input class="field__input" id="tracking_url" name="tracking_url" type="url" maxlength="500" placeholder="https://" autocomplete="off" data-invalid="Enter an address that begins with https://.">`)}`,
    send: ({ carrier = "", tracking_number = "", tracking_url = "", ...values }) => api.post(`${path}/shipments`, { items: chosen(values), carrier, tracking_number, tracking_url }),
  });
}

function decide(id, status) {
  const yes = status === "approved";
  return ask({
    title: yes ? "Approve this return?" : "Reject this return?", action: yes ? "Approve it" : "Reject it", danger: !yes,
    text: yes ? "The buyer gets a mail with where to send it." : "The buyer gets a mail with your answer.",
    fields: field("answer", "Your answer", html`<textarea class="field__input" id="answer" name="answer" maxlength="1000"></textarea>`),
    send: ({ answer = "" }) => api.post(`/admin/returns/${id}/decision`, { status, answer }),
  });
}

function receive(id) {
  const { items } = now.order.returns.find((one) => one.id === id);
  const sent = new Map(items.map((item) => [item.item_id, item.quantity]));
  return ask({
    title: "The return is here", action: "Note it",
    text: "What can be sold again goes back on the shelf. The money is returned in the next step.",
    fields: quantities(now.order.items, now.lines.filter((line) => sent.has(line.id)), "How many go back on the shelf", (line) => sent.get(line.id)),
    send: (values) => api.post(`/admin/returns/${id}/receipt`, { restocked: chosen(values) }),
  });
}

function refundReturn(id) {
  const { items } = now.order.returns.find((one) => one.id === id);
  const back = new Map(items.map((item) => [item.item_id, item.quantity]));
  const most = (line) => Math.min(line.left_to_refund, back.get(line.id));
  return askForRefund(now, { title: "Refund this return", lines: now.lines.filter((line) => back.has(line.id)), most, value: most, returnId: id });
}

function pay() {
  const key = crypto.randomUUID();
  return ask({
    title: `Has ${cash(now.order.due_minor)} come in?`, action: "It is paid",
    text: "The order counts as paid, and its buyer gets a mail.",
    send: () => proved(() => api.post(`${path}/payments`, { amount_minor: now.order.due_minor }, { key })),
  });
}

const ACTS = {
  ship: [ship, "The parcel is noted, and the buyer has a mail."],
  refund: [() => askForRefund(now), "The money is on its way back."],
  refundReturn: [refundReturn, "The money is on its way back."],
  pay: [pay, "The order is paid."],
  approve: [(id) => decide(id, "approved"), "The return is approved."],
  reject: [(id) => decide(id, "rejected"), "The return is rejected."],
  receive: [receive, "The return is received."],
  deliver: [(id) => ask({ title: "Has the parcel arrived?", text: "The buyer gets a mail.", action: "It arrived", send: () => api.post(`/admin/shipments/${id}/delivery`) }), "The parcel has arrived."],
  retry: [(id) => proved(() => api.post(`/admin/refunds/${id}/retry`)), "It is tried again in a moment."],
  cancel: [() => ask({
    title: "Cancel this order?", action: "Cancel the order", danger: true,
    text: now.acts.refund ? "Its goods go back on the shelf, and all that was paid goes back. This cannot be undone." : "Its goods go back on the shelf. This cannot be undone.",
    send: () => proved(() => api.post(`${path}/cancellation`)),
  }), "The order is cancelled."],
};

place.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-act]");
  if (!button) return;
  const [run, said] = ACTS[button.dataset.act];
  try {
    const answer = await run(...(button.dataset.id ? [Number(button.dataset.id)] : []));
    if (!answer?.order) return;
    show(answer);
    place.querySelector("[data-heading]").focus();
    toast(said);
  } catch (error) {
    if (error.status === undefined) throw error;
    if (!dealtWith(error)) toast(error.message, { seconds: 12 });
  }
});

await staff;
loadInto(place, {
  load: () => api.get(path),
  show,
  skeleton: html`<div class="stack" aria-hidden="true"><div class="skeleton skeleton--title"></div><div class="skeleton editor__skeleton"></div></div>`,
  failed: (error) => {
    if (dealtWith(error)) return null;
    return error.status === 404 ? emptyState({ level: 1, title: "There is no such order", text: "Perhaps a letter is missing in its number.", actions: [{ label: "All orders", href: "/admin/orders" }] }) : failedState(error, "The order could not be loaded");
  },
});

import { api } from "../lib/api.js";
import { html, icon } from "../lib/html.js";
import { dateTime, digitsOf, money, number } from "../lib/format.js";
import { ask } from "../components/ask-dialog.js";
import { showDetail } from "../components/detail-dialog.js";
import { METHODS, stateBadge, stateWords } from "../components/order-states.js";
import { proved } from "../components/password-dialog.js";
import { dealtWith } from "../components/staff.js";
import { emptyState } from "../components/states.js";
import { toast } from "../components/toast-stack.js";
import "../components/data-grid.js";

const WHY = {
  signature: "Not signed by the payment service", timestamp: "Signed long ago, or ahead of time", event: "Signed, but no event", unknown: "Money for a payment that this shop does not know",
  page: "From another payment page", method: "For an order that is not paid by card", order: "For another order", mode: "From another account or mode", charge: "Without a charge", amount: "Another amount than was asked for", currency: "Another currency",
};

const grid = document.querySelector("data-grid");

const amount = (minor, { currency }) => money(minor, currency);
const decimal = (minor, { currency }) => minor / 10 ** digitsOf(currency);
const orderLink = (order) => html`<a class="figures" href="/admin/orders/${order}">${order}</a>`;

// ---- one payment

const button = (name, label, id = "") => html`<button class="button button--quiet button--small" type="button" data-act="${name}" data-id="${id}">${label}</button>`;

const facts = (one) => html`<dl class="facts"><div><dt>Order</dt><dd>${orderLink(one.order_number)} ${stateBadge(one.order_status)}</dd></div>
  <div><dt>Paid by</dt><dd>${METHODS[one.method] ?? one.method}</dd></div>
  <div><dt>State</dt><dd>${stateBadge(one.status)}</dd></div>
  <div><dt>Came in</dt><dd class="figures">${amount(one.captured_minor, one)}${one.status === "unwanted" && html` <span class="soft">for an order of ${amount(one.due_minor, one)}</span>`}</dd></div>
  ${one.refunded_minor > 0 && html`<div><dt>Went back</dt><dd class="figures">${amount(one.refunded_minor, one)}</dd></div>`}
  <div><dt>Begun</dt><dd>${dateTime(one.created_at)}</dd></div>${one.paid_at && html`<div><dt>Paid</dt><dd>${dateTime(one.paid_at)}</dd></div>`}
  ${one.gateway_id && html`<div><dt>Payment page</dt><dd class="anywhere">${one.gateway_id}</dd></div>`}${one.gateway_charge && html`<div><dt>Charge</dt><dd class="anywhere">${one.gateway_charge}</dd></div>`}</dl>`;

const refund = (payment) => (one) => html`<tr><td class="nowrap">${dateTime(one.created_at)}</td><td>${stateBadge(one.status)} ${one.reason}</td><td>${one.status === "failed" && button("retry", "Try again", one.id)}</td><td class="table__amount">${amount(one.amount_minor, payment)}</td></tr>`;
const heard = ({ id, kind, received_at: at }) => html`<tr><td class="nowrap">${dateTime(at)}</td><td>${kind}</td><td class="anywhere soft">${id}</td></tr>`;
const refusal = ({ at, reason, unnoted, order_number: order }) => html`<tr><td class="nowrap">${dateTime(at)}</td><td>${WHY[reason] ?? reason}${unnoted > 0 && html`<br><span class="soft">and ${number(unnoted)} more of that address before it</span>`}</td><td>${order && orderLink(order)}</td></tr>`;
const table = (title, heads, rows) => rows.length > 0 && html`<h3>${title}</h3><table class="table small"><thead><tr>${heads}</tr></thead><tbody>${rows}</tbody></table>`;
const head = (label) => html`<th scope="col">${label}</th>`;

const detail = ({ payment, refunds, heard: events, refusals, acts }) => html`${facts(payment)}
  ${payment.status === "unwanted" && html`<p class="alert alert--warning">${icon("warning")}<span class="alert__text">This money fits no order that waits for it: it came too late, a second time, or is another sum. It goes back by itself; should the payment service have refused that, try it here.</span></p>`}
  ${payment.status === "paid" && html`<p class="small soft">What an order was paid with is refunded on <a href="/admin/orders/${payment.order_number}">the order's page</a>.</p>`}
  <p class="cluster">${acts.ask && button("ask", "Ask the payment service now")}${acts.give_back && button("giveBack", "Send it back now")}</p>
  ${table("Refunds", html`${head("When")}${head("State")}${head(html`<span class="visually-hidden">What can be done</span>`)}<th scope="col" class="table__amount">Amount</th>`, refunds.map(refund(payment)))}
  ${table("What the payment service told", html`${head("When")}${head("Event")}${head("Its id")}`, events.map(heard))}
  ${table("What did not fit", html`${head("When")}${head("Why")}${head("Order")}`, refusals.map(refusal))}`;

const ACTS = {
  ask: (path) => api.post(`${path}/inquiry`),
  giveBack: (path, id, { payment }) => {
    const key = crypto.randomUUID();
    return ask({
      title: `Send ${amount(payment.captured_minor, payment)} back?`, action: "Send it back", danger: true,
      text: "All of it goes back to where it came from.",
      send: () => proved(() => api.post(`${path}/return`, {}, { key })),
    });
  },
  retry: async (path, id) => ((await proved(() => api.post(`/admin/refunds/${id}/retry`))) ? api.get(path) : null),
};
const DONE = { ask: "The payment service was asked.", giveBack: "The money is on its way back.", retry: "The refund is tried again." };

async function act(path, name, id, now) {
  try {
    const answer = await ACTS[name](path, id, now);
    if (!answer) return null;
    grid.update(answer.payment);
    toast(DONE[name]);
    return answer;
  } catch (error) {
    if (error.status === undefined) throw error;
    if (!dealtWith(error)) toast(error.message, { seconds: 12 });
    return null;
  }
}

function look({ id, order_number: order }) {
  const path = `/admin/payments/${id}`;
  showDetail({ title: `Payment of ${order}`, failed: "The payment could not be loaded", load: () => api.get(path), show: detail, act: (...what) => act(path, ...what) });
}

const nothingRefused = emptyState({ title: "Nothing was refused", text: "Calls that the payment service did not sign, and money that fits no order, are noted here." });

const showRefusals = () => showDetail({
  title: "What was not believed", failed: "The refusals could not be loaded",
  load: (after) => api.get("/admin/payments/refusals", { params: { after, limit: 50 } }),
  show: ({ items }) => (items.length ? html`<table class="table small"><thead><tr>${head("When")}${head("Why")}${head("Order")}</tr></thead><tbody>${items.map(refusal)}</tbody></table>` : nothingRefused),
});

document.querySelector("[data-refusals]")?.addEventListener("click", showRefusals);
grid?.addEventListener("click", ({ target }) => { if (target.closest("[data-look]")) look(grid.rowOf(target)); });

grid?.start({
  path: "/admin/payments",
  name: ({ order_number: order }) => `the payment of ${order}`,
  cells: {
    order_number: ({ order_number: order }) => html`<a class="grid__link" href="/admin/orders/${order}"><span class="grid__text figures">${order}</span></a>`,
    method: ({ method }) => METHODS[method] ?? method,
    status: ({ status, refund_failed: failed }) => html`${stateBadge(status)}${failed && html` <span class="badge badge--danger">Refund failed</span>`}`,
    amount_minor: (row) => amount(row.amount_minor, row),
    captured_minor: (row) => (row.captured_minor ? amount(row.captured_minor, row) : ""),
    refunded_minor: (row) => (row.refunded_minor ? amount(row.refunded_minor, row) : ""),
    gateway_charge: ({ gateway_charge: charge }) => html`<span class="soft figures">${charge ?? ""}</span>`,
    acts: (row) => html`<span class="grid__acts-cell"><button class="button button--quiet button--small" type="button" data-look aria-haspopup="dialog">Look<span class="visually-hidden"> at the payment of ${row.order_number}</span></button></span>`,
  },
  texts: {
    method: ({ method }) => METHODS[method] ?? method, status: ({ status, refund_failed: failed }) => stateWords(status) + (failed ? ", refund failed" : ""), acts: () => "",
    ...Object.fromEntries(["amount_minor", "captured_minor", "refunded_minor"].map((key) => [key, (row) => decimal(row[key], row)])),
  },
  nothing: emptyState({ title: "No payments yet", text: "Money that comes in for orders is listed here, however it is paid." }),
});

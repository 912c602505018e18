import { api, shop } from "../lib/api.js";
import { handle } from "../lib/form.js";
import { dateTime, digitsOf, minorOf, money } from "../lib/format.js";
import { parseNumber, readNumber } from "../lib/numbers.js";
import { html, icon, render } from "../lib/html.js";
import { ask } from "../components/ask-dialog.js";
import { messagePictures } from "../components/message-pictures.js";
import { proved } from "../components/password-dialog.js";
import { askForRefund } from "../components/refund-dialog.js";
import { dealtWith, staff } from "../components/staff.js";
import { emptyState, failedState, loadInto } from "../components/states.js";
import { FOR_STAFF, message, ticketBadge } from "../components/ticket-states.js";
import { toast } from "../components/toast-stack.js";

const part = (name) => document.querySelector(`[data-${name}]`);
const path = `/admin/tickets/${encodeURIComponent(decodeURIComponent(location.pathname.split("/").pop()))}`;
const form = part("form");
const me = (await staff).username;

let canned = [];
let orderNumber = null;

const act = (name, label, looks = "button--quiet") => html`<button class="button ${looks} button--small" type="button" data-act="${name}">${label}</button>`;
const NAMES = { customer: "", staff: "", note: ": note" };

function show({ ticket, messages }) {
  orderNumber = ticket.order_number;
  document.title = document.title.replace(/^Ticket/, ticket.number);
  render(part("head"), html`<div class="desk-head"><a class="icon-button" href="/admin/tickets">${icon("arrow-left")}<span class="visually-hidden">All tickets</span></a>
    <h1 class="anywhere">${ticket.subject}</h1>${ticketBadge(ticket.status, FOR_STAFF)}
    <div class="desk-head__end">${ticket.assignee === me ? act("handBack", "Hand it back") : act("takeOn", "Take it on")}${ticket.status === "closed" ? act("open", "Open again") : act("close", "Close")}</div></div>`);
  render(part("thread"), html`${messages.map(({ kind, author, body, created_at: at, pictures: sent }) => message({ own: kind !== "customer", note: kind === "note", who: `${author ?? "erased"}${NAMES[kind]}`, when: dateTime(at), body, pictures: sent }))}`);
  render(part("side"), html`<section class="panel" aria-labelledby="about-title"><div class="panel__head"><h2 class="panel__title" id="about-title">About</h2></div>
      <dl class="facts"><div><dt>Number</dt><dd class="figures">${ticket.number}</dd></div><div><dt>Customer</dt><dd class="anywhere">${ticket.username}, <a href="mailto:${ticket.email}">${ticket.email}</a></dd></div>
      <div><dt>Taken on by</dt><dd>${ticket.assignee ?? "nobody"}</dd></div>${ticket.order_number && html`<div><dt>Order</dt><dd><a class="figures" href="/admin/orders/${ticket.order_number}">${ticket.order_number}</a></dd></div>`}</dl></section>
    <section class="panel" aria-labelledby="acts-title"><div class="panel__head"><h2 class="panel__title" id="acts-title">What you can do</h2></div><div class="cluster">${act("coupon", "Give a coupon")}
      ${ticket.order_number && html`${act("orderMail", "Mail the order again")}${act("invoiceMail", "Mail the invoice again")}${act("refund", "Return money")}`}</div></section>`);
  part("whole").hidden = false;
}

// ---- replies that are used again and again

function showCanned() {
  render(part("canned"), html`${canned.length > 0 && html`<span class="select"><label class="visually-hidden" for="canned">Use a kept reply</label><select class="field__input" id="canned" autocomplete="off"><option value="">Use a kept reply</option>${canned.map(({ id, title }) => html`<option value="${id}">${title}</option>`)}</select>${icon("chevron-down")}</span>`}${act("keep", "Keep as a reply", "button--plain")}`);
  const line = ({ id, title }) => html`<li class="kept__item"><span class="kept__title">${title}</span><span class="cluster"><button class="button button--plain button--small" type="button" data-edit="${id}">Change<span class="visually-hidden"> ${title}</span></button><button class="button button--plain button--small" type="button" data-remove="${id}">Remove<span class="visually-hidden"> ${title}</span></button></span></li>`;
  render(part("kept"), html`<div class="panel__head"><h2 class="panel__title" id="kept-title" tabindex="-1">Kept replies</h2></div><ul class="kept">${canned.map(line)}</ul>`);
  part("kept").hidden = canned.length === 0;
}

async function edit({ id, title, body }) {
  const now = await ask({
    title: `Change ${title}`, action: "Save", wide: true,
    fields: html`<div class="field"><label class="field__label" for="title">What it is called</label><input class="field__input" id="title" name="title" value="${title}" maxlength="80" required autocomplete="off" data-missing="Give it a name."></div>
      <div class="field"><label class="field__label" for="body">What it says</label><textarea class="field__input" id="body" name="body" rows="8" maxlength="5000" required data-missing="Write the reply.">${body}</textarea></div>`,
    send: (values) => api.put(`/admin/tickets/replies/${id}`, values),
  });
  if (!now) return "";
  canned = canned.map((one) => (one.id === id ? now : one));
  return "Saved.";
}

async function removeReply({ id, title }) {
  const done = await ask({ title: `Remove ${title}?`, text: "What was written with it stays.", action: "Remove it", danger: true, send: () => api.delete(`/admin/tickets/replies/${id}`) });
  if (!done) return "";
  canned = canned.filter((one) => one.id !== id);
  return "Removed.";
}

part("kept").addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-edit], [data-remove]");
  const reply = button && canned.find(({ id }) => String(id) === (button.dataset.edit ?? button.dataset.remove));
  if (!reply) return;
  const said = await (button.dataset.edit ? edit : removeReply)(reply);
  if (!said) return;
  showCanned();
  document.querySelector(part("kept").hidden ? '[data-act="keep"]' : "#kept-title").focus();
  toast(said);
});

part("canned").addEventListener("change", ({ target }) => {
  const reply = canned.find(({ id }) => String(id) === target.value);
  if (!reply) return;
  const box = form.elements.message;
  box.value = [box.value.trim(), reply.body].filter(Boolean).join("\n\n");
  target.value = "";
  box.focus();
});

async function keep() {
  const body = form.elements.message.value.trim();
  if (!body) return toast("Write the reply first, then keep it.");
  const reply = await ask({
    title: "Keep this reply", action: "Keep it", text: "It can then be used in every ticket.",
    fields: html`<div class="field"><label class="field__label" for="title">What it is called</label><input class="field__input" id="title" name="title" maxlength="80" required autocomplete="off" data-missing="Give it a name."></div>`,
    send: ({ title }) => api.post("/admin/tickets/replies", { title, body }),
  });
  if (!reply) return null;
  canned = [...canned, reply];
  showCanned();
  return toast("Kept.");
}

// ---- acts

async function coupon() {
  const { currency } = await shop();
  const key = crypto.randomUUID();
  return ask({
    title: "Give a coupon", wide: true, action: "Send the coupon", text: "It is good for one order. Its code is written to the customer in this ticket.",
    fields: html`<div class="field-row"><div class="field"><label class="field__label" for="kind">Takes off</label><span class="select"><select class="field__input" id="kind" name="kind" autocomplete="off" required><option value="percent">Per cent of the goods</option><option value="fixed">An amount in ${currency}</option></select>${icon("chevron-down")}</span></div>
      <div class="field"><label class="field__label" for="worth">How much</label><input class="field__input" id="worth" name="worth" inputmode="decimal" maxlength="12" required autocomplete="off" data-missing="Say how much it takes off."></div>
      <div class="field"><label class="field__label" for="days">Good for days</label><input class="field__input" id="days" name="days" type="number" min="1" max="3650" step="1" value="90" required data-invalid="Enter 1 to 3650."></div></div>
      <div class="field"><label class="field__label" for="word">A word to go with it <span class="field__optional">(optional)</span></label><textarea class="field__input" id="word" name="word" rows="3" maxlength="4000"></textarea></div>`,
    check: ({ kind, worth }) => ({ worth: readNumber(worth, kind === "percent" ? 2 : digitsOf(currency), "Enter a number like 10.").problem }),
    send: ({ kind, worth, days, word = "" }) => proved(() => api.post(`${path}/coupon`, {
      kind, days, message: word, value: kind === "percent" ? parseNumber(worth, 2) : minorOf(worth, currency),
    }, { key })),
  });
}

/** What was returned stands in the thread, too, for whoever reads it next. */
async function refund() {
  const desk = await api.get(`/admin/orders/${orderNumber}`);
  if (!desk.acts.refund) return toast("There is no money to return for this order.");
  const after = await askForRefund(desk);
  if (!after) return null;
  const { refunded_minor: all, currency } = after.order;
  return api.post(`${path}/messages`, { message: `${money(all - desk.order.refunded_minor, currency)} of ${orderNumber} were returned.`, internal: true });
}

const ACTS = {
  refund: [refund, "The money is on its way back."],
  takeOn: [() => api.patch(path, { mine: true }), "It is yours now."],
  handBack: [() => api.patch(path, { mine: false }), "Handed back."],
  close: [() => api.patch(path, { status: "closed" }), "Closed. A message of the customer opens it again."],
  open: [() => api.patch(path, { status: "open" }), "Open again."],
  orderMail: [() => api.post(`${path}/order-mail`), "The order's confirmation is on its way again."],
  invoiceMail: [() => api.post(`${path}/invoice-mail`), "The invoice is on its way again."],
  coupon: [coupon, "The coupon is with the customer."],
  keep: [keep, ""],
};

document.querySelector("main").addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-act]");
  if (!button || button.ariaBusy === "true") return;
  const name = button.dataset.act;
  const [run, said] = ACTS[name];
  button.ariaBusy = "true";
  try {
    const thread = await run();
    if (!thread?.ticket) return;
    show(thread);
    document.querySelector(`[data-act="${name}"]`)?.focus();
    toast(said);
  } catch (error) {
    if (error.status === undefined) throw error;
    if (!dealtWith(error)) toast(error.message, { seconds: 12 });
  } finally {
    button.ariaBusy = null;
  }
});

const pictures = messagePictures(part("pictures"));
handle(form, {
  send: async (values) => api.post(`${path}/messages`, { ...values, pictures: await pictures.names() }),
  done: (thread, { internal }) => {
    form.reset();
    pictures.clear();
    show(thread);
    toast(internal ? "Noted." : "Sent. The customer gets a mail.");
  },
});
loadInto(part("head"), {
  load: () => Promise.all([api.get(path), api.get("/admin/tickets/replies")]),
  show: ([thread, { items }]) => {
    canned = items;
    showCanned();
    show(thread);
  },
  skeleton: html`<div class="skeleton skeleton--title" aria-hidden="true"></div>`,
  failed: (error) => {
    if (dealtWith(error)) return null;
    return error.status === 404 ? emptyState({ level: 1, title: "There is no such ticket", text: "Perhaps its customer was erased.", actions: [{ label: "All tickets", href: "/admin/tickets" }] }) : failedState(error, "The ticket could not be loaded");
  },
});

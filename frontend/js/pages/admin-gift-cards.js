import { api, shop } from "../lib/api.js";
import { html } from "../lib/html.js";
import { dateTime, digitsOf, minorOf, money } from "../lib/format.js";
import { ask } from "../components/ask-dialog.js";
import { showDetail } from "../components/detail-dialog.js";
import { stateBadge, stateWords } from "../components/order-states.js";
import { proved } from "../components/password-dialog.js";
import { dealtWith, staff } from "../components/staff.js";
import { emptyState } from "../components/states.js";
import { toast } from "../components/toast-stack.js";
import "../components/data-grid.js";

const TOLD = { issued: "Issued", spent: "Spent", released: "Given back: the order was not paid", refunded: "Refunded", voided: "Voided", replaced: "Moved to another code", adjusted: "Put right" };

const grid = document.querySelector("data-grid");
const mayAct = (await staff).role === "admin"; // Staff look; only an admin makes and ends what is as good as cash.

const named = ({ last_letters: letters }) => `the card that ends in ${letters}`;
const amount = (minor, { currency }) => money(minor, currency);
const decimal = (minor, { currency }) => minor / 10 ** digitsOf(currency);

// ---- what came onto a card and went off it

const movement = (card) => ({ at, amount_minor: minor, reason, note, order_number: order, actor }) => html`<tr>
  <td class="nowrap">${dateTime(at)}</td><td>${TOLD[reason] ?? reason}${order && html` <a href="/admin/orders/${order}">${order}</a>`}${note && html`<br><span class="soft">${note}</span>`}</td>
  <td>${actor ?? html`<span class="soft">the shop</span>`}</td><td class="table__amount">${minor > 0 && "+"}${amount(minor, card)}</td></tr>`;

const ledger = (card, { items }) => html`<p>${stateBadge(card.status)} <strong class="figures">${amount(card.balance_minor, card)}</strong> of ${amount(card.initial_minor, card)} is left${card.replaced_by && html`; what was left went to the card that ends in <strong>${card.replaced_by}</strong>`}.</p>
  <table class="table small"><thead><tr><th scope="col">When</th><th scope="col">What</th><th scope="col">Who</th><th scope="col" class="table__amount">Amount</th></tr></thead><tbody>${items.map(movement(card))}</tbody></table>`;

const showLedger = (card) => showDetail({
  title: `The card that ends in ${card.last_letters}`, failed: "The ledger could not be loaded",
  load: () => api.get(`/admin/gift-cards/${card.id}/movements`),
  show: (answer) => ledger(card, answer),
});

// ---- acts

const field = (name, label, control, hint = "") => html`<div class="field"><label class="field__label" for="${name}">${label}</label>${control}${hint && html`<p class="field__hint" id="${name}-hint">${hint}</p>`}</div>`;
const emailField = (value = "") => field("email", "Their e-mail", html`<input class="field__input" id="email" name="email" type="email" value="${value}" maxlength="254" required autocomplete="off" data-missing="Enter where the code goes." data-invalid="Enter an e-mail address like name@example.com.">`);
const reasonField = (hint) => field("reason", "Why", html`<input class="field__input" id="reason" name="reason" maxlength="200" required autocomplete="off" aria-describedby="reason-hint" data-missing="Say why, for the ledger.">`, hint);

async function issue() {
  const { currency } = await shop();
  const key = crypto.randomUUID();
  const card = await ask({
    title: "Give a gift card", wide: true, action: "Send the card",
    text: "Its code goes to them by mail and is shown nowhere else, here neither: the shop keeps no copy. Should the mail be lost, replace the card.",
    fields: html`<div class="field-row">${field("amount", `Amount in ${currency}`, html`<input class="field__input" id="amount" name="amount" inputmode="decimal" maxlength="12" required autocomplete="off" data-decimals="${digitsOf(currency)}" data-missing="Enter what it is worth." data-invalid="Enter an amount like 50.">`)}${emailField()}</div>
      ${field("message", html`A word to go with it <span class="field__optional">(optional)</span>`, html`<textarea class="field__input" id="message" name="message" maxlength="500" rows="3"></textarea>`)}`,
    send: ({ amount: text, email, message = "" }) => proved(() => api.post("/admin/gift-cards", { amount_minor: minorOf(text, currency), email, message }, { key })),
  });
  if (!card) return;
  await grid.load();
  toast(`A card of ${amount(card.initial_minor, card)} is on its way to ${card.email}.`);
}

async function replace(card) {
  const key = crypto.randomUUID();
  const made = await ask({
    title: `Replace ${named(card)}`, wide: true, action: "Send a new code",
    text: `A mail with a code cannot be sent again, since the shop keeps no copy of it. Instead the old code ends, and a new one with the same ${amount(card.balance_minor, card)} goes out at once.`,
    fields: html`${emailField(card.email)}${reasonField("Stands in the ledger of both cards.")}`,
    send: ({ email, reason }) => proved(() => api.post(`/admin/gift-cards/${card.id}/replacement`, { email, reason }, { key })),
  });
  if (!made) return;
  await grid.load();
  toast(`A new code for ${amount(made.balance_minor, made)} is on its way to ${made.email}.`);
}

async function end(card) {
  const ended = await ask({
    title: `Void ${named(card)}?`, danger: true, action: "Void it", typed: card.last_letters,
    text: `${amount(card.balance_minor, card)} is left on it and is gone then. This cannot be taken back.`,
    fields: reasonField("Stands in the card's ledger."),
    send: ({ reason }) => proved(() => api.post(`/admin/gift-cards/${card.id}/voiding`, { reason })),
  });
  if (!ended) return;
  grid.update(ended);
  toast("The card is voided.");
}

/** What the shop refuses outside of a dialog is said in passing. */
async function told(act) {
  try {
    await act();
  } catch (error) {
    if (error.status === undefined) throw error;
    if (!dealtWith(error)) toast(error.message, { seconds: 12 });
  }
}

const replaceable = ({ status, balance_minor: left }) => mayAct && (status === "active" || (status === "voided" && left > 0));
const endable = ({ status }) => mayAct && ["active", "expired"].includes(status);

const issuing = document.querySelector("[data-issue]");
if (issuing) issuing.hidden = !mayAct;
issuing?.addEventListener("click", () => told(issue));
grid?.addEventListener("click", ({ target }) => {
  const card = grid.rowOf(target);
  if (target.closest("[data-ledger]")) showLedger(card);
  if (target.closest("[data-replace]")) told(() => replace(card));
  if (target.closest("[data-void]")) told(() => end(card));
});

grid?.start({
  path: "/admin/gift-cards",
  name: named,
  cells: {
    last_letters: (card) => html`<button class="grid__link link-button" type="button" data-ledger aria-haspopup="dialog"><span class="grid__text figures"><span aria-hidden="true">···· </span>${card.last_letters}</span><span class="visually-hidden">: ledger of ${named(card)}</span></button>`,
    status: ({ status, balance_minor: left }) => html`${stateBadge(status)}${status === "voided" && left > 0 && html` <span class="badge badge--warning">Money came back</span>`}`,
    balance_minor: (card) => amount(card.balance_minor, card),
    initial_minor: (card) => html`<span class="soft">${amount(card.initial_minor, card)}</span>`,
    email: ({ email }) => email || html`<span class="soft">erased</span>`,
    order_number: ({ order_number: order }) => (order ? html`<a class="figures" href="/admin/orders/${order}">${order}</a>` : html`<span class="soft">given</span>`),
    acts: (card) => html`<span class="grid__acts-cell">${replaceable(card) && html`<button class="button button--quiet button--small" type="button" data-replace>Replace<span class="visually-hidden"> ${named(card)}</span></button>`}
      ${endable(card) && html`<button class="button button--plain button--small" type="button" data-void>Void<span class="visually-hidden"> ${named(card)}</span></button>`}</span>`,
  },
  texts: { status: ({ status }) => stateWords(status), balance_minor: (card) => decimal(card.balance_minor, card), initial_minor: (card) => decimal(card.initial_minor, card), acts: () => "" },
  nothing: emptyState({ title: "No gift cards yet", text: "Cards that shoppers buy are listed here once they are paid, and so are those that you give." }),
});

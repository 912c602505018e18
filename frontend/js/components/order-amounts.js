import { html, icon, render } from "../lib/html.js";
import { money } from "../lib/format.js";
import { productPicture } from "./product-card.js";
import { optionWords } from "./cart-lines.js";

/** €5.00, and −€5.00 with a real minus. */
const signed = (amount, currency) => money(amount, currency).replace("-", "−");

const row = ({ step, text, amount_minor: amount }, currency) => html`<div class="amounts__row ${["total", "due"].includes(step) && html`amounts__row--total`} ${step.startsWith("tax_inc") && html`amounts__row--soft`}">
  <dt>${text}</dt><dd>${amount === 0 && step === "shipping" ? "Free" : signed(amount, currency)}</dd></div>`;

/** What something costs, step by step, as the server reckoned it: included tax stands below the total that includes it. @param {{explanation: object[], currency: string}} quote */
export function amounts({ explanation, currency }) {
  const included = explanation.filter(({ step }) => step === "tax_included");
  const steps = [...explanation.filter(({ step }) => step !== "tax_included"), ...included];
  return html`<dl class="amounts" data-amounts>${steps.map((step) => row({ ...step, text: step.step === "goods" ? `Goods, ${step.text}` : step.text.replace(/, free$/, "") }, currency))}</dl>`;
}

const SENTENCES = {
  goods: (text) => `${text} together`,
  discount: (text) => `${text}, taken off the goods`,
  shipping: (text) => text.replace(/, free$/, ""),
  tax: (text) => `${text}, added`,
  total: () => "That is the total",
  gift_card: () => "Paid by your gift card",
  due: () => "Left for you to pay",
};

const MOVES = ["discount", "shipping", "tax"];

/** Every step in words, and after what is added or taken off, what that makes. */
function arithmetic({ explanation, currency }, lines) {
  const rows = lines.map((line) => ({ words: `${line.quantity} × ${line.title}${line.options && optionWords(line.options) ? `, ${optionWords(line.options)}` : ""}, at ${money(line.price_minor, currency)}`, amount: line.line_minor }));
  let sum = 0;
  for (const { step, text, amount_minor: amount } of explanation) {
    if (step === "tax_included") continue;
    const moves = MOVES.includes(step);
    sum = moves ? sum + amount : amount;
    if (step === "goods" && lines.length === 1) continue;
    rows.push({ words: SENTENCES[step](text), amount, makes: moves && amount !== 0 && sum, free: step === "shipping" && amount === 0, strong: ["total", "due"].includes(step) });
  }
  return rows;
}

const taxWords = ({ explanation, currency, prices_include_tax: included }) => (included
  ? explanation.filter(({ step }) => step === "tax_included").map(({ text, amount_minor: amount }) => `In the total there is ${money(amount, currency)} of tax (${text.replace("of which tax ", "")}). It is part of the prices and not added to them.`)
  : []);

/**
 * "How this total is made up": the arithmetic of the total, line by line in words; printed whether it is open or not.
 * @param {{explanation: object[], currency: string, prices_include_tax: boolean}} quote a quote or an order
 * @param {object[]} lines
 */
export const explained = (quote, lines) => html`<details class="disclosure explained" data-explained><summary class="disclosure__summary small">How this total is made up ${icon("chevron-down")}</summary>
  <div class="disclosure__body">${inWords(quote, lines)}</div></details>`;

/** Draw a summary anew: who has opened its arithmetic goes on seeing it. @param {Element} place @param {import("../lib/html.js").Markup} markup */
export function drawSummary(place, markup) {
  const open = place.querySelector("[data-explained]")?.open;
  render(place, markup);
  if (open) place.querySelector("[data-explained]").open = true;
}

/** The same without its disclosure. @param {object} quote @param {object[]} lines */
export const inWords = (quote, lines) => html`<ol class="explained__steps">${arithmetic(quote, lines).map(({ words, amount, makes = false, free, strong }) => html`<li class="explained__step ${strong && html`explained__step--total`}">
    <span>${words}${makes !== false && html`<span class="explained__makes">makes ${money(makes, quote.currency)}</span>`}</span><span class="explained__amount">${free ? "Free" : signed(amount, quote.currency)}</span></li>`)}</ol>
  ${taxWords(quote).map((words) => html`<p class="explained__note">${words}</p>`)}`;

/** Goods in a summary: picture with count, name, amount. @param {object[]} lines @param {string} currency @param {{linked?: boolean}} [how] */
export const summaryLines = (lines, currency, { linked = false } = {}) => html`<ul class="order-summary__lines">${lines.map((line) => html`<li class="order-summary__line">
  <div class="order-summary__picture">${productPicture(line.image, { alt: "", sizes: "3.5rem" })}<span class="order-summary__count"><span class="visually-hidden">Quantity </span>${line.quantity}</span></div>
  <div>${linked && line.slug ? html`<a href="/products/${line.slug}">${line.title}</a>` : line.title}<span class="order-summary__options">${optionWords(line.options)}</span></div>
  <div class="figures nowrap">${money(line.line_minor, currency)}</div>
</li>`)}</ul>`;

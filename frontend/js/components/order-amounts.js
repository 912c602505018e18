import { html } from "../lib/html.js";
import { money } from "../lib/format.js";
import { productPicture } from "./product-card.js";
import { optionWords } from "./cart-lines.js";

const row = ({ step, text, amount_minor: amount }, currency) => html`<div class="amounts__row ${["total", "due"].includes(step) && html`amounts__row--total`} ${step.startsWith("tax_inc") && html`amounts__row--soft`}">
  <dt>${text}</dt><dd>${amount === 0 && step === "shipping" ? "Free" : money(amount, currency)}</dd></div>`;

/** What something costs, step by step, as the server reckoned it: included tax stands below the total that includes it. @param {{explanation: object[], currency: string}} quote */
export function amounts({ explanation, currency }) {
  const included = explanation.filter(({ step }) => step === "tax_included");
  const steps = [...explanation.filter(({ step }) => step !== "tax_included"), ...included];
  return html`<dl class="amounts" data-amounts>${steps.map((step) => row({ ...step, text: step.step === "goods" ? `Goods, ${step.text}` : step.text.replace(/, free$/, "") }, currency))}</dl>`;
}

/** The arithmetic of each line, for who wants to check it. @param {object[]} lines @param {string} currency */
export const lineArithmetic = (lines, currency) => html`<ul class="stack stack--tight small figures">${lines.map((line) => html`<li class="cluster cluster--between">
  <span>${line.quantity} × ${line.title} at ${money(line.price_minor, currency)}</span><span>${money(line.line_minor, currency)}</span></li>`)}</ul>`;

/** Goods in a summary: picture with count, name, amount. @param {object[]} lines @param {string} currency @param {{linked?: boolean}} [how] */
export const summaryLines = (lines, currency, { linked = false } = {}) => html`<ul class="order-summary__lines">${lines.map((line) => html`<li class="order-summary__line">
  <div class="order-summary__picture">${productPicture(line.image, { alt: "", sizes: "3.5rem" })}<span class="order-summary__count"><span class="visually-hidden">Quantity </span>${line.quantity}</span></div>
  <div>${linked && line.slug ? html`<a href="/products/${line.slug}">${line.title}</a>` : line.title}<span class="order-summary__options">${optionWords(line.options)}</span></div>
  <div class="figures nowrap">${money(line.line_minor, currency)}</div>
</li>`)}</ul>`;

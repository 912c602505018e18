// Which pieces of an order an act is about, and the question before money is returned, for whatever page of the admin area asks it.
import { api } from "../lib/api.js";
import { digitsOf, minorOf, money } from "../lib/format.js";
import { html } from "../lib/html.js";
import { ask } from "./ask-dialog.js";
import { proved } from "./password-dialog.js";

export const named = ({ title, options }) => [title, options].filter(Boolean).join(", ");

export const field = (name, label, control, optional = true) => html`<div class="field"><label class="field__label" for="${name}">${label}${optional && html` <span class="field__optional">(optional)</span>`}</label>${control}</div>`;

/**
 * Fields for how many pieces of each line.
 * @param {object[]} items of the order, which have the names
 * @param {{id: number}[]} lines
 * @param {string} legend
 * @param {(line: object) => number} most
 * @param {(line: object) => number} [value] at first
 */
export const quantities = (items, lines, legend, most, value = most) => html`<fieldset class="desk-quantities"><legend class="field__label">${legend}</legend>${lines.map((line) => html`<div class="desk-quantities__line"><label for="piece-${line.id}">${named(items.find(({ id }) => id === line.id))} <span class="soft">of ${most(line)}</span></label>
  <input class="field__input matrix__figure" id="piece-${line.id}" name="pieces.${line.id}" type="number" min="0" max="${most(line)}" step="1" value="${value(line)}" required data-invalid="Enter 0 to ${most(line)}."></div>`)}</fieldset>`;

export const chosen = (values) => Object.entries(values.pieces ?? {}).filter(([, quantity]) => quantity > 0).map(([id, quantity]) => ({ item_id: Number(id), quantity }));

/**
 * Return money for pieces of an order; gives the order as it is then, or null when one thought better of it.
 * @param {object} desk what /admin/orders/<number> tells
 * @param {{title?: string, lines?: object[], most?: (line: object) => number, value?: (line: object) => number, returnId?: number | null}} [what]
 */
export function askForRefund(desk, { title = "Return money", lines = desk.lines.filter(({ left_to_refund: left }) => left > 0), most = ({ left_to_refund: left }) => left, value = () => 0, returnId = null } = {}) {
  const { order: { number, currency, items, total_minor: total, refunded_minor: refunded, fulfilment_status: sent }, delivery_left_minor: delivery } = desk;
  const key = crypto.randomUUID();
  const cash = (minor) => money(minor, currency);
  const unsentNote = sent === "unfulfilled" ? " Nothing was shipped yet: refunding every item also refunds shipping and cancels the order." : "";
  const decimal = (minor) => (minor / 10 ** digitsOf(currency)).toFixed(digitsOf(currency));
  return ask({
    title, wide: true, action: "Return the money", danger: true,
    text: `What was paid comes back the way it came, less the discounts. ${cash(refunded)} of ${cash(total)} was returned so far.${unsentNote}`,
    fields: html`${quantities(items, lines, "For which pieces", most, value)}
      ${!returnId && html`<label class="choice"><input class="choice__input" type="checkbox" name="restock" ${sent === "unfulfilled" && html`checked`}><span class="choice__text">Put them back on the shelf</span></label>`}
      ${delivery > 0 && field("shipping", `Of the delivery, at most ${cash(delivery)}`, html`<input class="field__input matrix__figure" id="shipping" name="shipping" inputmode="decimal" maxlength="12" placeholder="${decimal(0)}" data-decimals="${digitsOf(currency)}" autocomplete="off" data-invalid="Enter an amount like ${decimal(490)}.">`)}
      ${field("reason", "What the buyer reads", html`<input class="field__input" id="reason" name="reason" maxlength="200" autocomplete="off">`)}`,
    send: ({ restock = false, shipping = "0", reason = "", ...values }) => proved(() => api.post(`/admin/orders/${number}/refunds`, {
      items: chosen(values).map((piece) => ({ ...piece, restock })), shipping_minor: minorOf(shipping, currency), reason, ...(returnId ? { return_id: returnId } : {}),
    }, { key })),
  });
}

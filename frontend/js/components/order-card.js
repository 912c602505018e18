import { html } from "../lib/html.js";
import { date, money, plural } from "../lib/format.js";
import { productPicture } from "./product-card.js";

const PICTURES = 4;

/**
 * Where an order stands, in one or two words, and how glad one may be about it.
 * @param {{status: string, payment_status: string, fulfilment_status: string}} order
 * @returns {{words: string, tone: "good" | "warning" | "soft"}}
 */
export function orderState({ status, payment_status: payment, fulfilment_status: fulfilment }) {
  if (status === "cancelled") return { words: "Cancelled", tone: "soft" };
  if (status === "expired") return { words: "Expired, not paid", tone: "soft" };
  if (payment === "refunded") return { words: "Refunded", tone: "soft" };
  if (status === "pending") return { words: "Waiting for your payment", tone: "warning" };
  if (status === "completed" || fulfilment === "delivered") return { words: "Delivered", tone: "soft" };
  if (fulfilment === "shipped") return { words: "On its way", tone: "good" };
  if (fulfilment === "partly_shipped") return { words: "Partly on its way", tone: "good" };
  return { words: "Being packed", tone: "good" };
}

function titles(items) {
  const names = [...new Set(items.map((item) => item.title))];
  if (names.length < 3) return names.join(" and ");
  return `${names.slice(0, 2).join(", ")} and ${names.length - 2} more`;
}

function pictures(items) {
  const shown = items.slice(0, items.length > PICTURES ? PICTURES - 1 : PICTURES);
  return html`<div class="order-card__pictures" aria-hidden="true">${shown.map((item) => html`<span class="order-card__picture">${productPicture(item.image, { alt: "" })}</span>`)}
    ${items.length > shown.length && html`<span class="order-card__rest">+${items.length - shown.length}</span>`}</div>`;
}

/** An order in a list: what was in it, when, how it stands. @param {object} order @param {{level?: 2 | 3}} [how] */
export function orderCard(order, { level = 2 } = {}) {
  const { words, tone } = orderState(order);
  const link = html`<a class="order-card__link" href="/orders/${order.number}">${titles(order.items)}</a>`;
  return html`<li class="order-card">
    ${pictures(order.items)}
    <div class="order-card__text">
      ${level === 2 ? html`<h2 class="order-card__title">${link}</h2>` : html`<h3 class="order-card__title">${link}</h3>`}
      <p class="order-card__facts">${date(order.placed_at)} · <span class="nowrap">${plural(order.count, "item")}</span></p>
      <p class="order-card__facts">Order <span class="order-card__number">${order.number}</span></p>
    </div>
    <p class="order-card__state"><span class="badge badge--${tone}">${words}</span></p>
    <p class="order-card__total">${money(order.total_minor, order.currency)}</p>
  </li>`;
}

/** The shape of some orders while they load. @param {number} count */
export const orderSkeletons = (count) => html`<ul class="order-cards" aria-hidden="true">${Array.from({ length: count }, () => html`<li class="order-card">
  <div class="order-card__pictures"><span class="order-card__picture skeleton"></span><span class="order-card__picture skeleton"></span></div>
  <div class="order-card__text"><div class="skeleton skeleton--line w-60"></div><div class="skeleton skeleton--line w-40"></div><div class="skeleton skeleton--line w-40"></div></div>
</li>`)}</ul>`;

// The three states of an order and its other words, for the admin area.
import { html } from "../lib/html.js";

const WORDS = {
  pending: ["Waiting for money", "warning"], placed: ["Placed", "accent-soft"], completed: ["Completed", "good"], cancelled: ["Cancelled", "soft"], expired: ["Expired", "soft"],
  unpaid: ["Not paid", "warning"], paid: ["Paid", "good"], partly_refunded: ["Partly refunded", "soft"], refunded: ["Refunded", "soft"],
  unfulfilled: ["To be sent", "warning"], partly_shipped: ["Partly sent", "warning"], shipped: ["Sent", "good"], delivered: ["Delivered", "good"],
  requested: ["Waiting for you", "warning"], approved: ["Approved", "good"], rejected: ["Rejected", "soft"], received: ["Received", "good"],
  done: ["Done", "good"], failed: ["Failed", "danger"], abandoned: ["Given up", "soft"],
  unwanted: ["Fits no order", "danger"], returned: ["Sent back", "soft"],
  active: ["Active", "good"], empty: ["Empty", "soft"], voided: ["Voided", "soft"], replaced: ["Replaced", "soft"],
};

/** What a state is called. @param {string} state */
export const stateWords = (state) => WORDS[state]?.[0] ?? state.replaceAll("_", " ");

/** A state as a badge. @param {string} state */
export const stateBadge = (state) => html`<span class="badge badge--${WORDS[state]?.[1] ?? "soft"}">${stateWords(state)}</span>`;

export const METHODS = { cash_on_delivery: "Cash on delivery", bank_transfer: "Bank transfer", stripe: "Card", test: "Test payment" };

export const REASONS = {
  too_small: "Too small", too_large: "Too large", not_as_described: "Not as described", damaged: "Damaged or faulty", wrong_thing: "Not what I ordered", changed_my_mind: "Changed my mind", other: "Another reason",
};

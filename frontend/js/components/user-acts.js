// What an admin does to accounts, one or many: the questions before it, and the words for what they are.
import { api } from "../lib/api.js";
import { plural } from "../lib/format.js";
import { html, icon } from "../lib/html.js";
import { ask } from "./ask-dialog.js";
import { proved } from "./password-dialog.js";

export const ROLES = { customer: "Customer", staff: "Staff", admin: "Admin" };
const STATES = { active: ["Active", "good"], blocked: ["Blocked", "danger"], deactivated: ["Deactivated", "soft"] };
const stateOf = ({ status, blocked_until: until }) => (until && status === "active" ? "blocked" : status);

export const userState = (user) => STATES[stateOf(user)][0];
export const userBadge = (user) => html`<span class="badge badge--${STATES[stateOf(user)][1]}">${userState(user)}</span>`;
export const fullName = ({ first_name: first, last_name: last }) => [first, last].filter(Boolean).join(" ");

const field = (name, label, control, hint) => html`<div class="field"><label class="field__label" for="${name}">${label}</label>${control}${hint && html`<p class="field__hint" id="${name}-hint">${hint}</p>`}</div>`;

export const roleField = (chosen) => field("role", "Role", html`<span class="select"><select class="field__input" id="role" name="role" autocomplete="off" aria-describedby="role-hint">${Object.entries(ROLES).map(([value, text]) => html`<option value="${value}" ${value === chosen && html`selected`}>${text}</option>`)}</select>${icon("chevron-down")}</span>`, "Staff see products, orders and tickets; admins see and do everything.");

/** The next day at nine, as an input of type datetime-local has it. */
function tomorrow() {
  const at = new Date(Date.now() + 86_400_000);
  at.setHours(9, 0, 0, 0);
  return new Date(at - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** Ask until when and why. @param {string} whom @param {(block: {blocked_until: string, block_reason: string}) => Promise<any>} [send] */
export const askBlock = (whom, send = async (block) => block) => ask({
  title: `Block ${whom}?`, action: "Block", danger: true, text: "They are signed out at once and told by mail until when and why. It is lifted by itself.",
  fields: html`${field("blocked_until", "Until", html`<input class="field__input" id="blocked_until" name="blocked_until" type="datetime-local" value="${tomorrow()}" required autocomplete="off" data-missing="Choose a day and time.">`)}
    ${field("block_reason", "Reason, as they read it", html`<input class="field__input" id="block_reason" name="block_reason" maxlength="500" required autocomplete="off" data-missing="Say why: the person is told.">`)}`,
  send: ({ blocked_until: until, block_reason: reason }) => send({ blocked_until: new Date(until).toISOString(), block_reason: reason }),
});

/** Ask before accounts are erased for good. @param {string} whom @param {string} typed @param {() => Promise<any>} [send] */
export const askErasure = (whom, typed, send) => ask({
  title: `Erase ${whom}?`, action: "Erase for good", danger: true, typed, send,
  text: "Addresses, devices, tickets, reviews and mails go for ever, and they are told by mail. Orders stay in the books without the person; those not sent yet are cancelled. This cannot be taken back.",
});

/** Make an account for somebody; gives it, or null. */
export const invite = () => ask({
  title: "New account", action: "Send the invitation", text: "A mail asks them to choose their own password. Nobody else ever knows it.",
  fields: html`${field("username", "Username", html`<input class="field__input" id="username" name="username" minlength="3" maxlength="32" autocomplete="off" autocapitalize="none" spellcheck="false" required data-missing="Enter a username.">`)}
    ${field("email", "E-mail", html`<input class="field__input" id="email" name="email" type="email" maxlength="254" autocomplete="off" required data-missing="Enter an address." data-invalid="Enter an e-mail address like name@example.com.">`)}
    ${roleField("customer")}`,
  send: (values) => proved(() => api.post("/admin/users", values)),
});

export const accounts = (count) => plural(count, "account");

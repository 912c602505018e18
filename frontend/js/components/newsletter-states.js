// The states of a newsletter.
import { html } from "../lib/html.js";

export const NEWSLETTER_STATES = { draft: "Draft", sending: "On its way", paused: "Paused", sent: "Sent" };
const LOOKS = { draft: "soft", sending: "warning", paused: "danger", sent: "good" };

/** @param {"draft"|"sending"|"paused"|"sent"} status */
export const newsletterBadge = (status) => html`<span class="badge badge--${LOOKS[status]}">${NEWSLETTER_STATES[status]}</span>`;

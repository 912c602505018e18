// The states of a ticket, as each side of the counter calls them.
import { html } from "../lib/html.js";
import { sentPictures } from "./message-pictures.js";

const LOOKS = { open: "warning", waiting: "good", closed: "soft" };
export const FOR_CUSTOMERS = { open: "With us", waiting: "Answered", closed: "Closed" };
export const FOR_STAFF = { open: "Open", waiting: "Waiting for the customer", closed: "Closed" };

/** @param {"open"|"waiting"|"closed"} status @param {Record<string, string>} words */
export const ticketBadge = (status, words) => html`<span class="badge badge--${LOOKS[status]}">${words[status]}</span>`;

/** @param {"open"|"done"} status of a message by the contact form */
export const messageBadge = (status) => html`<span class="badge badge--${status === "open" ? "warning" : "soft"}">${status === "open" ? "Open" : "Done"}</span>`;

/** One message of a thread. @param {{own: boolean, note?: boolean, who: string, when: string, body: string, pictures?: {path: string, width: number, height: number}[]}} one */
export const message = ({ own, note = false, who, when, body, pictures = [] }) => html`<li class="message ${own && "message--own"} ${note && "message--note"}"><p class="message__who">${who}, ${when}</p><div class="message__body">${body}</div>${sentPictures(pictures)}</li>`;

// A code was mailed: what the pages on both sides of the mail share. The challenge stays in this tab and out of addresses and histories.
import { api, shop } from "../lib/api.js";
import { html, icon, render } from "../lib/html.js";

/** @typedef {"register" | "reset"} Purpose */
/** @typedef {{challenge: string, email?: string, next?: string, sentAt: number}} Sent */

const WAIT = 60_000;
const keyOf = (purpose) => `code:${purpose}`;

/** @param {Purpose} purpose @param {{challenge: string, email?: string, next?: string}} sent */
export const keepSent = (purpose, sent) => sessionStorage.setItem(keyOf(purpose), JSON.stringify({ sentAt: Date.now(), ...sent }));

/** @param {Purpose} purpose */
export const forgetSent = (purpose) => sessionStorage.removeItem(keyOf(purpose));

/** What was sent and still waits for its code, or null; a ?challenge= moves from the address into the tab. @param {Purpose} purpose @returns {Sent | null} */
export function sentCode(purpose) {
  const query = new URLSearchParams(location.search);
  const challenge = query.get("challenge");
  if (challenge) {
    keepSent(purpose, { challenge, sentAt: 0 });
    query.delete("challenge");
    history.replaceState(history.state, "", location.pathname + (query.size ? `?${query}` : ""));
  }
  return JSON.parse(sessionStorage.getItem(keyOf(purpose)) ?? "null");
}

/** On a shop that only writes its mails to files: where they can be read. @param {Element} place */
export async function showMailbox(place) {
  const { features } = await shop().catch(() => ({ features: {} }));
  if (!features.mailbox) return;
  render(place, html`<p class="alert">${icon("mail")}<span class="alert__text">This shop has no mail server yet and keeps its mails on this machine.
    <a href="/dev/mail" target="_blank">Read them here<span class="visually-hidden"> (opens in a new tab)</span></a></span></p>`);
}

/** A button that sends another code, once a minute has passed since the last one. @param {Element} place @param {Purpose} purpose */
export function offerResend(place, purpose) {
  render(place, html`<button class="link-button" type="button">Send another code</button><p class="small" role="status"></p>`);
  const button = place.querySelector("button");
  const told = place.querySelector("[role=status]");
  let timer;

  function count() {
    clearTimeout(timer);
    const sent = sentCode(purpose);
    if (!sent) return; // The code was entered, and the page is about to be left.
    const left = Math.ceil((sent.sentAt + WAIT - Date.now()) / 1000);
    button.textContent = left > 0 ? `Send another code in ${left} s` : "Send another code";
    button.ariaDisabled = left > 0 ? "true" : null;
    if (left > 0) timer = setTimeout(count, 1000);
  }

  async function resend() {
    told.textContent = "";
    if (button.ariaDisabled) return void (told.textContent = "The last one may still be on its way. Please wait a moment.");
    if (button.ariaBusy) return;
    button.ariaBusy = "true";
    try {
      await api.post("/auth/resend", { challenge: sentCode(purpose).challenge });
      keepSent(purpose, { ...sentCode(purpose), sentAt: Date.now() });
      told.textContent = "Another code is on its way. The former one stays good, too.";
      count();
    } catch (error) {
      if (error.status === undefined) throw error;
      told.textContent = error.fields.challenge?.[0] ?? error.message;
    } finally {
      button.ariaBusy = null;
    }
  }

  button.addEventListener("click", resend);
  document.addEventListener("visibilitychange", count); // Timers sleep in a tab behind others.
  count();
}

import { append, html, icon } from "../lib/html.js";

const stack = () => document.querySelector("toast-stack");

/**
 * Say something in passing at the foot of the page. With an action it stays at least ten seconds and while the pointer or focus is on it.
 * @param {string} text
 * @param {{action?: {label: string, run: () => void}, seconds?: number}} [how]
 */
export function toast(text, { action, seconds = action ? 12 : 5 } = {}) {
  const shown = append(stack(), html`<div class="toast">
    <p class="toast__text">${text}</p>
    ${action && html`<button class="toast__action" type="button" data-act>${action.label}</button>`}
    <button class="toast__close" type="button" data-dismiss>${icon("close")}<span class="visually-hidden">Dismiss</span></button>
  </div>`);
  const close = () => shown.remove();
  let timer = setTimeout(close, seconds * 1000);
  const hold = () => clearTimeout(timer);
  const release = () => { hold(); timer = setTimeout(close, seconds * 1000); };
  shown.addEventListener("pointerenter", hold);
  shown.addEventListener("pointerleave", release);
  shown.addEventListener("focusin", hold);
  shown.addEventListener("focusout", release);
  shown.querySelector("[data-dismiss]").addEventListener("click", close);
  shown.querySelector("[data-act]")?.addEventListener("click", () => { hold(); close(); action.run(); });
  const crowd = stack().querySelectorAll(".toast");
  if (crowd.length > 3) crowd[0].remove();
  return close;
}

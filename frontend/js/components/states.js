import { html, picture, render } from "../lib/html.js";

const SKELETON_AFTER = 200;

/**
 * What a view shows when there is nothing: why, and one thing to do.
 * @param {{title: string, text: string, image?: string, actions?: {label: string, href: string}[], level?: 1|2}} what
 */
export const emptyState = ({ title, text, image, actions = [], level = 2 }) => html`<section class="empty-state">
  ${image && html`<img class="empty-state__picture" src="${picture(image)}" alt="" width="480" height="360">`}
  <div class="empty-state__text">
    ${level === 1 ? html`<h1>${title}</h1>` : html`<h2>${title}</h2>`}
    <p>${text}</p>
    ${actions.length > 0 && html`<div class="empty-state__actions">${actions.map((action, i) => html`<a class="button ${i ? "button--quiet" : ""}" href="${action.href}">${action.label}</a>`)}</div>`}
  </div>
</section>`;

/** A view that failed: what happened in the server's words, the reference, and a way to try again. @param {import("../lib/api.js").ApiError} error */
export const failedState = (error, title = "This could not be loaded") => html`<section class="empty-state" role="alert">
  <div class="empty-state__text">
    <h2>${error.code === "offline" ? "You are offline" : title}</h2>
    <p>${error.message}</p>
    ${error.requestId && html`<p class="empty-state__reference">Reference: <code>${error.requestId}</code></p>`}
    <div class="empty-state__actions"><button class="button" type="button" data-retry>Try again</button></div>
  </div>
</section>`;

/** A part of a page that failed while the rest stands. @param {import("../lib/api.js").ApiError} error @param {string} what */
export const failedPart = (error, what) => html`<div class="alert alert--warning" role="alert"><div class="alert__text">
  <p class="alert__title">${what}</p><p>${error.message}</p><button class="link-button" type="button" data-retry>Try again</button>
</div></div>`;

// Browsers announce the network a moment before requests can use it.
const ONLINE_DELAY_MS = 500;

/**
 * Run a function once the browser is online again.
 * @param {() => void} retry
 * @returns {() => void} cancels it
 */
export function onceOnline(retry) {
  let timer;
  const wait = () => { timer = setTimeout(retry, ONLINE_DELAY_MS); };
  window.addEventListener("online", wait, { once: true });
  return () => { window.removeEventListener("online", wait); clearTimeout(timer); };
}

/**
 * Load something into a place: the skeleton appears after 200 ms, then what came, or what went wrong with a button to try again.
 * @template T
 * @param {Element} place
 * @param {object} how
 * @param {() => Promise<T>} how.load
 * @param {(answer: T) => void} how.show
 * @param {import("../lib/html.js").Markup} [how.skeleton]
 * @param {(error: import("../lib/api.js").ApiError) => import("../lib/html.js").Markup | null} [how.failed] markup with data-retry, or null when it was dealt with
 */
export async function loadInto(place, { load, show, skeleton, failed = (error) => failedState(error) }) {
  place.setAttribute("aria-busy", "true");
  const timer = skeleton && setTimeout(() => render(place, skeleton), SKELETON_AFTER);
  try {
    const answer = await load();
    clearTimeout(timer);
    place.removeAttribute("aria-busy");
    show(answer);
  } catch (error) {
    clearTimeout(timer);
    place.removeAttribute("aria-busy");
    if (error.name === "AbortError") return;
    if (error.status === undefined) throw error;
    const markup = failed(error);
    if (!markup) return;
    render(place, markup);
    const again = () => loadInto(place, { load, show, skeleton, failed });
    const cancel = error.code === "offline" ? onceOnline(again) : () => {};
    place.querySelector("[data-retry]")?.addEventListener("click", () => { cancel(); again(); });
  }
}

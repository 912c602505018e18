// What the sections of the account have in common: the way between them, and that nobody sees one who is not signed in.
import { session, signInAddress } from "../lib/api.js";
import { html, render } from "../lib/html.js";
import { failedPart, loadInto } from "./states.js";

const loads = [];
const ways = document.querySelector("[data-account-nav]");

/** Ask to sign in and come back. */
export const signIn = () => location.replace(signInAddress());

/** Whoever is signed in; who is not leaves the page. @param {{fresh?: boolean}} [options] */
async function mustBeSignedIn(options) {
  const { user } = await session(options);
  if (user) return user;
  signIn();
  return new Promise(() => {}); // The page is being left: nothing more may happen here.
}

function markWay() {
  const here = [...ways.querySelectorAll("a")].find((link) => link.pathname === location.pathname);
  here?.setAttribute("aria-current", "page");
  ways.scrollLeft = here ? here.offsetLeft - ways.clientWidth / 2 + here.offsetWidth / 2 : 0;
}

/**
 * Load a part of a section. `place` holds [data-state], where a skeleton or a failure stands, and the hidden [data-content], shown once there
 * is something. Gives what loads it anew; a page that comes back from the browser's history does so by itself.
 * @template T
 * @param {Element} place
 * @param {object} how
 * @param {(user: object) => Promise<T> | T} how.load
 * @param {(answer: T) => void} how.show
 * @param {(error: import("../lib/api.js").ApiError) => import("../lib/html.js").Markup} [how.failed]
 * @param {string} [how.what] what failed, in a sentence, when `failed` is not given
 */
export function section(place, { load, show, what, failed = (error) => failedPart(error, what) }) {
  const state = place.querySelector("[data-state]");
  const content = place.querySelector("[data-content]");
  const start = () => loadInto(state, {
    load: async () => load(await mustBeSignedIn()),
    show: (answer) => {
      render(state, html``);
      content.hidden = false;
      show(answer);
    },
    skeleton: content.hidden ? html`<div class="skeleton settings__skeleton" aria-hidden="true"></div>` : undefined,
    failed: (error) => {
      if (error.status !== 401) return failed(error);
      signIn();
      return null;
    },
  });
  if (!loads.length) window.addEventListener("pageshow", comeBack);
  loads.push(start);
  start();
  return start;
}

async function comeBack({ persisted }) {
  if (!persisted) return;
  await mustBeSignedIn({ fresh: true }).catch(() => {}); // Each part says for itself that the shop does not answer.
  for (const start of loads) start();
}

markWay();

// What the pages around signing in have in common.
import { nextAddress, session } from "../lib/api.js";

/** Where the visitor wanted to go, or their account. */
export const destination = () => nextAddress("/account");

/** The links between these pages keep the address that the visitor came for. @param {string} [next] */
export function carryNext(next = nextAddress("")) {
  if (!next) return;
  for (const link of document.querySelectorAll("[data-carry]")) link.search = new URLSearchParams({ next });
}

/** Who is signed in already has no business here, also when the page comes back from the browser's history. */
export function leaveWhenSignedIn() {
  const look = async ({ persisted = false } = {}) => {
    const { user } = await session({ fresh: persisted }).catch(() => ({ user: null })); // The form itself will say what is wrong.
    if (user) location.replace(destination());
  };
  window.addEventListener("pageshow", (event) => { if (event.persisted) look(event); });
  look();
}

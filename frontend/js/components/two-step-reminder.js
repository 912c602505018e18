// Reminds staff who sign in with a password alone of two-step sign-in, on every page of the admin.
import { session } from "../lib/api.js";
import { html, icon, render } from "../lib/html.js";
import { staff } from "./staff.js";

const DISMISSED = "two-step-reminder-dismissed";

const reminder = html`${icon("shield")}<p class="alert__text"><strong>Your account is protected by a password alone.</strong>
    Set up two-step sign-in, so that a stolen password is not enough to run this store.</p>
  <p class="cluster"><a class="button button--small" href="/account/security">Set it up</a>
    <button class="button button--plain button--small" type="button" data-dismiss>Not now</button></p>`;

async function remind() {
  await staff;
  const { totp } = await session();
  if (totp || sessionStorage.getItem(DISMISSED)) return;
  const place = document.createElement("aside");
  place.className = "alert alert--warning desk-reminder";
  place.setAttribute("aria-label", "Two-step sign-in");
  render(place, reminder);
  place.querySelector("[data-dismiss]").addEventListener("click", () => {
    sessionStorage.setItem(DISMISSED, "1"); // Until this tab is closed.
    place.remove();
    document.querySelector("main").focus();
  });
  document.querySelector("main").prepend(place);
}

remind();

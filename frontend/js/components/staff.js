// The admin area is for staff: who is not signed in is asked to, who may not see it is told so.
import { session, signInAddress } from "../lib/api.js";
import { html, render } from "../lib/html.js";
import { emptyState, failedState } from "./states.js";

const main = document.querySelector("main");

const forCustomers = (name) => emptyState({
  title: "This part is for the people who run the shop",
  text: `You are signed in as ${name}, and this account may not see it. If you work here, ask an admin to make you staff.`,
  level: 1,
  actions: [{ label: "Go to the shop", href: "/" }, { label: "Your account", href: "/account" }],
});

const secondStepNeeded = emptyState({
  title: "Set up two-step sign-in first",
  text: "This shop asks everybody who runs it for a code from their phone as well as a password. It takes a minute.",
  level: 1,
  actions: [{ label: "Set it up", href: "/account/security" }],
});

const forEver = () => new Promise(() => {});

async function ask() {
  let answer;
  try {
    answer = await session();
  } catch (error) {
    const said = failedState(error, "The admin area could not be opened");
    render(main, said);
    main.querySelector("[data-retry]").addEventListener("click", () => location.reload());
    return forEver();
  }
  const { user } = answer;
  if (user && user.role !== "customer") return user;
  if (user) render(main, html`${forCustomers(user.username)}`);
  else location.replace(signInAddress());
  return forEver();
}

/** Whoever is signed in and works here. For anybody else it never comes: the page says what is the matter. @type {Promise<object>} */
export const staff = ask();

/**
 * Deal with what the API refuses because of who one is. Gives true when it has.
 * @param {import("../lib/api.js").ApiError} error
 */
export function dealtWith(error) {
  if (error.code === "sign_in_required") location.assign(signInAddress());
  else if (error.code === "totp_required") render(main, secondStepNeeded);
  else return false;
  return true;
}

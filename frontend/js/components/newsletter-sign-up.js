// The form in the footer that asks for the newsletter.
import { api } from "../lib/api.js";
import { handle } from "../lib/form.js";
import { html, icon, render } from "../lib/html.js";

/** Make it send itself; the answer is the same for every address. @param {HTMLFormElement} form */
export function signUp(form) {
  const told = form.parentElement.querySelector("[data-letter-told]");
  handle(form, {
    send: (values) => api.post("/newsletter/subscription", values),
    done: (_, { email }) => {
      form.hidden = true;
      render(told, html`<p class="footer__letter-said">${icon("mail")}<span>Please look into your mailbox: a mail to <strong class="anywhere">${email}</strong> holds the link that signs you up.</span></p>`);
      told.focus();
    },
  });
}

// Asking for the password before something that matters, in a dialog.
import { ApiError, api, session } from "../lib/api.js";
import { handle } from "../lib/form.js";
import { append, html, icon } from "../lib/html.js";
import "./password-field.js";

const markup = ({ title, text, action, danger, typed, email }) => html`<dialog class="dialog" aria-labelledby="proof-title">
  <h2 class="panel__title" id="proof-title">${title}</h2>
  <div class="dialog__text">${text}</div>
  <form class="settings__form" method="post" novalidate data-never-keep>
    <input type="email" autocomplete="username" value="${email}" readonly hidden>
    ${typed && html`<div class="field">
      <label class="field__label" for="proof-typed">Type <span class="anywhere">${typed}</span> to go on</label>
      <input class="field__input" id="proof-typed" name="typed" autocomplete="off" autocapitalize="none" spellcheck="false" maxlength="64" required data-missing="Type ${typed}, so that we know you mean it.">
    </div>`}
    <div class="field">
      <label class="field__label" for="ask-password">Your password</label>
      <password-field class="field__with-button">
        <input class="field__input" id="ask-password" name="password" type="password" autocomplete="current-password" autocapitalize="none" spellcheck="false" maxlength="1024" required data-missing="Enter your password.">
        <button class="icon-button" type="button" hidden>${icon("eye")}<span class="visually-hidden">Show password</span></button>
      </password-field>
    </div>
    <p class="dialog__actions"><button class="button button--quiet" type="button" data-leave>Cancel</button>
      <button class="button ${danger && html`button--danger`}" type="submit">${action}</button></p>
  </form>
</dialog>`;

/**
 * Ask for the password and send it. Gives true once it was done, false when the visitor thought better of it.
 * @param {object} what
 * @param {string} what.title
 * @param {string | import("../lib/html.js").Markup} what.text
 * @param {string} what.action the words of the button
 * @param {(password: string) => Promise<unknown>} what.send refusals are shown in the dialog
 * @param {boolean} [what.danger]
 * @param {string} [what.typed] a word that must be typed as well
 * @returns {Promise<boolean>}
 */
export async function askPassword({ send, ...what }) {
  const { user } = await session().catch(() => ({ user: null })); // Only a help for password managers.
  const dialog = append(document.body, markup({ ...what, email: user?.email }));
  const form = dialog.querySelector("form");
  return new Promise((decided) => {
    handle(form, {
      send: ({ password }) => send(password),
      check: ({ typed }) => (what.typed && typed && typed !== what.typed ? { typed: `This is not ${what.typed}.` } : {}),
      done: () => dialog.close("done"),
    });
    dialog.querySelector("[data-leave]").addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      dialog.remove();
      decided(dialog.returnValue === "done");
    });
    dialog.showModal();
    form.elements[what.typed ? "typed" : "password"].focus();
  });
}

/**
 * Do what may ask for the password first: then a dialog asks, and it is done after all. Gives null when the visitor thought better of it.
 * @template T
 * @param {() => Promise<T>} act
 * @returns {Promise<T | null>}
 */
export async function proved(act) {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== "step_up_needed") throw error;
  }
  const sure = await askPassword({
    title: "Is it you?",
    text: "You signed in a while ago. Before this we ask for your password once more.",
    action: "Continue",
    send: (password) => api.post("/auth/step-up", { password }),
  });
  return sure ? act() : null;
}

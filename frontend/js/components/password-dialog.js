// Step-up authentication: a dialog asks for the password, or for a code where two-step sign-in is on.
import { ApiError, api, session } from "../lib/api.js";
import { handle } from "../lib/form.js";
import { append, html, icon } from "../lib/html.js";
import "./password-field.js";

const passwordField = html`<div class="field">
  <label class="field__label" for="ask-password">Your password</label>
  <password-field class="field__with-button">
    <input class="field__input" id="ask-password" name="password" type="password" autocomplete="current-password"
      autocapitalize="none" spellcheck="false" maxlength="1024" required data-missing="Enter your password." data-proof>
    <button class="icon-button" type="button" hidden>${icon("eye")}<span class="visually-hidden">Show password</span></button>
  </password-field>
</div>`;

const codeField = html`<div class="field">
  <label class="field__label" for="ask-code">Code from your authenticator app</label>
  <input class="field__input field__code" id="ask-code" name="totp" autocomplete="one-time-code" autocapitalize="characters"
    spellcheck="false" maxlength="32" required aria-describedby="ask-code-hint"
    data-missing="Enter the code from your app, or a recovery code." data-proof>
  <p class="field__hint" id="ask-code-hint">6 digits; each code works once. Without your phone, enter a recovery code.</p>
</div>`;

const markup = ({ title, text, action, danger, typed, email, secondFactor }) => html`<dialog class="dialog" aria-labelledby="proof-title">
  <h2 class="panel__title" id="proof-title">${title}</h2>
  <div class="dialog__text">${text}</div>
  <form class="settings__form" method="post" novalidate data-never-keep>
    <input type="email" autocomplete="username" value="${email}" readonly hidden>
    ${typed && html`<div class="field">
      <label class="field__label" for="proof-typed">Type <span class="anywhere">${typed}</span> to go on</label>
      <input class="field__input" id="proof-typed" name="typed" autocomplete="off" autocapitalize="none" spellcheck="false" maxlength="64" required data-missing="Type ${typed}, so that we know you mean it.">
    </div>`}
    ${secondFactor ? codeField : passwordField}
    <p class="dialog__actions"><button class="button button--quiet" type="button" data-leave>Cancel</button>
      <button class="button ${danger && html`button--danger`}" type="submit">${action}</button></p>
  </form>
</dialog>`;

/**
 * Ask for the password, or for a code, and send it. Resolves to true once it was sent, to false when the dialog was canceled.
 * @param {object} what
 * @param {string} what.title
 * @param {string | import("../lib/html.js").Markup} what.text
 * @param {string} what.action the label of the button
 * @param {(proof: {password?: string, totp?: string}) => Promise<unknown>} what.send errors are shown in the dialog; null leaves it open
 * @param {boolean} [what.danger]
 * @param {string} [what.typed] a word that must be typed as well
 * @param {boolean} [what.secondFactor] ask for a code instead of the password
 * @returns {Promise<boolean>}
 */
export async function askProof({ send, ...what }) {
  const { user } = await session().catch(() => ({ user: null })); // Only a help for password managers.
  const dialog = append(document.body, markup({ ...what, email: user?.email }));
  const form = dialog.querySelector("form");
  return new Promise((decided) => {
    handle(form, {
      send: ({ typed, ...proof }) => send(proof),
      check: ({ typed }) => (what.typed && typed && typed !== what.typed ? { typed: `This is not ${what.typed}.` } : {}),
      done: (answer) => { if (answer !== null) dialog.close("done"); },
    });
    dialog.querySelector("[data-leave]").addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      dialog.remove();
      decided(dialog.returnValue === "done");
    });
    dialog.showModal();
    form.querySelector("#proof-typed, [data-proof]").focus();
  });
}

const CONFIRM_PASSWORD = { title: "Confirm your password", text: "For security, please re-enter your password." };
const CONFIRM_CODE = { title: "Confirm it’s you", text: "For security, please enter a code from your authenticator app.", secondFactor: true };

/**
 * Run what may require step-up authentication: when it does, a dialog asks for the proof, and it runs again. Resolves to null when the
 * dialog was canceled.
 * @template T
 * @param {() => Promise<T>} act
 * @returns {Promise<T | null>}
 */
export async function proved(act) {
  let refusal;
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== "step_up_needed") throw error;
    refusal = error;
  }
  const sure = await askProof({
    ...(refusal.body.second_factor ? CONFIRM_CODE : CONFIRM_PASSWORD),
    action: "Continue",
    send: (proof) => api.post("/auth/step-up", proof),
  });
  return sure ? act() : null;
}

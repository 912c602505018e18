// A question before something is done, in a dialog: its fields, and for what cannot be taken back a word to type.
import { handle } from "../lib/form.js";
import { append, html } from "../lib/html.js";

/**
 * Give the answers by name, or null when one thought better of it.
 * @param {object} what
 * @param {string} what.title
 * @param {string | import("../lib/html.js").Markup} [what.text]
 * @param {import("../lib/html.js").Markup} [what.fields]
 * @param {string} what.action the words of the button
 * @param {boolean} [what.danger]
 * @param {boolean} [what.wide]
 * @param {string} [what.typed] must be typed, for what cannot be taken back
 * @param {(values: object) => Record<string, string>} [what.check] complaints by field name
 * @param {(values: object) => Promise<any>} [what.send] refusals are shown in the dialog; what it gives is given on, null keeps the dialog open
 * @returns {Promise<any>}
 */
export function ask({ title, text, fields, action, danger, wide, typed, check = () => ({}), send = async (values) => values }) {
  const dialog = append(document.body, html`<dialog class="dialog ${wide && "dialog--wide"}" aria-labelledby="ask-title">
    <h2 class="panel__title" id="ask-title">${title}</h2>
    <form class="dialog__form" method="post" novalidate>
      ${text && html`<div class="soft">${text}</div>`}
      ${fields}
      ${typed && html`<div class="field"><label class="field__label" for="ask-typed">Type <span class="anywhere">${typed}</span> to go on</label>
        <input class="field__input" id="ask-typed" name="typed" autocomplete="off" autocapitalize="none" spellcheck="false" maxlength="120" required data-missing="Type ${typed}, so that we know you mean it."></div>`}
      <p class="dialog__actions"><button class="button button--quiet" type="button" data-leave>Cancel</button>
        <button class="button ${danger && "button--danger"}" type="submit">${action}</button></p>
    </form>
  </dialog>`);
  const form = dialog.querySelector("form");
  return new Promise((decided) => {
    let answer = null;
    handle(form, {
      send,
      check: (values) => ({ ...check(values), ...(typed && values.typed && values.typed !== typed ? { typed: `This is not ${typed}.` } : {}) }),
      done: (given) => {
        if (given === null) return; // A dialog on top of this one was canceled; what was entered here stays.
        answer = given ?? true;
        dialog.close();
      },
    });
    dialog.querySelector("[data-leave]").addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => { dialog.remove(); decided(answer); });
    dialog.showModal();
    (form.querySelector("input, select, textarea") ?? form.querySelector("[type=submit]")).focus();
  });
}

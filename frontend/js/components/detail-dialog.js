// More about a row of a table, in a dialog that asks the API for it.
import { append, html, render } from "../lib/html.js";
import { dealtWith } from "./staff.js";
import { failedPart, loadInto } from "./states.js";

/**
 * Open it. `more` shows the next part below what is there.
 * @param {object} what
 * @param {string | import("../lib/html.js").Markup} what.title
 * @param {(after: string) => Promise<object>} what.load asks for the first part, or for the one after `next` of the part before
 * @param {(answer: object) => import("../lib/html.js").Markup} what.show
 * @param {string} what.failed what is said when it could not be loaded
 * @param {(name: string, id: string, answer: object) => Promise<object | null>} [what.act] what a button[data-act] does; the answer is shown instead
 */
export function showDetail({ title, load, show, failed, act }) {
  const dialog = append(document.body, html`<dialog class="dialog dialog--wide" aria-labelledby="detail-title">
    <h2 class="panel__title" id="detail-title">${title}</h2>
    <div class="ledger" role="region" aria-labelledby="detail-title" tabindex="0"><div class="stack" data-detail></div><div data-state></div></div>
    <p class="dialog__actions"><button class="button button--quiet" type="button" data-more hidden>Earlier</button><button class="button" type="button" data-close autofocus>Close</button></p>
  </dialog>`);
  const part = (name) => dialog.querySelector(`[data-${name}]`);
  let now;
  const add = (answer) => {
    now = answer;
    render(part("state"), html``);
    append(part("detail"), show(answer));
    part("more").hidden = !answer.next;
  };
  const ask = (after = "") => loadInto(part("state"), { load: () => load(after), show: add, failed: (error) => (dealtWith(error) ? null : failedPart(error, failed)) });
  part("more").addEventListener("click", () => ask(now.next));
  part("close").addEventListener("click", () => dialog.close());
  part("detail").addEventListener("click", async ({ target }) => {
    const button = target.closest("[data-act]");
    const answer = button && (await act(button.dataset.act, button.dataset.id, now));
    if (!answer) return;
    render(part("detail"), html``);
    add(answer);
    part("close").focus();
  });
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
  ask();
}

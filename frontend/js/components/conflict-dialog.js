import { append, html } from "../lib/html.js";

/**
 * Somebody else saved in the meantime: show both versions and let one be chosen. Gives "mine", "theirs" or "".
 * @param {{label: string, mine: string, theirs: string}[]} differences
 * @param {string} [what]
 * @returns {Promise<"mine" | "theirs" | "">}
 */
export function askWhichVersion(differences, what = "this product") {
  const dialog = append(document.body, html`<dialog class="dialog dialog--wide" aria-labelledby="conflict-title">
    <h2 class="panel__title" id="conflict-title">Somebody else saved ${what} meanwhile</h2>
    <p class="soft">${differences.length ? "This is where the two versions differ. Nothing of yours is lost until you choose." : "What they changed is not among what you see here, such as the order of pictures."}</p>
    ${differences.length > 0 && html`<div class="conflict" role="region" aria-label="Where the versions differ" tabindex="0"><table class="table conflict__table">
      <thead><tr><th scope="col">Field</th><th scope="col">Yours</th><th scope="col">Theirs, saved now</th></tr></thead>
      <tbody>${differences.map(({ label, mine, theirs }) => html`<tr><th scope="row">${label}</th><td><div class="conflict__value">${mine || "–"}</div></td><td><div class="conflict__value">${theirs || "–"}</div></td></tr>`)}</tbody>
    </table></div>`}
    <p class="dialog__actions"><button class="button button--plain" type="button" value="">Back to editing</button>
      <button class="button button--quiet" type="button" value="theirs">Take theirs</button>
      <button class="button" type="button" value="mine">Save mine over it</button></p>
  </dialog>`);
  return new Promise((decided) => {
    dialog.addEventListener("click", ({ target }) => { const button = target.closest("button"); if (button) dialog.close(button.value); });
    dialog.addEventListener("close", () => { dialog.remove(); decided(dialog.returnValue); });
    dialog.showModal();
  });
}

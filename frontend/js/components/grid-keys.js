// A table by the keyboard. Who uses single keys for something else switches them off (WCAG 2.1.4).
import { append, html } from "../lib/html.js";

const OFF = "single-keys-off";

const KEYS = [
  [["/"], "Search"],
  [["j", "k"], "Next row, row before"],
  [["x"], "Choose the row, or leave it"],
  [["Enter"], "Open the row"],
  [["Ctrl", "Enter"], "Save the form that you are in"],
  [["?"], "Show these keys"],
];

function showKeys() {
  const dialog = append(document.body, html`<dialog class="dialog" aria-labelledby="keys-title">
    <h2 class="panel__title" id="keys-title">Keys</h2>
    <dl class="keys">${KEYS.map(([keys, words]) => html`<div class="keys__line"><dt>${keys.map((key) => html`<kbd>${key}</kbd>`)}</dt><dd>${words}</dd></div>`)}</dl>
    <label class="choice"><input class="choice__input" type="checkbox" ${!localStorage.getItem(OFF) && html`checked`}><span class="choice__text">Use single keys</span></label>
    <p class="dialog__actions"><button class="button" type="button" autofocus>Close</button></p>
  </dialog>`);
  dialog.querySelector("input").addEventListener("change", ({ target }) => (target.checked ? localStorage.removeItem(OFF) : localStorage.setItem(OFF, "1")));
  dialog.querySelector("button").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
}

const isTyping = ({ target }) => target.closest?.("input:not([type=checkbox]), select, textarea, [contenteditable]");

function step(grid, way) {
  const rows = [...grid.querySelectorAll("tr[data-id]")];
  const place = rows.indexOf(document.activeElement?.closest?.("tr[data-id]"));
  const row = rows[place < 0 ? (way > 0 ? 0 : rows.length - 1) : Math.min(Math.max(place + way, 0), rows.length - 1)];
  row?.focus({ preventScroll: true });
  row?.scrollIntoView({ block: "nearest" });
}

/** @param {HTMLElement} grid a data-grid @param {HTMLInputElement} [search] */
export function useKeys(grid, search) {
  const here = () => document.activeElement?.closest?.("tr[data-id]");
  const acts = {
    "/": () => { search?.focus(); search?.select(); },
    j: () => step(grid, 1),
    k: () => step(grid, -1),
    x: () => { if (here()) grid.toggle(Number(here().dataset.id)); },
    "?": showKeys,
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    if (event.key === "Enter" && event.target.matches?.("tr[data-id]")) return event.target.querySelector("th a, th button")?.click();
    if (isTyping(event) || !acts[event.key] || localStorage.getItem(OFF)) return;
    event.preventDefault();
    acts[event.key]();
  });
  grid.querySelector("[data-keys]").addEventListener("click", showKeys);
}

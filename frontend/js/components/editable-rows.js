// Rows of a setting: added, taken away and put in another order. What is drawn is the owner's business.
import { append, html, icon } from "../lib/html.js";

/**
 * Rows within `place`. `draw` gives the fields of one row with names that begin with `prefix`; `read` makes a value of a row's element.
 * @param {HTMLElement} place
 * @param {object} how
 * @param {string} how.name the field's name in the API
 * @param {string} how.noun what a row is called
 * @param {object} how.blank a new row
 * @param {string} how.none said when there are none
 * @param {(row: object, prefix: string) => import("../lib/html.js").Markup} how.draw
 * @param {(field: (key: string) => HTMLInputElement) => object} how.read
 * @param {() => void} how.changed
 */
export function editableRows(place, { name, noun, blank, none, draw, read, changed }) {
  const list = append(place, html`<ol class="rows" role="list"></ol>`);
  const empty = append(place, html`<p class="rows__none">${none}</p>`);
  const add = append(place, html`<p><button class="button button--quiet button--small" type="button">${icon("plus")}Add ${noun}</button></p>`).firstElementChild;

  const act = (what, sign, label) => html`<button class="icon-button" type="button" data-act="${what}">${icon(sign)}<span class="visually-hidden">${label}</span></button>`;
  const value = () => [...list.children].map((item, i) => read((key) => item.querySelector(`[name="${name}.${i}.${key}"]`)));

  function show(rows) {
    list.replaceChildren();
    rows.forEach((row, i) => append(list, html`<li class="rows__item"><div class="rows__fields" role="group" aria-label="${noun.replace(/^an? /, "")} ${i + 1}">${draw(row, `${name}.${i}`)}</div>
      <div class="rows__acts">${i > 0 && act("up", "chevron-up", `Move ${row.name || "this row"} up`)}${i < rows.length - 1 && act("down", "chevron-down", `Move ${row.name || "this row"} down`)}${act("remove", "trash", `Remove ${row.name || "this row"}`)}</div></li>`));
    empty.hidden = rows.length > 0;
  }

  list.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-act]");
    if (!button) return;
    const rows = value();
    const at = [...list.children].indexOf(button.closest("li"));
    const [row] = rows.splice(at, 1);
    const to = { up: at - 1, down: at + 1 }[button.dataset.act];
    if (to !== undefined) rows.splice(to, 0, row);
    show(rows);
    changed();
    const next = list.children[to ?? at];
    (next?.querySelector(`[data-act="${button.dataset.act}"]`) ?? next?.querySelector("[data-act]") ?? add).focus();
  });
  add.addEventListener("click", () => {
    show([...value(), blank]);
    changed();
    list.lastElementChild.querySelector("input, select").focus();
  });
  return { show, value };
}

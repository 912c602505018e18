import { api } from "../lib/api.js";
import { append, html, icon, render } from "../lib/html.js";
import { dateTime, number } from "../lib/format.js";
import { readNumber } from "../lib/numbers.js";
import { gridPicture } from "../components/grid-picture.js";
import { dealtWith } from "../components/staff.js";
import { emptyState, failedPart, loadInto } from "../components/states.js";
import { toast } from "../components/toast-stack.js";
import "../components/data-grid.js";

const LOW = 5;
const REASONS = { received: "Received", counted: "Counted: it is this many", damaged: "Damaged or lost", returned: "Came back", adjusted: "Put right" };
const TOLD = { initial: "At first", order: "Sold", cancelled: "Order cancelled", expired: "Order expired", import: "Import", received: "Received", counted: "Counted", damaged: "Damaged or lost", returned: "Came back", adjusted: "Put right" };

const grid = document.querySelector("data-grid");

const named = ({ title, options }) => [title, variant(options)].filter(Boolean).join(", ");
const variant = (options) => (typeof options === "string" ? options : Object.values(options ?? {}).join(" / "));

function stock({ stock: count, tracked }) {
  if (!tracked) return html`<span class="soft">not counted</span>`;
  return count > LOW ? number(count) : html`<span class="badge badge--${count ? "warning" : "danger"}">${icon("warning")}${number(count)}<span class="visually-hidden">, low</span></span>`;
}

const offer = (row) => html`<span class="grid__acts-cell">
  ${row.tracked && html`<button class="button button--quiet button--small" type="button" data-adjust>Adjust<span class="visually-hidden"> ${named(row)}</span></button>`}
  <button class="button button--plain button--small" type="button" data-ledger aria-haspopup="dialog">History<span class="visually-hidden"> of ${named(row)}</span></button></span>`;

const form = (row) => html`<form class="adjust" method="post" novalidate aria-label="Adjust ${named(row)}">
  <label class="visually-hidden" for="adjust-number">How many more or fewer</label>
  <input class="field__input matrix__figure" id="adjust-number" name="quantity" inputmode="text" maxlength="8" placeholder="+5 or −2" autocomplete="off" required>
  <span class="select"><label class="visually-hidden" for="adjust-reason">Why</label><select class="field__input" id="adjust-reason" name="reason" autocomplete="off">${Object.entries(REASONS).map(([value, label]) => html`<option value="${value}">${label}</option>`)}</select>${icon("chevron-down")}</span>
  <label class="visually-hidden" for="adjust-note">Note</label><input class="field__input" id="adjust-note" name="note" maxlength="200" placeholder="Note" autocomplete="off">
  <button class="button button--small" type="submit">Save</button><button class="button button--plain button--small" type="button" data-leave>Cancel</button>
  <span class="field__error" role="alert" data-wrong></span></form>`;

/** Read "+5", "5" or "−2". @param {string} text @param {boolean} counted no sign then, and 0 is possible */
function readQuantity(text, counted) {
  const plain = text.trim().replace("−", "-");
  const invalid = counted ? "Enter how many there are." : "Enter how many more, or with a minus how many fewer.";
  const { value, problem } = readNumber(counted ? plain : plain.replace(/^[+-]/, ""), 0, invalid);
  if (problem || value === null || (!counted && value === 0)) return { quantity: null, problem: problem || invalid };
  return { quantity: plain.startsWith("-") ? -value : value, problem };
}

const send = (row, body) => api.post("/admin/inventory/adjustments", { variant_id: row.variant_id, ...body });

function close(row) {
  grid.update(row);
  grid.querySelector(`tr[data-id="${row.variant_id}"] [data-adjust]`)?.focus();
}

async function save(row, place) {
  const { quantity, reason, note } = place.elements;
  const counted = reason.value === "counted";
  const { quantity: figure, problem } = readQuantity(quantity.value, counted);
  const wrong = place.querySelector("[data-wrong]");
  if (figure === null) {
    wrong.textContent = problem;
    return quantity.focus();
  }
  if (place.ariaBusy === "true") return;
  place.ariaBusy = "true";
  try {
    const told = note.value.trim();
    const { stock: now } = await send(row, { ...(counted ? { counted: figure } : { quantity: reason.value === "damaged" ? -Math.abs(figure) : figure }), reason: reason.value, ...(told ? { note: told } : {}) });
    close({ ...row, stock: now });
    const by = now - row.stock;
    toast(`${named(row)}: ${number(now)} in stock.`, by ? { action: { label: "Undo", run: () => takeBack({ ...row, stock: now }, -by) } } : {});
  } catch (error) {
    place.ariaBusy = null;
    if (error.status === undefined) throw error;
    if (!dealtWith(error)) wrong.textContent = error.message;
  }
}

async function takeBack(row, quantity) {
  try {
    const { stock: now } = await send(row, { quantity, reason: "adjusted", note: "Taken back" });
    grid.update({ ...row, stock: now });
  } catch (error) {
    if (error.status === undefined) throw error;
    if (!dealtWith(error)) toast(error.message, { seconds: 12 });
  }
}

function adjust(row) {
  const cell = grid.querySelector(`tr[data-id="${row.variant_id}"]`).lastElementChild;
  render(cell, form(row));
  const place = cell.firstElementChild;
  place.addEventListener("submit", (event) => { event.preventDefault(); save(row, place); });
  place.addEventListener("keydown", (event) => { if (event.key === "Escape") close(row); });
  place.querySelector("[data-leave]").addEventListener("click", () => close(row));
  place.scrollIntoView({ block: "nearest", inline: "nearest" });
  place.elements.quantity.focus();
}

// ---- the ledger

const signed = (quantity) => (quantity > 0 ? `+${number(quantity)}` : number(quantity));

const movement = ({ at, quantity, reason, note, order_number: order, actor, stock_after: after }) => html`<tr>
  <td class="nowrap">${dateTime(at)}</td><td>${TOLD[reason] ?? reason}${order && html` <span class="soft">${order}</span>`}${note && html`<br><span class="soft">${note}</span>`}</td>
  <td>${actor ? actor.username ?? actor : html`<span class="soft">the shop</span>`}</td><td class="table__amount">${signed(quantity)}</td><td class="table__amount">${number(after)}</td></tr>`;

function ledger(row) {
  const dialog = append(document.body, html`<dialog class="dialog dialog--wide" aria-labelledby="ledger-title">
    <h2 class="panel__title" id="ledger-title">Stock of ${named(row)}</h2>
    <div class="ledger" role="region" aria-label="Every change of the stock" tabindex="0"><div data-state></div>
      <table class="table small" hidden><thead><tr><th scope="col">When</th><th scope="col">Why</th><th scope="col">Who</th><th scope="col" class="table__amount">Change</th><th scope="col" class="table__amount">Stock</th></tr></thead><tbody></tbody></table></div>
    <p class="dialog__actions"><button class="button button--quiet" type="button" data-more hidden>Earlier</button><button class="button" type="button" data-close autofocus>Close</button></p>
  </dialog>`);
  const more = dialog.querySelector("[data-more]");
  let after = "";
  const load = () => loadInto(dialog.querySelector("[data-state]"), {
    load: () => api.get(`/admin/inventory/${row.variant_id}/movements`, { params: { after, limit: 50 } }),
    show: ({ items, next }) => {
      render(dialog.querySelector("[data-state]"), html``);
      dialog.querySelector("table").hidden = false;
      append(dialog.querySelector("tbody"), html`${items.map(movement)}`);
      after = next;
      more.hidden = !next;
    },
    failed: (error) => (dealtWith(error) ? null : failedPart(error, "The history could not be loaded")),
  });
  more.addEventListener("click", load);
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
  load();
}

grid?.addEventListener("click", ({ target }) => {
  if (target.closest("[data-adjust]")) adjust(grid.rowOf(target));
  if (target.closest("[data-ledger]")) ledger(grid.rowOf(target));
});

grid?.start({
  path: "/admin/inventory",
  id: ({ variant_id: id }) => id,
  name: named,
  cells: {
    title: ({ product_id: id, title, image }) => html`<a class="grid__link" href="/admin/products/${id}">${gridPicture(image)}<span class="grid__text">${title}</span></a>`,
    options: ({ options }) => variant(options) || html`<span class="soft">the only one</span>`,
    stock,
    adjust: offer,
  },
  texts: { options: ({ options }) => variant(options), stock: ({ stock: count, tracked }) => (tracked ? count : ""), adjust: () => "" },
  nothing: emptyState({ title: "Nothing to count yet", text: "Add a product, and its variants are counted here.", actions: [{ label: "Add a product", href: "/admin/products/new" }] }),
});

// The table of the admin area: search, filters, sort, pages and columns in the address; rows that are chosen, alone or all that match.
import { api } from "../lib/api.js";
import { append, html, icon, render } from "../lib/html.js";
import { ago, date, money, number, plural } from "../lib/format.js";
import { failedState, onceOnline, emptyState } from "./states.js";
import { useKeys } from "./grid-keys.js";
import { dealtWith, staff } from "./staff.js";
import { toast } from "./toast-stack.js";

const PAUSE = 250;
const SKELETON_AFTER = 200;

const FORMATS = {
  text: (value) => value ?? "",
  number: (value) => (value === null || value === undefined ? "" : number(value)),
  money: (value, { currency }) => (value === null || value === undefined ? "" : money(value, currency)),
  date: (value) => (value ? date(value) : ""),
  ago: (value) => (value ? html`<time datetime="${value}" title="${new Date(value).toLocaleString("en-GB")}">${ago(value)}</time>` : ""),
};

/** Whether a cell says by itself what it holds; a control inside it works for itself. */
const isControl = (target) => target.closest?.("a, button, input, select, textarea, label, summary");

/**
 * `<data-grid name="products" noun="product">` around a form[data-filters] and a table whose `th[data-key]` declare the columns:
 * data-sort="title:ascending title_desc:descending" (the API's sort orders, in the order of clicks), data-align="end",
 * data-format="money|number|date|ago", data-hidden (not shown unless chosen), data-fixed (always shown), data-label (a name for the menu).
 */
class DataGrid extends HTMLElement {
  #how;
  #form;
  #columns;
  #answer;
  #rows = new Map();
  #chosen = new Set();
  #all = false;
  #last = null;
  #asked;
  #typing;
  #busy = false;

  /**
   * Begin to show.
   * @param {object} how
   * @param {string} how.path the API's list: {items, next, total}
   * @param {(row: object) => string} how.name what a row is called
   * @param {(row: object) => number} [how.id]
   * @param {Record<string, (row: object, answer: object) => import("../lib/html.js").Markup | string>} [how.cells] by column
   * @param {Record<string, (row: object, answer: object) => string | number>} [how.texts] by column, for the file; else the row's own value
   * @param {{label: string, when?: (filters: object) => boolean, run: (scope: object, tell: (part: number, words: string) => void) => Promise<{words: string, undo?: () => Promise<void>} | null>}[]} [how.actions]
   *   on chosen rows; the scope is {ids} or {filter}, with its total
   * @param {import("../lib/html.js").Markup} [how.nothing] shown when there is nothing at all
   * @param {number} [how.limit]
   */
  async start(how) {
    this.#how = { id: ({ id }) => id, cells: {}, texts: {}, actions: [], limit: 50, ...how };
    this.#form = this.querySelector("[data-filters]");
    this.#columns = [...this.querySelectorAll("th[data-key]")].map((head) => ({ ...head.dataset, head, label: head.dataset.label ?? head.textContent.trim() }));
    await staff;
    this.#furnish();
    this.#listen();
    useKeys(this, this.#form.elements.q);
    this.load();
  }

  // ---- the address is the state

  get #query() { return new URLSearchParams(location.search); }

  /** The filters in use, as the API takes them. */
  get filters() {
    const query = this.#query;
    const used = [...this.#form.elements].filter(({ name }) => name && query.get(name));
    return Object.fromEntries(used.map(({ name, type }) => [name, type === "checkbox" || query.get(name)]));
  }

  get total() { return this.#answer?.total ?? 0; }

  /** Where very many match, the API stops counting. */
  get #counted() { return number(this.total) + (this.#answer.at_least ? "+" : ""); }

  /** The rows before the reader, by id. */
  get rows() { return this.#rows; }

  #address(changes) {
    const query = this.#query;
    for (const [name, value] of Object.entries(changes)) {
      if (value) query.set(name, value);
      else query.delete(name);
    }
    return query.size ? `${location.pathname}?${query}` : location.pathname;
  }

  #go(changes, { replace = false, trail = [] } = {}) {
    history[replace ? "replaceState" : "pushState"]({ trail }, "", this.#address(changes));
    this.load();
  }

  #filter(options) {
    const wanted = {};
    for (const field of this.#form.elements) {
      if (field.name) wanted[field.name] = field.type === "checkbox" ? (field.checked ? "true" : "") : field.value.trim();
    }
    const same = Object.entries(wanted).every(([name, value]) => (this.#query.get(name) ?? "") === value);
    if (same) return;
    this.#choose(() => { this.#chosen.clear(); this.#all = false; });
    this.#go({ ...wanted, after: "" }, options);
  }

  /** Show the filters of the address, once more when a choice got its options later. */
  fillFilters({ focused = true } = {}) {
    for (const field of this.#form.elements) {
      if (!field.name || (!focused && field === document.activeElement)) continue;
      const value = this.#query.get(field.name) ?? "";
      if (field.type === "checkbox") field.checked = value === "true";
      else field.value = value;
    }
  }

  // ---- what is around the rows

  #furnish() {
    const table = this.querySelector("table");
    const top = this.#form.parentElement;
    append(top, html`<div class="grid__tools">
      <details class="grid-menu" data-menu><summary class="button button--quiet button--small">${icon("settings")}Columns</summary>
        <fieldset class="grid-menu__panel"><legend><span class="visually-hidden">Columns</span></legend>
        ${this.#columns.filter(({ fixed }) => fixed === undefined).map(({ key, label }) => html`<label class="choice"><input class="choice__input" type="checkbox" value="${key}"><span class="choice__text">${label}</span></label>`)}</fieldset></details>
      <button class="button button--quiet button--small" type="button" data-csv>${icon("download")}CSV</button>
      <button class="button button--quiet button--small" type="button" data-keys aria-haspopup="dialog">Keys <kbd aria-hidden="true">?</kbd></button>
    </div>`);
    const frame = table.parentElement;
    const bar = append(this, html`<div class="grid__bar">
      <p class="grid__count" role="status" data-count></p>
      <div class="grid__acts" data-acts hidden>
        <button class="link-button" type="button" data-all hidden></button>
        ${this.#how.actions.map(({ label, danger }, i) => html`<button class="button ${danger ? "button--danger-quiet" : "button--quiet"} button--small" type="button" data-run="${i}">${label}</button>`)}
        <button class="button button--plain button--small" type="button" data-none>Clear</button>
      </div>
      <label class="grid__progress" data-progress hidden><span data-words></span><progress class="sending__bar" max="1"></progress></label>
    </div>`);
    frame.before(bar);
    append(frame, html`<div class="grid__state" data-state></div>`);
    append(this, html`<nav class="grid__pages" aria-label="Pages of the table">
      <span class="grid__place" data-place></span>
      <a class="button button--quiet button--small" data-first hidden>${icon("arrow-left")}First</a>
      <a class="button button--quiet button--small" data-before hidden>${icon("chevron-left")}Previous</a>
      <a class="button button--quiet button--small" data-next hidden>Next${icon("chevron-right")}</a>
    </nav>`);
    if (this.#how.actions.length) {
      const head = document.createElement("td");
      head.className = "grid__check";
      render(head, html`<label class="grid__box"><input type="checkbox" class="choice__input" data-page aria-label="Choose all rows of this page"></label>`);
      table.tHead.rows[0].prepend(head);
    }
    for (const column of this.#columns) {
      column.sorts = (column.sort ?? "").split(" ").filter(Boolean).map((one) => one.split(":"));
      if (column.align) column.head.classList.add(`grid__cell--${column.align}`);
      if (column.sorts.length) render(column.head, html`<a class="grid__sort" href="?">${column.label}<span class="grid__arrow" aria-hidden="true"></span></a>`);
    }
  }

  #part(name) { return this.querySelector(`[data-${name}]`); }

  #showHeads() {
    const sort = this.#query.get("sort") ?? this.#columns.flatMap(({ sorts }) => sorts).find(([, , first]) => first)?.[0];
    for (const { head, sorts } of this.#columns) {
      if (!sorts.length) continue;
      const place = sorts.findIndex(([name]) => name === sort);
      if (place < 0) head.removeAttribute("aria-sort");
      else head.setAttribute("aria-sort", sorts[place][1]);
      head.querySelector("a").href = this.#address({ sort: sorts[(place + 1) % sorts.length][0], after: "" });
    }
  }

  #wanted() {
    const known = this.#query.get("columns") ?? localStorage.getItem(`columns:${this.getAttribute("name")}`);
    const asked = known?.split(",");
    return this.#columns.filter(({ key, hidden, fixed }) => fixed !== undefined || (asked ? asked.includes(key) : hidden === undefined));
  }

  #showColumns() {
    const wanted = this.#wanted();
    for (const column of this.#columns) column.head.hidden = !wanted.includes(column);
    for (const box of this.querySelectorAll("[data-menu] input")) box.checked = wanted.some(({ key }) => key === box.value);
  }

  #chooseColumns() {
    const keys = [...this.querySelectorAll("[data-menu] input:checked")].map(({ value }) => value).join(",");
    localStorage.setItem(`columns:${this.getAttribute("name")}`, keys);
    history.replaceState(history.state, "", this.#address({ columns: keys || "-" }));
    this.#showColumns();
    if (this.#answer) this.#showRows();
  }

  // ---- rows

  /** Ask anew for the page that the address names. */
  async load() {
    this.fillFilters({ focused: false }); // What is being typed there is newer.
    this.#showHeads();
    this.#showColumns();
    this.#asked?.abort();
    const asked = this.#asked = new AbortController();
    const frame = this.querySelector("table").parentElement;
    frame.setAttribute("aria-busy", "true");
    const timer = setTimeout(() => { if (!this.#answer) this.#showSkeleton(); }, SKELETON_AFTER);
    try {
      const query = this.#query;
      const params = { ...this.filters, sort: query.get("sort"), after: query.get("after"), limit: this.#how.limit };
      this.#answer = await api.get(this.#how.path, { params, signal: asked.signal });
      this.#show();
    } catch (error) {
      if (asked.signal.aborted) return;
      if (error.status === undefined) throw error;
      this.#fail(error);
    } finally {
      clearTimeout(timer);
      if (this.#asked === asked) frame.removeAttribute("aria-busy");
    }
  }

  #fail(error) {
    if (dealtWith(error)) return;
    // An address from long ago may hold a place, an order or a filter that is no more.
    if (error.status === 422 && location.search) return this.#go(Object.fromEntries([...this.#query.keys()].map((name) => [name, ""])), { replace: true });
    this.#answer = undefined;
    render(this.querySelector("tbody"), html``);
    render(this.#part("state"), failedState(error, "The table could not be loaded"));
    this.#part("count").textContent = "";
    const again = () => { render(this.#part("state"), html``); this.load(); };
    const cancel = error.code === "offline" ? onceOnline(again) : () => {};
    this.#part("state").querySelector("[data-retry]").addEventListener("click", () => { cancel(); again(); });
  }

  #showSkeleton() {
    render(this.#part("state"), html``);
    const cells = this.#wanted().length + Boolean(this.#how.actions.length);
    render(this.querySelector("tbody"), html`${Array.from({ length: 12 }, () => html`<tr class="grid__row" aria-hidden="true">${Array.from({ length: cells }, () => html`<td><div class="skeleton skeleton--line w-60"></div></td>`)}</tr>`)}`);
  }

  #show() {
    this.#rows = new Map(this.#answer.items.map((row) => [this.#how.id(row), row]));
    this.#showRows();
    const filtered = Object.keys(this.filters).length > 0;
    render(this.#part("state"), this.#rows.size ? html`` : this.#nothing(filtered));
    this.#showPages();
    this.#showChoice();
    this.querySelector("table").parentElement.scrollTop = 0;
    this.dispatchEvent(new CustomEvent("grid:shown", { detail: this.#answer }));
  }

  #nothing(filtered) {
    if (filtered) return emptyState({ title: "Nothing matches", text: "Another word or fewer filters will find more.", actions: [{ label: "Clear search and filters", href: location.pathname }] });
    return this.#how.nothing ?? emptyState({ title: "Nothing here yet", text: "What there is will be listed here." });
  }

  #showRows() {
    const columns = this.#wanted();
    render(this.querySelector("tbody"), html`${[...this.#rows.values()].map((row) => this.#row(row, columns))}`);
  }

  #row(row, columns = this.#wanted()) {
    const id = this.#how.id(row);
    const chosen = this.#isChosen(id);
    return html`<tr class="grid__row ${chosen && "grid__row--chosen"}" data-id="${id}" tabindex="-1">
      ${this.#how.actions.length > 0 && html`<td class="grid__check"><label class="grid__box"><input type="checkbox" class="choice__input" data-choose aria-label="Choose ${this.#how.name(row)}" ${chosen && html`checked`}></label></td>`}
      ${columns.map((column, i) => this.#cell(row, column, i === 0))}
    </tr>`;
  }

  #cell(row, { key, align, format = "text" }, first) {
    const value = this.#how.cells[key] ? this.#how.cells[key](row, this.#answer) : FORMATS[format](row[key], this.#answer);
    const looks = `grid__cell grid__cell--${align ?? "start"}`;
    return first ? html`<th scope="row" class="${looks} grid__name">${value}</th>` : html`<td class="${looks}">${value}</td>`;
  }

  /** Show another state of one row. @param {object} row */
  update(row) {
    const id = this.#how.id(row);
    const place = this.querySelector(`tr[data-id="${id}"]`);
    if (!place) return;
    this.#rows.set(id, row);
    const fresh = document.createElement("tbody");
    render(fresh, this.#row(row));
    place.replaceWith(fresh.firstElementChild);
  }

  /** The row that an element stands in. @param {Element} element */
  rowOf(element) { return this.#rows.get(Number(element.closest("tr[data-id]")?.dataset.id)); }

  // ---- pages

  get #trail() { return history.state?.trail ?? []; }

  #showPages() {
    const { next } = this.#answer;
    const after = this.#query.get("after");
    const trail = this.#trail;
    const known = !after || trail.length > 0;
    const from = trail.length * this.#how.limit + 1;
    const shown = this.#rows.size;
    this.#part("place").textContent = known && shown ? `${number(from)}–${number(from + shown - 1)} of ${this.#counted}` : shown ? `${number(shown)} of ${this.#counted}` : "";
    const links = { first: after && (!trail.length || trail.length > 1) && { after: "" }, before: trail.length > 0 && { after: trail.at(-1) }, next: next && { after: next } };
    for (const [name, changes] of Object.entries(links)) {
      const link = this.#part(name);
      const leaving = !changes && link === document.activeElement;
      link.hidden = !changes;
      if (changes) link.href = this.#address(changes);
      if (leaving) this.querySelector("table").parentElement.focus({ preventScroll: true });
    }
  }

  #turn(name) {
    const after = new URL(this.#part(name).href).searchParams.get("after") ?? "";
    const trail = name === "next" ? [...this.#trail, this.#query.get("after") ?? ""] : name === "before" ? this.#trail.slice(0, -1) : [];
    this.#go({ after }, { trail });
  }

  // ---- choosing

  #isChosen(id) { return this.#all || this.#chosen.has(id); }

  #choose(change) {
    change();
    for (const place of this.querySelectorAll("tr[data-id]")) {
      const chosen = this.#isChosen(Number(place.dataset.id));
      place.classList.toggle("grid__row--chosen", chosen);
      const box = place.querySelector("[data-choose]");
      if (box) box.checked = chosen;
    }
    this.#showChoice();
  }

  /** Choose a row, or leave it; with `reach` all from the one before. @param {number} id @param {boolean} chosen @param {boolean} [reach] */
  choose(id, chosen, reach = false) {
    const ids = [...this.#rows.keys()];
    const [from, to] = [ids.indexOf(reach ? this.#last : id), ids.indexOf(id)].sort((a, b) => a - b);
    this.#choose(() => {
      if (this.#all) { this.#chosen = new Set(ids); this.#all = false; }
      for (const one of ids.slice(Math.max(from, 0), to + 1)) this.#chosen[chosen ? "add" : "delete"](one);
    });
    this.#last = id;
  }

  /** Choose it if it is not chosen, and the other way round. @param {number} id */
  toggle(id) { if (this.#how.actions.length) this.choose(id, !this.#isChosen(id)); }

  #showChoice() {
    if (!this.#answer) return;
    const { total } = this.#answer;
    const count = this.#all ? total : this.#chosen.size;
    const here = [...this.#rows.keys()].filter((id) => this.#isChosen(id)).length;
    const whole = here > 0 && here === this.#rows.size;
    const box = this.#part("page");
    if (box) { box.checked = whole; box.indeterminate = !whole && count > 0; }
    const words = this.getAttribute("noun");
    const said = count ? `${this.#all ? this.#counted : number(count)} chosen` : plural(total, words, this.getAttribute("nouns") ?? undefined).replace(number(total), this.#counted);
    if (this.#part("count").textContent !== said) this.#part("count").textContent = said;
    this.#part("acts").hidden = !count || this.#busy;
    for (const button of this.querySelectorAll("[data-run]")) button.hidden = this.#how.actions[button.dataset.run].when?.(this.filters) === false;
    this.#part("all").hidden = !whole || this.#all || total <= count;
    this.#part("all").textContent = `Select all ${this.#counted} matching`;
  }

  async #act({ run }, button) {
    if (this.#busy) return;
    const scope = this.#all ? { filter: this.filters, total: this.total } : { ids: [...this.#chosen], total: this.#chosen.size };
    await this.#work(async (tell) => {
      const done = await run(scope, tell);
      if (!done) return button.focus();
      this.#chosen.clear();
      this.#all = false;
      await this.load();
      this.querySelector("table").parentElement.focus({ preventScroll: true });
      this.#tellDone(done);
    });
  }

  #tellDone({ words, undo }) {
    toast(words, undo && { action: { label: "Undo", run: () => this.#work(async () => { await undo(); await this.load(); toast("Taken back."); }) }, seconds: 15 });
  }

  /** Do something that takes a while; how far it is is shown above the rows, what the API refuses is said. */
  async #work(work) {
    this.#busy = true;
    const place = this.#part("progress");
    const tell = (part, words) => {
      if (part === 1 && place.hidden) return; // Done in one step, there is no way to show.
      this.#part("acts").hidden = true;
      place.hidden = false;
      place.querySelector("progress").value = part;
      this.#part("words").textContent = words;
    };
    try {
      await work(tell);
    } catch (error) {
      if (error.status === undefined) throw error;
      if (!dealtWith(error)) { toast(error.message, { seconds: 12 }); await this.load(); }
    } finally {
      this.#busy = false;
      place.hidden = true;
      this.#showChoice();
    }
  }

  async #saveCsv() {
    if (this.#busy || !this.#answer) return;
    const { saveRows } = await import("./grid-csv.js");
    await this.#work((tell) => saveRows({
      name: this.getAttribute("name"),
      path: this.#how.path,
      params: { ...this.filters, sort: this.#query.get("sort") },
      columns: this.#wanted().map(({ key, label }) => ({ label, text: this.#how.texts[key] ?? ((row) => row[key]) })),
      tell,
    }));
  }

  // ---- hands

  #listen() {
    this.#form.addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(this.#typing); this.#filter(); });
    this.#form.addEventListener("change", ({ target }) => { if (target.type !== "search") this.#filter(); });
    this.#form.addEventListener("input", ({ target }) => {
      if (target.type !== "search") return;
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => this.#filter({ replace: Boolean(this.#query.get("q")) }), PAUSE);
    });
    this.addEventListener("click", (event) => this.#click(event));
    this.#part("menu").addEventListener("change", () => this.#chooseColumns());
    this.#part("menu").addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      this.#part("menu").open = false;
      this.#part("menu").querySelector("summary").focus();
    });
    document.addEventListener("click", ({ target }) => { if (!this.#part("menu").contains(target)) this.#part("menu").open = false; });
    window.addEventListener("popstate", () => { this.fillFilters(); this.load(); });
  }

  #click(event) {
    const { target } = event;
    const plain = !event.ctrlKey && !event.metaKey && !event.shiftKey;
    const sort = target.closest(".grid__sort");
    const turn = target.closest("[data-first], [data-before], [data-next]");
    if (plain && (sort || turn)) {
      event.preventDefault();
      if (sort) this.#go({ sort: new URL(sort.href).searchParams.get("sort"), after: "" });
      else this.#turn(Object.keys(turn.dataset)[0]);
    }
    const id = Number(target.closest("tr[data-id]")?.dataset.id);
    if (target.matches("[data-choose]")) this.choose(id, target.checked, event.shiftKey);
    else if (target.matches("[data-page]")) this.#choosePage(target.checked);
    else if (id && !isControl(target) && !String(getSelection())) target.closest("tr").focus({ preventScroll: true });
    if (target.closest("[data-all]")) { this.#choose(() => { this.#all = true; }); this.#part("none").focus(); }
    if (target.closest("[data-none]")) { this.#choose(() => { this.#chosen.clear(); this.#all = false; }); this.#part("page").focus(); }
    if (target.closest("[data-csv]")) this.#saveCsv();
    const button = target.closest("[data-run]");
    if (button) this.#act(this.#how.actions[button.dataset.run], button);
  }

  #choosePage(chosen) {
    this.#choose(() => {
      this.#all = false;
      for (const id of this.#rows.keys()) this.#chosen[chosen ? "add" : "delete"](id);
    });
  }
}

customElements.define("data-grid", DataGrid);

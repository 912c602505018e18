import { api } from "../lib/api.js";
import { append, html, icon, render } from "../lib/html.js";
import { ago, dateTime, number, plural } from "../lib/format.js";
import { upload } from "../lib/upload.js";
import { proved } from "../components/password-dialog.js";
import { saveFile } from "../components/saving.js";
import { dealtWith, staff } from "../components/staff.js";
import { failedPart, loadInto } from "../components/states.js";
import { toast } from "../components/toast-stack.js";

const POLL = 1000;
const SHOWN = 20; // problems before the rest is folded away
const WORDS = { checking: "Being looked through", refused: "Cannot come in", checked: "Ready", waiting: "Waiting its turn", running: "Preparing", applying: "Importing", done: "Imported", failed: "Failed" };
const LOOKS = { refused: "danger", failed: "danger", checked: "warning", done: "good" };
const FIELDS = { price_minor: "price", compare_at_minor: "price before" };
const UNDER_WAY = ["checking", "waiting", "running", "applying"];

const part = (name) => document.querySelector(`[data-${name}]`);
const badge = ({ status }) => html`<span class="badge badge--${LOOKS[status] ?? "soft"}">${WORDS[status]}</span>`;

let timer;
let shown; // the import before the reader

// ---- what a file would do

const figure = (count, one, many, look = "") => count > 0 && html`<li class="import-figure ${look && `import-figure--${look}`}"><b class="figures">${number(count)}</b> ${count === 1 ? one : many}</li>`;

function figures({ diff: { counts, categories }, pictures, warning_count: warnings }) {
  return html`<ul class="import-figures">
    ${figure(counts.new, "new product", "new products", "good")}${figure(counts.changed, "product changes", "products change", "good")}${figure(counts.same, "as it is", "as they are")}
    ${figure(counts.variants_new, "new variant", "new variants")}${figure(counts.variants_changed, "variant changes", "variants change")}${figure(counts.variants_archived, "variant put away", "variants put away", "warning")}
    ${figure(categories.length, "new category", "new categories")}${figure(pictures.new, "new picture", "new pictures")}${figure(pictures.missing, "picture missing", "pictures missing", "warning")}${figure(warnings, "warning", "warnings", "warning")}
  </ul>`;
}

const remark = ({ row, column, message }) => html`<tr><td class="figures">${row || ""}</td><td>${column}</td><td>${message}</td></tr>`;

/** Problems by row; long lists are folded, and what the shop did not list is counted. */
const remarks = (title, list, count, open) => count > 0 && html`<details class="disclosure" ${open && html`open`}>
  <summary class="disclosure__summary"><span>${title}</span>${icon("chevron-down")}</summary>
  <div class="import-scroll" role="region" aria-label="${title}" tabindex="0"><table class="table small"><thead><tr><th scope="col">Row</th><th scope="col">Column</th><th scope="col">What</th></tr></thead><tbody>${list.map(remark)}</tbody></table>
  ${count > list.length && html`<p class="soft small">And ${number(count - list.length)} more.</p>`}</div></details>`;

const field = (name) => FIELDS[name] ?? name.replaceAll("_", " ");

const change = ({ field: name, from, to }) => html`<tr><th scope="row">${field(name)}</th><td>${from ? html`<del class="import-from">${from}</del>` : html`<span class="soft">nothing</span>`}</td><td>${to ? html`<ins class="import-to">${to}</ins>` : html`<span class="soft">nothing</span>`}</td></tr>`;

const changes = (list) => list.length > 0 && html`<table class="table small import-changes"><thead class="visually-hidden"><tr><th scope="col">Field</th><th scope="col">Now</th><th scope="col">Then</th></tr></thead><tbody>${list.map(change)}</tbody></table>`;

const ACTIONS = { new: ["good", "New"], changed: ["warning", "Changes"], archived: ["danger", "Put away"] };
const action = (name) => html`<span class="badge badge--${ACTIONS[name][0]}">${ACTIONS[name][1]}</span>`;

const variant = ({ variant: name, action: what, changes: list }) => html`<li><p class="cluster small">${action(what)}<b>${name || "The only variant"}</b></p>${what === "changed" && changes(list)}</li>`;

const product = ({ handle, title, row, action: what, changes: list, variants }) => html`<details class="import-product">
  <summary class="import-product__summary">${action(what)}<span class="import-product__title">${title || handle}</span><span class="soft small">${handle}, row ${row}</span>
    <span class="soft small push-end">${[list.length && what !== "new" && plural(list.length, "field"), variants.length && plural(variants.length, "variant")].filter(Boolean).join(", ")}</span>${icon("chevron-down")}</summary>
  <div class="import-product__body">${changes(list)}${variants.length > 0 && html`<ul class="import-variants">${variants.map(variant)}</ul>`}</div>
</details>`;

function diff({ diff: { products, counts, categories } }) {
  const left = counts.new + counts.changed - products.length;
  return html`${categories.length > 0 && html`<p class="small"><b>New categories:</b> ${categories.join(", ")}</p>`}
    ${products.length > 0 && html`<div class="import-products">${products.map(product)}</div>`}${left > 0 && html`<p class="soft small">And ${plural(left, "product")} more, not listed one by one.</p>`}`;
}

function verdict({ status, diff: { counts }, error_count: errors }) {
  const count = counts.new + counts.changed;
  const plain = {
    refused: `The file has ${plural(errors, "problem")}. Nothing was changed: mend the file and bring it again.`,
    failed: "The import failed. Nothing was changed.",
    done: `${plural(count, "product")} imported.`,
  };
  const leftOut = status === "done" && errors > 0 && html`<p>
    ${plural(errors, "product")} changed during the import and could not be imported.
    Fix the problems below and import the file again. Products that are already imported stay as they are.
  </p>`;
  if (plain[status]) return html`<p>${plain[status]}${status === "done" && html` <a href="/admin/products?sort=updated">See the products</a>`}</p>${leftOut}`;
  if (!count) return html`<p>The shop is as the file says already. There is nothing to do.</p>`;
  return html`<p class="cluster"><button class="button" type="button" data-start>Bring ${plural(count, "product")} in</button><span class="soft small">The whole file is checked again first. Customers can order during the import.</span></p>`;
}

const NUMBER_FORMATS = { point: "1,234.56", comma: "1.234,56" };

/** How the file writes numbers; until the import starts it can be read differently. */
function numberFormat({ status, numbers: { format, chosen } }) {
  if (!["refused", "checked"].includes(status)) return format && html`<p class="small">Numbers in this file: <span class="figures">${NUMBER_FORMATS[format]}</span></p>`;
  const option = (value, label) => html`<option value="${value}" ${value === (chosen ? format : "") && html`selected`}>${label}</option>`;
  return html`<p class="import-numbers"><label class="small" for="numbers">Numbers in this file</label>
    <span class="select"><select class="field__input" id="numbers" autocomplete="off" data-numbers>
      ${option("", format && !chosen ? `${NUMBER_FORMATS[format]} (detected)` : "Detect automatically")}${Object.entries(NUMBER_FORMATS).map(([value, label]) => option(value, label))}
    </select>${icon("chevron-down")}</span></p>`;
}

function outcome(one) {
  const { missing, names_missing: names } = one.pictures;
  return html`${verdict(one)}${numberFormat(one)}${one.status !== "refused" && figures(one)}
    ${remarks(plural(one.error_count, "problem"), one.errors, one.error_count, true)}
    ${remarks(plural(one.warning_count, "warning"), one.warnings, one.warning_count, one.warning_count <= SHOWN)}
    ${missing > 0 && html`<p class="small soft">Not with the file and not in the shop: ${names.join(", ")}${missing > names.length && ` and ${number(missing - names.length)} more`}. Addresses of pictures are never fetched.</p>`}
    ${one.ignored_columns.length > 0 && html`<p class="small soft">Columns that mean nothing here: ${one.ignored_columns.join(", ")}.</p>`}
    ${one.status !== "refused" && diff(one)}`;
}

function progress({ status, done, total }) {
  const known = ["running", "applying"].includes(status) && total > 0;
  return html`<label class="sending"><span role="status">${WORDS[status]}${known && `: ${number(done)} of ${number(total)}`}</span><progress class="sending__bar" ${known && html`value="${done}" max="${total}"`}></progress></label>`;
}

function show(one, { redraw = false } = {}) {
  const fresh = shown?.id !== one.id;
  const moved = redraw || fresh || shown.status !== one.status || UNDER_WAY.includes(one.status);
  shown = one;
  part("one").hidden = false;
  part("one-title").textContent = one.file_name;
  render(part("one-badge"), badge(one));
  render(part("state"), html``);
  if (moved) render(part("content"), UNDER_WAY.includes(one.status) ? progress(one) : outcome(one));
  clearTimeout(timer);
  if (UNDER_WAY.includes(one.status)) timer = setTimeout(() => follow(one.id), POLL);
  else if (!fresh) showHistory();
}

/** Ask again until it is through. @param {number} id */
async function follow(id) {
  const before = shown?.status;
  await loadInto(part("state"), {
    load: () => api.get(`/admin/imports/${id}`),
    show: (one) => {
      show(one);
      if (before && before !== one.status && one.status === "done") {
        toast(one.error_count ? "Import finished with problems" : "Products imported");
      }
    },
    failed: (error) => (dealtWith(error) ? null : failedPart(error, "How far it is could not be told")),
  });
}

function open(id) {
  history.replaceState(null, "", `?import=${id}`);
  part("one").hidden = false;
  return follow(id);
}

async function start() {
  const { id } = shown;
  try {
    show(await api.post(`/admin/imports/${id}/start`));
  } catch (error) {
    if (error.status === undefined) throw error;
    if (!dealtWith(error)) { toast(error.message, { seconds: 12 }); follow(id); }
  }
}

/** Check the file again, reading its numbers differently. */
async function readNumbers(numbers) {
  const { id } = shown;
  part("numbers").disabled = true;
  try {
    show(await api.patch(`/admin/imports/${id}`, { numbers }), { redraw: true });
    part("numbers")?.focus();
  } catch (error) {
    if (error.status === undefined) throw error;
    if (!dealtWith(error)) toast(error.message, { seconds: 12 });
    show(shown, { redraw: true });
  }
}

// ---- a new file

const wrong = (words) => { part("wrong").textContent = words; part("wrong").hidden = !words; };

async function send(file) {
  wrong("");
  const zip = /\.zip$/i.test(file.name) || file.type.includes("zip");
  if (!zip && !/\.csv$/i.test(file.name)) return wrong("Choose a CSV file, or a ZIP with a CSV and its pictures.");
  render(part("sending"), html`<label class="sending"><span>Sending ${file.name}</span><progress class="sending__bar" max="1" value="0"></progress></label>`);
  const bar = part("sending").querySelector("progress");
  const query = new URLSearchParams({ file_name: file.name.slice(-190), ...(part("format").value && { format: part("format").value }) });
  try {
    const one = await upload(`/admin/imports?${query}`, file, { type: zip ? "application/zip" : "text/csv", progress: (share) => { if (share < 1) bar.value = share; else bar.removeAttribute("value"); } });
    history.replaceState(null, "", `?import=${one.id}`);
    show(one);
    part("one-title").focus();
    showHistory();
  } catch (error) {
    if (error.status === undefined) throw error;
    if (!dealtWith(error)) wrong([error.message, ...Object.values(error.fields).flat()].filter((words, i, all) => all.indexOf(words) === i).join(" "));
  } finally {
    render(part("sending"), html``);
  }
}

// ---- out

async function take({ currentTarget: button }) {
  if (button.ariaBusy === "true") return;
  button.ariaBusy = "true";
  try {
    const { export: format } = button.dataset;
    const text = await proved(() => api.get("/admin/exports/products.csv", { params: { format }, download: true }));
    if (text !== null) saveFile(`products-${format}.csv`, text, "text/csv");
  } catch (error) {
    if (error.status === undefined) throw error;
    if (!dealtWith(error)) toast(error.message, { seconds: 12 });
  } finally {
    button.ariaBusy = null;
  }
}

// ---- earlier files

const line = (one) => html`<tr><th scope="row"><a href="?import=${one.id}" data-import="${one.id}">${one.file_name}</a></th><td>${badge(one)}</td><td class="table__amount">${number(one.total)}</td><td class="table__amount"><time datetime="${one.created_at}" title="${dateTime(one.created_at)}">${ago(one.created_at)}</time></td></tr>`;

const table = ({ items }) => html`<div class="import-scroll" role="region" aria-label="Table of earlier files" tabindex="0"><table class="table small"><thead><tr><th scope="col">File</th><th scope="col">State</th><th scope="col" class="table__amount">Products</th><th scope="col" class="table__amount">When</th></tr></thead><tbody>${items.map(line)}</tbody></table></div>`;

function showHistory() {
  const place = part("history");
  const more = (next) => {
    if (!next) return;
    append(place, html`<p><button class="button button--quiet button--small" type="button">Earlier</button></p>`).querySelector("button").addEventListener("click", async ({ currentTarget }) => {
      const found = await api.get("/admin/imports", { params: { after: next } }).catch((error) => { toast(error.message); });
      if (!found) return;
      currentTarget.parentElement.remove();
      append(place.querySelector("tbody"), html`${found.items.map(line)}`);
      more(found.next);
    });
  };
  return loadInto(place, {
    load: () => api.get("/admin/imports"),
    show: (list) => {
      render(place, list.items.length ? table(list) : html`<p class="soft">No file came in yet.</p>`);
      more(list.next);
    },
    failed: (error) => (dealtWith(error) ? null : failedPart(error, "Earlier files could not be listed")),
  });
}

// ---- hands

part("content").addEventListener("click", ({ target }) => { if (target.closest("[data-start]")) start(); });
part("content").addEventListener("change", ({ target }) => { if (target.matches("[data-numbers]")) readNumbers(target.value); });
part("history").addEventListener("click", (event) => {
  const link = event.target.closest("[data-import]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  open(Number(link.dataset.import)).then(() => part("one-title").focus());
});
for (const button of document.querySelectorAll("[data-export]")) button.addEventListener("click", take);
document.querySelector("#file").addEventListener("change", ({ target }) => { if (target.files[0]) send(target.files[0]); target.value = ""; });
const drop = part("drop");
drop.addEventListener("dragover", (event) => {
  if (![...event.dataTransfer.items].some(({ kind }) => kind === "file")) return;
  event.preventDefault();
  drop.classList.add("imports__new--over");
});
drop.addEventListener("dragleave", () => drop.classList.remove("imports__new--over"));
drop.addEventListener("drop", (event) => {
  drop.classList.remove("imports__new--over");
  if (!event.dataTransfer.files.length) return;
  event.preventDefault();
  send(event.dataTransfer.files[0]);
});

await staff;
showHistory();
const asked = Number(new URLSearchParams(location.search).get("import"));
if (asked) open(asked);

import { api, shop } from "../lib/api.js";
import { html, icon } from "../lib/html.js";
import { digitsOf, minorOf, money, number } from "../lib/format.js";
import { parseNumber, readNumber } from "../lib/numbers.js";
import { ask } from "../components/ask-dialog.js";
import { askWhichVersion } from "../components/conflict-dialog.js";
import { categories, categoryOptions } from "../components/category-options.js";
import { proved } from "../components/password-dialog.js";
import { dealtWith, staff } from "../components/staff.js";
import { emptyState } from "../components/states.js";
import { toast } from "../components/toast-stack.js";
import "../components/data-grid.js";

const grid = document.querySelector("data-grid");
const KINDS = { percent: "Per cent of the goods", fixed: "An amount", free_shipping: "Free delivery" };

await staff;
const { currency } = await shop();
const scale = 10 ** digitsOf(currency);

const worth = ({ kind, value }) => (kind === "percent" ? `${number(value / 100)} %` : kind === "fixed" ? money(value, currency) : "Delivery");
const called = ({ code, name }) => code ?? name;

function state({ active, starts_at: from, ends_at: until, most_uses: most, used_count: used }) {
  if (!active) return ["Off", "soft"];
  if (until && new Date(until) <= Date.now()) return ["Ended", "soft"];
  if (most !== null && used >= most) return ["Used up", "soft"];
  return from && new Date(from) > Date.now() ? ["To come", "warning"] : ["Running", "good"];
}
const used = ({ used_count: count, most_uses: most }) => (most === null ? number(count) : `${number(count)} of ${number(most)}`);

// ---- the form

const input = (name, label, value, more, optional = true) => html`<div class="field"><label class="field__label" for="${name}">${label}${optional && html` <span class="field__optional">(optional)</span>`}</label><input class="field__input" id="${name}" name="${name}" value="${value ?? ""}" autocomplete="off" ${more}></div>`;
const option = (value, label, chosen) => html`<option value="${value}" ${value === chosen && html`selected`}>${label}</option>`;
const localTime = (iso) => (iso ? new Date(new Date(iso) - new Date(iso).getTimezoneOffset() * 60_000).toISOString().slice(0, 16) : "");
const shown = ({ kind, value }) => (kind === "percent" ? value / 100 : kind === "fixed" ? (value / scale).toFixed(Math.log10(scale)) : "");

const fields = (one, tree) => html`
  <div class="field-row">${input("code", "Code", one.code, html`maxlength="40" minlength="3" pattern="[A-Za-z0-9 _\\-]+" autocapitalize="characters" spellcheck="false" data-invalid="Use 3 to 40 letters and digits."`)}
    ${input("name", "Name", one.name, html`maxlength="120" required data-missing="Say what shoppers read beside the discount."`, false)}</div>
  <p class="field__hint">Without a code it is an automatic discount that everybody gets.</p>
  <div class="field-row"><div class="field"><label class="field__label" for="kind">Takes off</label><span class="select"><select class="field__input" id="kind" name="kind" autocomplete="off" required>${Object.entries(KINDS).map(([value, label]) => option(value, label, one.kind))}</select>${icon("chevron-down")}</span></div>
    ${input("value", "How much", shown(one), html`inputmode="decimal" maxlength="12"`)}
    ${input("minimum", `From a value of goods of`, one.minimum_minor ? (one.minimum_minor / scale).toFixed(Math.log10(scale)) : "", html`inputmode="decimal" maxlength="12" data-decimals="${digitsOf(currency)}" data-invalid="Enter an amount like 50."`)}</div>
  <div class="field"><label class="field__label" for="category_id">For what is in</label><span class="select"><select class="field__input" id="category_id" name="category_id" autocomplete="off" ${one.product_id && html`disabled`}>${categoryOptions(tree, { chosen: one.category_id, none: one.product_id ? "One product" : "All categories" })}</select>${icon("chevron-down")}</span></div>
  <div class="field-row">${input("most_uses", "Uses in all", one.most_uses, html`type="number" min="1" step="1" data-invalid="Enter a whole number."`)}
    ${input("most_by_customer", "Uses by one customer", one.most_by_customer, html`type="number" min="1" step="1" data-invalid="Enter a whole number."`)}</div>
  <div class="field-row">${input("starts_at", "Begins", localTime(one.starts_at), html`type="datetime-local"`)}${input("ends_at", "Ends", localTime(one.ends_at), html`type="datetime-local"`)}</div>
  <label class="choice"><input class="choice__input" type="checkbox" name="active" ${one.active && html`checked`}><span class="choice__text">It can be used</span></label>`;

const decimalsOf = ({ kind }) => (kind === "percent" ? 2 : digitsOf(currency));
const whole = (value) => (Number.isInteger(value) ? value : null);
const moment = (text) => (text ? new Date(text).toISOString() : null);

const bodyOf = (values, { product_id = null }) => ({
  code: values.code ?? null, name: values.name, kind: values.kind,
  value: values.kind === "free_shipping" ? 0 : parseNumber(values.value ?? "", decimalsOf(values)) ?? 0,
  minimum_minor: minorOf(values.minimum ?? "", currency) ?? 0, category_id: product_id ? null : Number(values.category_id) || null, product_id,
  most_uses: whole(values.most_uses), most_by_customer: whole(values.most_by_customer),
  starts_at: moment(values.starts_at), ends_at: moment(values.ends_at), active: values.active,
});

const LABELS = { code: "Code", name: "Name", kind: "Takes off", value: "How much", minimum_minor: "From", category_id: "Category", most_uses: "Uses in all", most_by_customer: "Uses by one customer", starts_at: "Begins", ends_at: "Ends", active: "Can be used" };

/** Who saves what somebody else has changed meanwhile sees both and chooses. */
async function saveOver(one, body) {
  try {
    return await proved(() => api.put(`/admin/coupons/${one.id}`, body));
  } catch (error) {
    const { current } = error.body ?? {};
    if (error.status !== 409 || !current) throw error;
    const pairs = Object.entries(LABELS).map(([name, label]) => ({ label, mine: String(body[name] ?? ""), theirs: String(current[name] ?? "") }));
    const choice = await askWhichVersion(pairs.filter(({ mine, theirs }) => mine !== theirs), "this coupon");
    if (choice === "mine") return saveOver(one, { ...body, version: current.version });
    if (choice === "theirs") return current;
    throw error;
  }
}

async function edit(one) {
  const tree = await categories();
  const saved = await ask({
    title: one.id ? `Change ${called(one)}` : "New coupon", wide: true, action: one.id ? "Save" : "Add it",
    fields: fields(one, tree),
    check: (values) => ({ value: readNumber(values.value ?? "", decimalsOf(values), "Enter a number like 15 or 7.50.").problem }),
    send: (values) => (one.id ? saveOver(one, { ...bodyOf(values, one), version: one.version }) : proved(() => api.post("/admin/coupons", bodyOf(values, one)))),
  });
  if (!saved) return;
  if (one.id) grid.update(saved);
  else await grid.load();
  grid.querySelector(`tr[data-id="${saved.id}"]`)?.focus();
  toast(one.id ? "The coupon is saved." : "The coupon is added.");
}

async function remove(one) {
  const done = await ask({
    title: `Remove ${called(one)}?`, action: "Remove it", danger: true,
    text: one.used_count ? "Orders used it, so it stays listed and is switched off for good." : "No order has used it.",
    send: () => api.delete(`/admin/coupons/${one.id}`),
  });
  if (!done) return;
  await grid.load();
  toast(one.used_count ? "It is switched off." : "It is removed.");
}

/** What the shop refuses outside of a dialog is said in passing. */
async function told(act) {
  try {
    await act();
  } catch (error) {
    if (error.status === undefined) throw error;
    if (!dealtWith(error)) toast(error.message, { seconds: 12 });
  }
}

document.querySelector("[data-add]").addEventListener("click", () => told(() => edit({ kind: "percent", value: 1000, active: true })));
grid?.addEventListener("click", ({ target }) => {
  if (target.closest("[data-edit]")) told(() => edit(grid.rowOf(target)));
  if (target.closest("[data-remove]")) told(() => remove(grid.rowOf(target)));
});

grid?.start({
  path: "/admin/coupons",
  name: called,
  cells: {
    code: (row) => html`<button class="grid__link link-button" type="button" data-edit><span class="grid__text">${row.code ?? html`<span class="soft">automatic</span>`}</span><span class="visually-hidden">: change ${called(row)}</span></button>`,
    worth,
    state: (row) => html`<span class="badge badge--${state(row)[1]}">${state(row)[0]}</span>`,
    used,
    minimum: ({ minimum_minor: minimum }) => (minimum ? money(minimum, currency) : ""),
    remove: (row) => html`<button class="button button--plain button--small" type="button" data-remove>Remove<span class="visually-hidden"> ${called(row)}</span></button>`,
  },
  texts: { code: ({ code }) => code ?? "automatic", worth, state: (row) => state(row)[0], used, minimum: ({ minimum_minor: minimum }) => minimum / scale, remove: () => "" },
  nothing: emptyState({ title: "No coupons yet", text: "A coupon is a code that takes something off; without a code it is a discount for everybody." }),
});

import { api, shop } from "../lib/api.js";
import { handle, showProblems } from "../lib/form.js";
import { append, html, icon, render } from "../lib/html.js";
import { countryName, money, plural } from "../lib/format.js";
import { combobox } from "../components/combobox.js";
import { optionWords } from "../components/cart-lines.js";
import { amounts, explained } from "../components/order-amounts.js";
import { productPicture } from "../components/product-card.js";
import { proved } from "../components/password-dialog.js";
import { dealtWith, staff } from "../components/staff.js";
import { failedPart, loadInto } from "../components/states.js";
import { toast } from "../components/toast-stack.js";
import "../components/quantity-stepper.js";

const MOST_OF_ONE = 99;
const ADDRESS = ["name", "phone", "line1", "line2", "postcode", "city", "country"];

const CODES = ["coupon", "gift_card"];

const form = document.querySelector("[data-form]");
const part = (name) => document.querySelector(`[data-${name}]`);
const field = (name) => form.elements[name];
const chosen = (name) => form.querySelector(`input[name="${name}"]:checked`)?.value;
const typed = (name) => field(name).value.trim();

const lines = new Map(); // what is ordered, by variant: the goods as they were found, and how many
let customer = null;
let quote = null;
let asked;
let attempt;
let placed = false;

const named = ({ title, options }) => [title, optionWords(options)].filter(Boolean).join(", ");
const inALine = ({ name, line1, line2, postcode, city, country }) => [name, line1, line2, `${postcode} ${city}`, countryName(country)].filter(Boolean).join(", ");
const onTheShelf = ({ tracked, stock }) => (tracked ? (stock ? `${stock} in stock` : "Sold out") : "Always there");

// ---- the goods

const nothingFound = (what) => html`<p class="suggestions__title" role="option" aria-disabled="true">${what}</p>`;

async function offerGoods(text, signal) {
  if (!text) return html``;
  const { items, currency } = await api.get("/admin/orders/goods", { params: { q: text }, signal });
  offerGoods.found = new Map(items.map((one) => [String(one.variant_id), { ...one, currency }]));
  return items.length ? html`<ul class="suggestions__group" role="group" aria-label="Goods">${items.map((one) => html`<li role="presentation"><button class="suggestions__option" type="button" role="option" aria-selected="false" tabindex="-1" data-variant="${one.variant_id}">
    <span class="suggestions__picture">${productPicture(one.image, { alt: "", eager: true })}</span><span class="suggestions__name">${named(one)} <span class="suggestions__more">${[one.sku, onTheShelf(one)].filter(Boolean).join(" · ")}</span></span>
    <span class="suggestions__price">${money(one.price_minor, currency)}</span></button></li>`)}</ul>` : nothingFound("Nothing on sale is called so.");
}

const line = (one) => html`<li class="desk-goods__line" data-line="${one.variant_id}"><span class="desk-goods__picture">${productPicture(one.image, { alt: "", sizes: "48px" })}</span>
  <div><p>${one.title}<span class="soft"> ${optionWords(one.options)}</span></p><p class="soft small">${[one.sku, onTheShelf(one), money(one.price_minor, one.currency)].filter(Boolean).join(" · ")}</p><p class="field__error" data-short hidden></p></div>
  <div class="desk-goods__count"><quantity-stepper class="stepper">
      <button class="stepper__button" type="button" data-step="-1">${icon("minus")}<span class="visually-hidden">One ${named(one)} fewer</span></button>
      <input class="stepper__value" type="number" id="quantity-${one.variant_id}" inputmode="numeric" min="1" max="${MOST_OF_ONE}" value="${one.quantity}" aria-label="Quantity of ${named(one)}">
      <button class="stepper__button" type="button" data-step="1">${icon("plus")}<span class="visually-hidden">One ${named(one)} more</span></button>
    </quantity-stepper>
    <button class="icon-button" type="button" data-remove>${icon("close")}<span class="visually-hidden">Remove ${named(one)}</span></button></div>
  <p class="figures nowrap desk-goods__amount" data-amount></p></li>`;

const rowOf = (id) => part("lines").querySelector(`[data-line="${id}"]`);

function add(found) {
  const known = lines.get(found.variant_id);
  lines.set(found.variant_id, { ...found, quantity: Math.min(MOST_OF_ONE, (known?.quantity ?? 0) + 1) });
  if (known) rowOf(found.variant_id).querySelector("quantity-stepper").quantity = lines.get(found.variant_id).quantity;
  else append(part("lines").querySelector("ul") ?? append(part("lines"), html`<ul class="desk-goods"></ul>`), line(lines.get(found.variant_id)));
  part("told").textContent = `${named(found)} was added.`;
  field("goods").value = "";
  requote();
}

function remove(id) {
  const gone = lines.get(id);
  const row = rowOf(id);
  const next = row.nextElementSibling ?? row.previousElementSibling;
  lines.delete(id);
  row.remove();
  (next?.querySelector("[data-remove]") ?? field("goods")).focus();
  toast(`${named(gone)} was removed.`, { action: { label: "Undo", run: () => { add(gone); setQuantity(gone.variant_id, gone.quantity); rowOf(gone.variant_id).querySelector("quantity-stepper").quantity = gone.quantity; } } });
  requote();
}

function setQuantity(id, quantity) {
  lines.get(id).quantity = quantity;
  requote();
}

const idOf = (element) => Number(element.closest("[data-line]").dataset.line);

// ---- the customer

async function offerCustomers(text, signal) {
  if (!text) return html``;
  const { items } = await api.get("/admin/orders/customers", { params: { q: text }, signal });
  offerCustomers.found = new Map(items.map((one) => [String(one.id), one]));
  return items.length ? html`<ul class="suggestions__group" role="group" aria-label="Accounts">${items.map((one) => html`<li role="presentation"><button class="suggestions__option" type="button" role="option" aria-selected="false" tabindex="-1" data-account="${one.id}">
    ${icon("user")}<span class="suggestions__name">${fullName(one) || one.username} <span class="suggestions__more">${[fullName(one) && one.username, one.email].filter(Boolean).join(" · ")}</span></span></button></li>`)}</ul>`
    : nothingFound("No account. Enter the e-mail address below; the order is then a guest's.");
}

const fullName = ({ first_name: first, last_name: last }) => [first, last].filter(Boolean).join(" ");

const savedAddresses = ({ addresses }) => html`<span class="select"><label class="visually-hidden" for="saved">Saved address</label><select class="field__input" id="saved" autocomplete="off"><option value="">Saved addresses</option>
  ${addresses.map((one, i) => html`<option value="${i}">${[one.label, inALine(one)].filter(Boolean).join(": ")}</option>`)}</select><span class="select__arrow">${icon("chevron-down")}</span></span>`;

function fill(values) {
  for (const name of ADDRESS) field(`address.${name}`).value = values[name] ?? "";
}

function serve(found) {
  customer = found;
  part("search").hidden = customer !== null;
  part("customer").hidden = customer === null;
  part("saved").hidden = !customer?.addresses.length;
  part("email-hint").textContent = customer ? "The confirmation goes here." : "The confirmation goes here. If an account has this address, the order is put into it.";
  if (!customer) {
    field("customer").focus();
    return requote();
  }
  render(part("customer"), html`<div class="desk-person">${icon("user")}<p><strong>${fullName(customer) || customer.username}</strong><span class="soft"> ${customer.username}</span></p><button class="button button--quiet button--small" type="button" data-another>Somebody else</button></div>`);
  field("customer").value = "";
  field("email").value = customer.email;
  render(part("saved"), savedAddresses(customer));
  const [first] = customer.addresses;
  if (first) part("saved").querySelector("select").value = "0";
  fill(first ?? { name: fullName(customer), phone: customer.phone, country: field("address.country").value });
  field("email").focus({ preventScroll: true });
  return requote();
}

// ---- what it costs

const items = () => [...lines.values()].map(({ variant_id, quantity }) => ({ variant_id, quantity }));

const wish = () => ({
  items: items(),
  ...(customer && { user_id: customer.id }),
  ...(typed("email") && field("email").validity.valid && { email: typed("email") }),
  ...(typed("coupon") && { coupon: typed("coupon") }),
  ...(typed("gift_card") && { gift_card: typed("gift_card") }),
});

const quoteRequest = () => ({
  ...wish(),
  ...(field("address.country").value && { address: { country: field("address.country").value } }),
  ...(chosen("shipping_method") && { shipping_method: chosen("shipping_method") }),
});

const choice = ({ name, code, title, note, end, checked }) => html`<label class="choice"><input class="choice__input" type="radio" name="${name}" id="${name}-${code}" value="${code}" required ${checked && html`checked`}><span class="choice__text">${title}${note && html`<span class="choice__note">${note}</span>`}</span>${end && html`<span class="choice__end">${end}</span>`}</label>`;

function showChoices() {
  const focused = document.activeElement?.id;
  const pay = chosen("payment_method") ?? quote.payment_methods[0]?.code;
  render(part("shipping"), html`${quote.shipping_methods.map((one) => choice({ name: "shipping_method", code: one.code, title: one.name, note: one.days && `${one.days} working days`, end: one.price_minor ? money(one.price_minor, quote.currency) : "Free", checked: one.code === quote.shipping_method }))}
    ${!quote.shipping_methods.length && html`<p class="soft small">Nothing goes there.</p>`}`);
  part("pays").hidden = quote.due_minor === 0 && quote.gift_card !== null;
  render(part("payment"), html`${quote.payment_methods.map((one) => choice({ name: "payment_method", code: one.code, title: one.name, checked: one.code === pay }))}`);
  if (focused && document.activeElement === document.body) document.getElementById(focused)?.focus();
}

function showCode(name, good) {
  const refusal = quote.requirements.find(({ code }) => code === name)?.message;
  const told = part(`${name.replace("_", "-")}-told`);
  told.className = refusal ? "field__error" : "field__hint";
  render(told, refusal ? html`${icon("warning")}<span>${refusal}</span>` : html`${good}`);
}

function showLines() {
  for (const one of quote.lines) {
    const row = rowOf(one.variant_id);
    if (!row) continue;
    row.querySelector("[data-amount]").textContent = money(one.line_minor, quote.currency);
    const short = row.querySelector("[data-short]");
    const missing = one.tracked && one.stock < one.quantity || !one.available;
    short.hidden = !missing;
    render(short, html`${icon("warning")}<span>${!one.available ? "No longer on sale" : one.stock ? `Only ${one.stock} in stock` : "Sold out"}</span>`);
  }
}

function showQuote(now, { tell = false } = {}) {
  const before = quote?.due_minor;
  quote = now;
  showLines();
  showChoices();
  showCode("coupon", quote.coupon && `${quote.coupon} is taken off.`);
  showCode("gift_card", quote.gift_card && `It pays ${money(quote.gift_card_minor, quote.currency)}; ${money(quote.gift_card.balance_minor - quote.gift_card_minor, quote.currency)} is left on it.`);
  render(part("total"), html`${amounts(quote)}${explained(quote, quote.lines)}`);
  const missing = quote.requirements.filter(({ code }) => ["country", "shipping_method"].includes(code));
  render(part("problem"), html`${missing.map(({ message }) => html`<p class="alert alert--warning small">${icon("warning")}<span class="alert__text">${message}</span></p>`)}`);
  const due = money(quote.due_minor, quote.currency);
  part("due").textContent = due;
  if (tell && before !== quote.due_minor) part("told").textContent = `The total is now ${due}.`;
}

async function requote() {
  asked?.abort();
  asked = new AbortController();
  if (!lines.size) {
    quote = null;
    render(part("lines"), html``);
    render(part("problem"), html``);
    part("due").textContent = "";
    render(part("total"), html`<p class="soft small">Add goods, and what they cost is reckoned here.</p>`);
    return;
  }
  part("total").querySelector("[data-amounts]")?.setAttribute("aria-busy", "true");
  await loadInto(part("problem"), {
    load: () => api.post("/admin/orders/quote", quoteRequest(), { signal: asked.signal }),
    show: (now) => showQuote(now, { tell: true }),
    failed: (error) => (dealtWith(error) ? null : failedPart(error, "The total could not be reckoned")),
  });
}

// ---- the order

/** One key for one attempt: the same order sent again, by a second press, is the same order. */
function place(values) {
  const text = JSON.stringify({
    ...wish(), address: values.address, shipping_method: values.shipping_method, payment_method: values.payment_method,
    ...(values.note && { note: values.note }), expected_due_minor: quote.due_minor,
  });
  if (attempt?.text !== text) attempt = { text, key: crypto.randomUUID() };
  return proved(() => api.post("/admin/orders", JSON.parse(text), { key: attempt.key }));
}

function refused(error) {
  const wrong = Object.keys(error.fields);
  if (error.status > 0) attempt = undefined;
  if (dealtWith(error)) return true;
  if (error.code === "quote_changed") {
    const before = money(quote.due_minor, quote.currency);
    showQuote(error.body.quote);
    showProblems(form, [{ message: `The total changed from ${before} to ${money(quote.due_minor, quote.currency)} in the meantime. Please tell the customer, and place the order again.` }]);
  } else if (error.code === "out_of_stock") {
    requote();
    showProblems(form, error.body.lines.map((one) => ({ href: `#quantity-${one.variant_id}`, message: one.stock ? `${named(one)}: ${one.wanted} wanted, only ${one.stock} in stock.` : `${named(one)} has sold out.` })));
  } else if (wrong.length && wrong.every((name) => CODES.includes(name))) {
    // What is wrong with a code stands below it already.
    requote();
    showProblems(form, wrong.map((name) => ({ message: error.fields[name][0], href: `#${name.replace("_", "-")}` })));
  } else return false;
  return true;
}

function done(order) {
  if (!order) return;
  placed = true;
  toast(`Order ${order.number} is placed, for ${plural(order.items.reduce((sum, { quantity }) => sum + quantity, 0), "piece")}.`);
  location.assign(`/admin/orders/${order.number}`);
}

// ---- arriving

function showCountries({ shipping_countries: countries }) {
  const select = field("address.country");
  render(select, html`<option value="">Choose a country</option>${countries.map(({ code, name }) => html`<option value="${code}">${name}</option>`)}`);
  if (countries.length === 1) select.value = countries[0].code;
}

function listen() {
  combobox(field("goods"), document.getElementById("goods-found"), offerGoods, { first: true });
  combobox(field("customer"), document.getElementById("customers-found"), offerCustomers, { first: true });
  form.addEventListener("click", ({ target }) => {
    const variant = target.closest("[data-variant]");
    const account = target.closest("[data-account]");
    if (variant) add(offerGoods.found.get(variant.dataset.variant));
    else if (account) serve(offerCustomers.found.get(account.dataset.account));
    else if (target.closest("[data-remove]")) remove(idOf(target));
    else if (target.closest("[data-another]")) serve(null);
  });
  form.addEventListener("quantity:changed", ({ target, detail }) => setQuantity(idOf(target), detail));
  form.addEventListener("change", ({ target }) => {
    if (target.id === "saved" && target.value) fill(customer.addresses[Number(target.value)]);
    if (["address.country", "shipping_method", "coupon", "gift_card", "email"].includes(target.name) || target.id === "saved") requote();
  });
  handle(form, { check: () => (lines.size ? {} : { goods: "Add what is ordered." }), send: place, done, refused });
  window.addEventListener("beforeunload", (event) => { if (lines.size && !placed) event.preventDefault(); });
}

async function arrive() {
  await staff;
  await loadInto(part("problem"), { load: shop, show: showCountries, failed: (error) => failedPart(error, "The countries could not be loaded") });
}

listen();
arrive();

import { api } from "../lib/api.js";
import { handle, valuesOf } from "../lib/form.js";
import { append, html, icon, render } from "../lib/html.js";
import { digitsOf, minorOf, money } from "../lib/format.js";
import { parseNumber, readNumber } from "../lib/numbers.js";
import { askWhichVersion } from "../components/conflict-dialog.js";
import { editableRows } from "../components/editable-rows.js";
import { inWords } from "../components/order-amounts.js";
import { proved } from "../components/password-dialog.js";
import { dealtWith, staff } from "../components/staff.js";
import { failedState, loadInto } from "../components/states.js";
import { toast } from "../components/toast-stack.js";

const part = (name) => document.querySelector(`[data-${name}]`);
const parts = new Map(); // section → what it has open: form, version, saved
let page;
let currency;

// ---- fields

const amountField = () => html`inputmode="decimal" maxlength="12" data-decimals="${digitsOf(currency)}" data-invalid="Enter an amount like 4.90."`;
const PERCENT = html`inputmode="decimal" maxlength="6" data-decimals="2" data-invalid="Enter a percentage like 19 or 8.1."`;
const WHOLE = html`inputmode="numeric" maxlength="8" data-decimals="0" data-invalid="Enter a whole number."`;
const LIST = html`spellcheck="false" autocapitalize="characters" maxlength="300" pattern="\\s*[A-Za-z]{2}(\\s*,\\s*[A-Za-z]{2})*\\s*,?\\s*" data-invalid="Enter codes of countries like DE, FR."`;
const STEPS = html`spellcheck="false" maxlength="300" data-steps`;
const REQUIRED = html`required`;

const input = (name, label, value, { more, needed, hint } = {}) => html`<div class="field"><label class="field__label" for="${name}">${label}${!needed && html` <span class="field__optional">(optional)</span>`}</label>
  <input class="field__input" id="${name}" name="${name}" value="${value ?? ""}" autocomplete="off" ${more} ${needed && REQUIRED} ${hint && html`aria-describedby="${name}-hint"`}>${hint && html`<p class="field__hint" id="${name}-hint">${hint}</p>`}</div>`;
const select = (name, label, options, chosen) => html`<div class="field"><label class="field__label" for="${name}">${label}</label><span class="select"><select class="field__input" id="${name}" name="${name}" autocomplete="off" required>
  ${options.map(([value, text]) => html`<option value="${value}" ${value === chosen && html`selected`}>${text}</option>`)}</select>${icon("chevron-down")}</span></div>`;
const box = (name, text, checked, { note, off, value } = {}) => html`<label class="choice"><input class="choice__input" type="checkbox" id="${value ? `${name}-${value}` : name}" name="${name}" ${value && html`value="${value}"`} ${checked && html`checked`} ${off && html`disabled`}><span class="choice__text">${text}${note && html`<span class="choice__note">${note}</span>`}</span></label>`;
const radio = (name, value, text, checked) => html`<label class="choice"><input class="choice__input" type="radio" id="${name}-${value}" name="${name}" value="${value}" ${checked && html`checked`}><span class="choice__text">${text}</span></label>`;

const typedAmount = (minor) => (minor === null || minor === undefined ? "" : (minor / 10 ** digitsOf(currency)).toFixed(digitsOf(currency)));
const points = (text) => parseNumber(text, 2);
const whole = (text) => parseNumber(text, 0);
const codesOf = (text) => text.toUpperCase().split(",").map((one) => one.trim()).filter(Boolean);
const pairsOf = (text) => text.split(";").filter((one) => one.trim()).map((one) => one.split("="));
const stepsOf = (text) => pairsOf(text).map(([weight, price = ""]) => ({ up_to_g: whole(weight), price_minor: minorOf(price, currency) }));

/** What is wrong with steps like "1000 = 4.90; 5000 = 7.90". @param {string} text */
function stepsProblem(text) {
  const example = "Enter steps like 1000 = 4.90; 5000 = 7.90.";
  if (pairsOf(text).some((pair) => pair.length !== 2 || pair.some((one) => !one.trim()))) return example;
  const numbers = pairsOf(text).flatMap(([weight, price]) => [readNumber(weight, 0, example), readNumber(price, digitsOf(currency), example)]);
  return numbers.find(({ problem }) => problem)?.problem ?? "";
}

const typedSteps = (steps = []) => steps.map(({ up_to_g: weight, price_minor: price }) => `${weight} = ${typedAmount(price)}`).join("; ");
const countryOptions = () => page.countries.map(({ code, name }) => [code, name]);
const checkedOf = (form, name) => [...form.querySelectorAll(`[name="${name}"]:checked`)].map(({ value }) => value);

// ---- sections: what each shows, and what it sends

const PAYMENTS = [["stripe", "Card"], ["bank_transfer", "Bank transfer"], ["cash_on_delivery", "Cash on delivery"], ["test", "Test payment"]];
const STRIPE = { off: "Not offered: STRIPE_SECRET_KEY is not set in the environment.", test: "Stripe's keys are set, in test mode: no money moves.", live: "Stripe's keys are set, in live mode." };
const notes = () => ({
  stripe: `${STRIPE[page.environment.stripe]} An order holds its goods for ${page.environment.online_minutes} minutes.`,
  test: page.environment.test_payments ? "On this machine only; never offered in production." : "Not offered: only for trying the shop on one's own machine.",
});

const SECTIONS = {
  shop: {
    title: "Shop", about: "What shoppers read on pages, mails and invoices. Mails about new orders go to this address.",
    draw: ({ name, seller, tax_number: tax, invoice_note: note, currency: now }) => html`
      ${input("name", "Name of the shop", name, { needed: true, more: html`maxlength="80"` })}
      <div class="choices__pair">${input("seller.name", "Seller, as on invoices", seller.name, { needed: true, more: html`maxlength="120"` })}${input("seller.email", "E-mail", seller.email, { needed: true, more: html`type="email" maxlength="254" data-invalid="Enter an e-mail address like name@example.com."` })}</div>
      <div class="choices__pair">${input("seller.line1", "Street and number", seller.line1, { needed: true, more: html`maxlength="160"` })}${input("seller.line2", "More of the address", seller.line2, { more: html`maxlength="160"` })}</div>
      <div class="choices__pair">${input("seller.postcode", "Postcode", seller.postcode, { needed: true, more: html`maxlength="20"` })}${input("seller.city", "City", seller.city, { needed: true, more: html`maxlength="120"` })}${select("seller.country", "Country", seller.country ? countryOptions() : [["", "Choose a country"], ...countryOptions()], seller.country)}</div>
      <div class="choices__pair">${input("tax_number", "VAT number", tax, { more: html`maxlength="40"` })}${input("currency", "Currency", now, { needed: true, more: html`maxlength="3" spellcheck="false" ${page.currency_fixed && html`readonly`}`, hint: page.currency_fixed ? "Fixed, since there are orders in it." : "Three letters, such as EUR. It is fixed by the first order." })}</div>
      ${input("invoice_note", "At the foot of every invoice", note, { more: html`maxlength="300"` })}
      <p class="field__hint">Mails come from ${page.environment.mail_from || "an address made of the shop's own"}${page.environment.mail_host ? `, by ${page.environment.mail_host}` : "; no mail server is set, so they are only written to a folder"}. MAIL_FROM and MAIL_HOST in the environment change that.</p>`,
    value: (form) => { const given = valuesOf(form); return { tax_number: "", invoice_note: "", ...given, currency: given.currency.toUpperCase(), seller: { line2: "", ...given.seller } }; },
  },
  taxes: {
    title: "Taxes", about: "A rate for a country goes before the rate for all others. Goods are of the class “standard” unless a product says otherwise.",
    draw: ({ prices_include_tax: included, tax_rate_bp: rate }) => html`
      <fieldset><legend>Prices of products</legend>${radio("prices_include_tax", "yes", "include tax, as shoppers in Europe expect", included)}${radio("prices_include_tax", "no", "are without tax; it is added at the checkout", !included)}</fieldset>
      <div class="choices__pair">${input("tax_rate_bp", "Rate for all other countries, per cent", rate / 100, { needed: true, more: PERCENT })}</div>
      <div data-rows role="group" aria-label="Rates by country"></div>`,
    rows: {
      key: "tax_rates", noun: "a rate", none: "One rate for all countries.", blank: { country: "DE", tax_class: "standard", rate_bp: 1900 },
      draw: (row, at) => html`<div class="choices__pair">${select(`${at}.country`, "Country", countryOptions(), row.country)}${input(`${at}.tax_class`, "Class of goods", row.tax_class, { needed: true, more: html`maxlength="16" pattern="[a-z][a-z0-9_\\-]*" spellcheck="false" autocapitalize="none" data-invalid="Use small letters, such as reduced."` })}${input(`${at}.rate_bp`, "Per cent", row.rate_bp / 100, { needed: true, more: PERCENT })}</div>`,
      read: (field) => ({ country: field("country").value, tax_class: field("tax_class").value.trim(), rate_bp: points(field("rate_bp").value) }),
    },
    value: (form) => ({ prices_include_tax: form.elements.prices_include_tax.value === "yes", tax_rate_bp: points(form.elements.tax_rate_bp.value) }),
  },
  delivery: {
    title: "Delivery", about: "Shoppers see the ways that reach their country, in this order. The first one is chosen for them.",
    draw: ({ shipping_countries: chosen }) => html`
      <fieldset><legend>Where you deliver</legend><div class="choices__countries" role="region" aria-label="Countries" tabindex="0">${page.countries.map(({ code, name }) => box("shipping_countries", name, chosen.includes(code), { value: code }))}</div></fieldset>
      <div data-rows role="group" aria-label="Ways of delivery"></div>`,
    rows: {
      key: "shipping_methods", noun: "a way", none: "Without a way nobody can order.", blank: { code: "", name: "", price_minor: 0, free_from_minor: null, days: "", countries: [] },
      draw: (row, at) => html`<input type="hidden" name="${at}.code" value="${row.code}">
        <div class="choices__pair">${input(`${at}.name`, "Name", row.name, { needed: true, more: html`maxlength="80"` })}${input(`${at}.days`, "Days", row.days, { more: html`maxlength="20" placeholder="2–4"` })}</div>
        <div class="choices__pair">${input(`${at}.price_minor`, `Price, ${currency}`, typedAmount(row.price_minor), { needed: true, more: amountField() })}${input(`${at}.free_from_minor`, "Free from", typedAmount(row.free_from_minor), { more: amountField() })}${input(`${at}.most_weight_g`, "Up to, g", row.most_weight_g, { more: WHOLE })}</div>
        <div class="choices__pair">${input(`${at}.by_weight`, "Lower prices by weight", typedSteps(row.by_weight), { more: STEPS, hint: "Up to so many grams = price: 1000 = 4.90; 5000 = 7.90. What is heavier costs the price above." })}${input(`${at}.countries`, "Only for", (row.countries ?? []).join(", "), { more: LIST, hint: "Codes such as DE, FR. Empty: for all." })}</div>
        ${box(`${at}.pickup`, "Picked up at the shop", row.pickup, { note: "Offered to everybody. Say where in the name." })}`,
      read: (field) => ({
        code: field("code").value, name: field("name").value.trim(), days: field("days").value.trim(), price_minor: minorOf(field("price_minor").value, currency), free_from_minor: minorOf(field("free_from_minor").value, currency),
        most_weight_g: whole(field("most_weight_g").value), by_weight: stepsOf(field("by_weight").value), countries: codesOf(field("countries").value), pickup: field("pickup").checked,
      }),
    },
    value: (form) => ({ shipping_countries: checkedOf(form, "shipping_countries") }),
  },
  payments: {
    title: "Ways to pay", about: "Saving asks for your password if you have not given it lately.",
    draw: ({ payment_methods: chosen, bank_account: account, transfer_days: days }) => html`
      <fieldset><legend>Offered at the checkout</legend>${PAYMENTS.map(([code, name]) => box("payment_methods", name, chosen.includes(code), { value: code, note: notes()[code] }))}</fieldset>
      <div class="choices__pair">${input("bank_account", "Account for transfers", account, { more: html`maxlength="160"`, hint: "As shoppers shall read it, such as IBAN and bank." })}${input("transfer_days", "Days to wait for a transfer", days, { needed: true, more: WHOLE, hint: "So long the goods are held." })}</div>`,
    value: (form) => ({ payment_methods: checkedOf(form, "payment_methods"), bank_account: form.elements.bank_account.value.trim(), transfer_days: whole(form.elements.transfer_days.value) }),
  },
  orders: {
    title: "Orders and stock", about: "",
    draw: ({ low_stock: low, return_days: days, gift_card_years: years }) => html`<div class="choices__pair">
      ${input("low_stock", "Stock is low at", low, { needed: true, more: WHOLE, hint: "Pieces, or fewer." })}${input("return_days", "Days for a return", days, { needed: true, more: WHOLE, hint: "After the last parcel left." })}${input("gift_card_years", "Years of a gift card", years, { more: WHOLE, hint: "Empty: for ever." })}</div>`,
    value: ({ elements }) => ({ low_stock: whole(elements.low_stock.value), return_days: whole(elements.return_days.value), gift_card_years: whole(elements.gift_card_years.value) }),
  },
  levels: {
    title: "Customer levels", about: "By what customers have spent. The discount is taken off the goods of each order.",
    draw: () => html`<div data-rows role="group" aria-label="Levels"></div>`,
    rows: {
      key: "levels", noun: "a level", none: "No levels: all customers are alike.", blank: { code: "", name: "", from_minor: 0, discount_percent: 0 },
      draw: (row, at) => html`<input type="hidden" name="${at}.code" value="${row.code}"><div class="choices__pair">${input(`${at}.name`, "Name", row.name, { needed: true, more: html`maxlength="40"` })}${input(`${at}.from_minor`, `Spent from, ${currency}`, typedAmount(row.from_minor), { needed: true, more: amountField() })}${input(`${at}.discount_percent`, "Discount, per cent", row.discount_percent, { needed: true, more: WHOLE })}</div>`,
      read: (field) => ({ code: field("code").value, name: field("name").value.trim(), from_minor: minorOf(field("from_minor").value, currency), discount_percent: whole(field("discount_percent").value) }),
    },
    value: () => ({}),
  },
  customers: {
    title: "Customers", about: "Saving asks for your password if you have not given it lately.",
    draw: ({ cart_reminder_hours: hours, ticket_coupon_percent: percent, ticket_coupon_minor: amount }) => html`<div class="choices__pair">
      ${input("cart_reminder_hours", "Remind of carts, hours", hours, { needed: true, more: WHOLE, hint: "After a cart was left, once, to accounts that asked for it. 0: never." })}${input("ticket_coupon_percent", "Largest coupon, per cent", percent, { needed: true, more: WHOLE, hint: "That staff may give in a ticket." })}${input("ticket_coupon_minor", `Largest coupon, ${currency}`, typedAmount(amount), { more: amountField(), hint: "Empty: any amount." })}</div>`,
    value: ({ elements }) => ({ cart_reminder_hours: whole(elements.cart_reminder_hours.value), ticket_coupon_percent: whole(elements.ticket_coupon_percent.value), ticket_coupon_minor: minorOf(elements.ticket_coupon_minor.value, currency) }),
  },
  staff: {
    title: "Staff", about: "",
    draw: ({ staff_totp: on }) => box("staff_totp", "Staff and admins sign in by two steps", on, { note: "Who has not set it up is led there first, you included." }),
    value: ({ elements }) => ({ staff_totp: elements.staff_totp.checked }),
  },
  backups: {
    title: "Backups", about: "The newest backup that is proven is kept, however old it is.",
    draw: ({ backup_nightly: on, backup_hour: hour, backup_days: days }) => html`
      ${box("backup_nightly", "Make and prove a backup each night", on)}
      <div class="choices__pair">${select("backup_hour", "At", Array.from({ length: 24 }, (_, i) => [i, `${String(i).padStart(2, "0")}:00 UTC`]), hour)}${input("backup_days", "Days to keep backups", days, { needed: true, more: WHOLE })}</div>`,
    value: ({ elements }) => ({ backup_nightly: elements.backup_nightly.checked, backup_hour: Number(elements.backup_hour.value), backup_days: whole(elements.backup_days.value) }),
  },
  retention: {
    title: "How long things are kept", about: "In days; then they are forgotten by themselves. Orders, invoices and their mails stay, as the law wants, and so do events.",
    draw: ({ guest_days: guests, key_days: keys, mail_days: mails, message_days: messages }) => html`<div class="choices__pair">
      ${input("guest_days", "Carts and wishes of guests", guests, { needed: true, more: WHOLE, hint: "7 to 90." })}${input("mail_days", "Mails that belong to no order", mails, { needed: true, more: WHOLE, hint: "30 to 3650." })}</div><div class="choices__pair">
      ${input("message_days", "Messages that are dealt with", messages, { needed: true, more: WHOLE, hint: "30 to 3650." })}${input("key_days", "Idempotency keys of scripts", keys, { needed: true, more: WHOLE, hint: "30 to 365." })}</div>`,
    value: ({ elements }) => Object.fromEntries(["guest_days", "key_days", "mail_days", "message_days"].map((name) => [name, whole(elements[name].value)])),
  },
};

const LABELS = {
  name: "Name", seller: "Seller", tax_number: "VAT number", invoice_note: "Foot of invoices", currency: "Currency", prices_include_tax: "Prices include tax", tax_rate_bp: "Rate for all others", tax_rates: "Rates by country",
  shipping_countries: "Countries", shipping_methods: "Ways of delivery", payment_methods: "Ways to pay", bank_account: "Account", transfer_days: "Days to wait", low_stock: "Stock is low at", return_days: "Days for a return",
  gift_card_years: "Years of a gift card", levels: "Levels", cart_reminder_hours: "Hours until a cart is reminded of", ticket_coupon_percent: "Coupons in tickets, per cent", ticket_coupon_minor: "Coupons in tickets", staff_totp: "Two steps for staff", backup_nightly: "Each night", backup_hour: "At", backup_days: "Days to keep backups", guest_days: "Carts of guests", key_days: "Keys of scripts", mail_days: "Mails", message_days: "Messages",
};

// ---- saving

const isChanged = (one) => JSON.stringify(one.value()) !== one.saved;

function changed(one) {
  const told = isChanged(one) ? "Unsaved changes" : "";
  if (one.dirty.textContent !== told) one.dirty.textContent = told;
}

function fill(one, { version, values }) {
  const { draw, rows } = SECTIONS[one.name];
  one.version = version;
  render(one.fields, html`${draw(values)}`);
  if (rows) {
    one.rows = editableRows(one.fields.querySelector("[data-rows]"), { ...rows, name: rows.key, changed: () => changed(one) });
    one.rows.show(values[rows.key]);
  }
  one.saved = JSON.stringify(one.value());
  changed(one);
}

/** A value as it is read: one line for each row, and no brackets. */
function told(value) {
  if (typeof value === "boolean") return value ? "Yes" : "No";
  if (Array.isArray(value)) return value.map(told).join(typeof value[0] === "object" ? "\n" : ", ");
  return value && typeof value === "object" ? Object.entries(value).filter(([name, one]) => name !== "code" && one !== null && one !== "" && one !== false && told(one) !== "").map(([name, one]) => `${name.replace(/_(minor|bp|g)$/, "").replaceAll("_", " ")} ${name.endsWith("_minor") ? money(one, currency) : name.endsWith("_bp") ? `${one / 100} %` : told(one)}`).join(", ") : String(value ?? "");
}

async function settle(one, current) {
  const mine = one.value();
  const pairs = Object.keys(current.values).map((name) => ({ label: LABELS[name], mine: told(mine[name]), theirs: told(current.values[name]) }));
  const choice = await askWhichVersion(pairs.filter((pair) => pair.mine !== pair.theirs), "these settings");
  if (choice === "theirs") fill(one, current);
  if (choice !== "mine") return;
  one.version = current.version;
  one.form.requestSubmit();
}

/** What the API says about a part of a field is shown beside the field. */
function namedAsHere(form, fields) {
  const here = new Set([...form.elements].map(({ name }) => name));
  return Object.fromEntries(Object.entries(fields).map(([name, messages]) => {
    const steps = name.split(".");
    while (steps.length && !here.has(steps.join("."))) steps.pop();
    return [steps.join(".") || (here.has(`${name}.name`) ? `${name}.name` : name), messages];
  }));
}

async function save(one) {
  try {
    return await proved(() => api.put(`/admin/settings/${one.name}`, { ...one.value(), version: one.version }));
  } catch (error) {
    if (error.fields) error.fields = namedAsHere(one.form, error.fields);
    throw error;
  }
}

async function done(one, answer) {
  if (!answer) return;
  fill(one, answer);
  toast(`${SECTIONS[one.name].title}: saved.`);
  page = await api.get("/admin/settings").catch(() => page);
  warn();
  if (part("estimated").children.length) part("estimate").requestSubmit();
}

function warn() {
  for (const { name, warnings } of parts.values()) {
    const found = page.warnings.filter(({ section }) => section === name);
    render(warnings, html`${found.map(({ text }) => html`<div class="alert alert--warning">${icon("warning")}<p class="alert__text">${text}</p></div>`)}`);
  }
}

function open(name) {
  const { title, about, value } = SECTIONS[name];
  const section = append(part("state"), html`<section class="panel choices__part" id="${name}" aria-labelledby="${name}-title">
    <div class="panel__head"><h2 class="panel__title" id="${name}-title">${title}</h2></div>
    <form class="choices__fields" method="post" novalidate>${about && html`<p class="soft small">${about}</p>`}<div class="choices__fields" data-warnings></div><div class="choices__fields" data-fields></div>
      <p class="choices__end"><button class="button" type="submit" aria-keyshortcuts="Control+Enter">Save<span class="visually-hidden"> ${title.toLowerCase()}</span></button><span class="choices__dirty" role="status" data-dirty></span></p></form>
  </section>`);
  const form = section.querySelector("form");
  const within = (what) => section.querySelector(`[data-${what}]`);
  const one = { name, form, fields: within("fields"), dirty: within("dirty"), warnings: within("warnings") };
  one.value = () => ({ ...value(form), ...(one.rows && { [SECTIONS[name].rows.key]: one.rows.value() }) });
  parts.set(name, one);
  fill(one, page.sections[name]);
  handle(form, {
    check: () => Object.fromEntries([...form.querySelectorAll("[data-steps]")].map((field) => [field.name, stepsProblem(field.value)])),
    send: () => save(one), done: (answer) => done(one, answer),
    refused: (error) => { if (dealtWith(error)) return true; if (error.status !== 409 || !error.body?.current) return false; settle(one, error.body.current); return true; },
  });
  form.addEventListener("input", () => changed(one));
  form.addEventListener("change", () => changed(one));
}

// ---- the calculator

const GOODS = { standard: "Standard", reduced: "Reduced" };

function openCalculator() {
  const { shipping_countries: delivered } = page.sections.delivery.values;
  const classes = new Set(["standard", ...page.sections.taxes.values.tax_rates.map(({ tax_class: name }) => name)]);
  render(part("estimate"), html`${select("country", "To", countryOptions(), delivered.includes("DE") ? "DE" : delivered[0])}
    <div class="choices__pair">${input("goods", `Goods for, ${currency}`, typedAmount(50 * 10 ** digitsOf(currency)), { needed: true, more: amountField() })}${input("weight_g", "Weight, grams", 1000, { needed: true, more: WHOLE })}</div>
    ${classes.size > 1 && select("tax_class", "Class of goods", [...classes].map((name) => [name, GOODS[name] ?? name]), "standard")}
    <p><button class="button button--quiet" type="submit">Reckon</button></p>`);
  part("try").hidden = false;
  handle(part("estimate"), {
    send: ({ country, goods, weight_g: weight, tax_class = "standard" }) => api.post("/admin/settings/estimates", { country, goods_minor: minorOf(goods, currency), weight_g: whole(weight), tax_class }),
    done: (answer) => render(part("estimated"), answer.ways.length ? html`${answer.ways.map((way) => html`<section class="choices__way"><h3 class="choices__way-title"><span>${way.name}</span><span class="figures">${money(way.total_minor, currency)}</span></h3>${inWords({ ...answer, ...way }, [])}</section>`)}`
      : html`<div class="alert alert--warning">${icon("warning")}<p class="alert__text">${answer.delivered ? "No way of delivery fits: this order could not be placed." : "You do not deliver to this country."}</p></div>`),
    refused: dealtWith,
  });
}

// ---- all of it

function show(found) {
  page = found;
  currency = page.sections.shop.values.currency;
  render(part("state"), html``);
  render(part("ways-in"), html`${Object.entries(SECTIONS).map(([name, { title }]) => html`<a class="section-nav__link" href="#${name}">${title}</a>`)}`);
  part("ways-in").hidden = false;
  Object.keys(SECTIONS).forEach(open);
  warn();
  openCalculator();
  window.addEventListener("beforeunload", (event) => { if ([...parts.values()].some(isChanged)) event.preventDefault(); });
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

await staff;
loadInto(part("state"), {
  load: () => api.get("/admin/settings"), show, skeleton: html`<div class="skeleton settings__skeleton"></div>`,
  failed: (error) => (dealtWith(error) ? null : failedState(error, "The settings could not be loaded")),
});

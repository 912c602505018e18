import { api, session, shop, signInAddress } from "../lib/api.js";
import { handle, showProblems, showRefusal } from "../lib/form.js";
import { html, icon, render } from "../lib/html.js";
import { countryName, money } from "../lib/format.js";
import { amounts, drawSummary, explained, summaryLines } from "../components/order-amounts.js";
import { emptyState, failedPart, failedState, loadInto } from "../components/states.js";

const PAYMENT_NOTES = {
  cash_on_delivery: "Pay the driver when the parcel is in your hands.",
  stripe: "On the next page, by card. We hold the goods for you for 30 minutes.",
  test: "Only on this machine: the order counts as paid, and no money moves.",
  bank_transfer: "We hold the goods for you and send them when the money is there.",
};

const PAID_NOW = ["stripe", "test"];

const page = document.querySelector("[data-checkout-page]");
const form = document.querySelector("[data-form]");
const part = (name) => document.querySelector(`[data-${name}]`);

let quote;
let asked;

// ---- what is remembered in this tab: the fields, the attempt and the last order

const stored = (name) => JSON.parse(sessionStorage.getItem(name) ?? "null");
const store = (name, value) => sessionStorage.setItem(name, JSON.stringify(value));

function keepFields() {
  store("checkout-fields", [...form.elements].filter((field) => field.name && !["radio", "checkbox"].includes(field.type)).map((field) => [field.name, field.value]));
}

function restoreFields() {
  for (const [name, value] of stored("checkout-fields") ?? []) {
    const field = form.elements[name];
    if (field && value) field.value = value;
  }
}

/** One key for one attempt: the same order sent again, by a second press or after a reload, is the same order. */
function attemptFor(body) {
  const text = JSON.stringify(body);
  const former = stored("checkout-attempt");
  const attempt = former?.text === text ? former : { key: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`, text };
  store("checkout-attempt", attempt);
  return attempt;
}

const orderAddress = ({ number, token }) => `/orders/${number}${token ? `?token=${encodeURIComponent(token)}` : ""}`;

function goToOrder(order) {
  sessionStorage.removeItem("checkout-attempt");
  sessionStorage.removeItem("checkout-fields");
  sessionStorage.removeItem("checkout-address");
  store("last-order", { number: order.number, address: orderAddress(order) });
  // The order stands in the history, so that Back from the page where it is paid shows it, and not a checkout without a cart.
  if (order.payment.redirect_url) history.replaceState(null, "", orderAddress(order));
  location.assign(order.payment.redirect_url ?? orderAddress(order));
}

// ---- the quote

const chosen = (name) => form.querySelector(`input[name="${name}"]:checked`)?.value;

const ANOTHER = "another";

/** The number of the saved address that was chosen; undefined when one is typed. */
function savedAddress() {
  const id = chosen("saved_address") ?? ANOTHER;
  return id === ANOTHER ? undefined : Number(id);
}

const quoteRequest = () => ({
  ...(savedAddress() ? { address_id: savedAddress() } : form.elements["address.country"].value && { address: { country: form.elements["address.country"].value } }),
  ...(chosen("shipping_method") && { shipping_method: chosen("shipping_method") }),
  ...(typed("coupon") && { coupon: typed("coupon") }),
  ...(typed("gift_card") && { gift_card: typed("gift_card") }),
});

const typed = (name) => form.elements[name].value.trim();

/** What became of a code stands below its field. */
function showCode(name, place, good) {
  const refusal = quote.requirements.find(({ code }) => code === name)?.message;
  const told = part(`${place}-told`);
  told.className = refusal ? "field__error" : "field__hint";
  render(told, refusal ? html`${icon("warning")}<span>${refusal}</span>` : html`${good}`);
  if (typed(name)) part(place).open = true;
}

/** What the gift card pays, and what is left on it then. */
function cardWords() {
  if (!quote.gift_card) return "";
  const pays = money(quote.gift_card_minor, quote.currency);
  const left = quote.gift_card.balance_minor - quote.gift_card_minor;
  if (left && quote.due_minor) return `It pays ${pays}, and ${money(left, quote.currency)} is left on it: the gift cards in your cart are paid in another way.`;
  return left ? `It pays ${pays}. Then ${money(left, quote.currency)} is left on it.` : `It pays ${pays}, all that is on it.`;
}

const choice = ({ name, code, title, note, end, checked }) => html`<label class="choice">
  <input class="choice__input" type="radio" name="${name}" value="${code}" id="${name}-${code}" required ${checked && html`checked`}>
  <span class="choice__text">${title}${note && html`<span class="choice__note">${note}</span>`}</span>${end && html`<span class="choice__end">${end}</span>`}</label>`;

function showChoices() {
  const way = quote.shipping_method;
  const pay = chosen("payment_method") ?? quote.payment_methods[0]?.code;
  const focused = document.activeElement?.id;
  render(part("shipping"), html`${quote.shipping_methods.map((one) => choice({
    name: "shipping_method", code: one.code, title: one.name, note: one.code === "email" ? "As soon as it is paid, to your e-mail address." : one.days && `${one.days} working days`, end: one.price_minor ? money(one.price_minor, quote.currency) : "Free", checked: one.code === way,
  }))}`);
  part("payment").closest("fieldset").hidden = quote.due_minor === 0 && quote.gift_card !== null;
  render(part("payment"), html`${quote.payment_methods.map((one) => choice({
    name: "payment_method", code: one.code, title: one.name, note: PAYMENT_NOTES[one.code], checked: one.code === pay,
  }))}`);
  if (focused && document.activeElement === document.body) document.getElementById(focused)?.focus();
}

/** Gift cards alone go by mail: nobody needs a street for them, and no gift card buys them. */
const mailed = () => quote?.shipping_method === "email";

function showWhatIsAsked() {
  part("address-title").textContent = mailed() ? "Your name and country" : "Delivery address";
  part("parcel").hidden = mailed();
  part("no-card").hidden = !mailed();
  part("gift-card").hidden = mailed() && !typed("gift_card");
  part("until").textContent = mailed() ? "The code comes by e-mail as soon as it is paid." : "Until it ships you can cancel online at no cost.";
  showTyped();
}

const summary = () => html`${summaryLines(quote.lines, quote.currency)}
  <div class="amounts--lined">${amounts(quote)}</div>
  ${explained(quote, quote.lines)}
  <p class="small"><a class="lone-link" href="/cart">Change the cart</a></p>`;

function showDue() {
  const due = money(quote.due_minor, quote.currency);
  for (const place of document.querySelectorAll("[data-due]")) place.textContent = due;
  form.querySelector("[type=submit]").textContent = PAID_NOW.includes(chosen("payment_method")) && quote.due_minor > 0 ? `Pay ${due}` : "Place order";
  return due;
}

function showQuote(now, { tell = false } = {}) {
  const before = quote?.due_minor;
  quote = now;
  if (!quote.lines.length) return showEmpty();
  showWhatIsAsked();
  showChoices();
  showCode("coupon", "coupon", quote.coupon && `${quote.coupon} is taken off.`);
  showCode("gift_card", "gift-card", cardWords());
  for (const name of ["summary", "summary-small"]) drawSummary(part(name), summary());
  const due = showDue();
  if (tell && before !== quote.due_minor) part("told").textContent = `The total is now ${due}.`;
  const missing = quote.requirements.filter(({ code }) => code === "out_of_stock");
  render(part("problem"), missing.length > 0 && html`<div class="alert alert--warning" role="alert">${icon("warning")}<div class="alert__text">
    ${missing.map(({ message }) => html`<p class="alert__title">${message}</p>`)}<p><a href="/cart">Change the cart</a> to go on.</p></div></div>`);
}

function showEmpty() {
  const last = stored("last-order");
  render(page, html`<div class="page-head"><h1>Checkout</h1></div>${emptyState({
    title: "There is nothing to check out", text: "Your cart is empty.", image: "empty-cart.svg",
    actions: [...(last ? [{ label: "See your order", href: last.address }] : []), { label: "See what is new", href: "/?sort=newest" }],
  })}`);
}

async function requote() {
  asked?.abort();
  asked = new AbortController();
  for (const one of document.querySelectorAll("[data-amounts]")) one.setAttribute("aria-busy", "true");
  await loadInto(part("problem"), {
    load: () => api.post("/checkout/quote", quoteRequest(), { signal: asked.signal }),
    show: (now) => showQuote(now, { tell: true }),
    failed: (error) => failedPart(error, "The total could not be reckoned anew"),
  });
}

// ---- the order

function body(values) {
  return {
    ...(values.email && { email: values.email }),
    ...(savedAddress() ? { address_id: savedAddress() } : { address: values.address }),
    shipping_method: values.shipping_method,
    payment_method: values.payment_method,
    ...(values.coupon && { coupon: values.coupon }),
    ...(values.gift_card && { gift_card: values.gift_card }),
    expected_due_minor: quote.due_minor,
    cart_version: quote.cart_version,
    terms_accepted: values.terms_accepted,
    terms_version: quote.terms_version,
  };
}

function place(values) {
  const attempt = attemptFor(body(values));
  return api.post("/orders", JSON.parse(attempt.text), { key: attempt.key });
}

function showChange(error) {
  const before = money(quote.due_minor, quote.currency);
  showQuote(error.body.quote);
  const now = money(quote.due_minor, quote.currency);
  showProblems(form, [{ message: before === now ? "Your cart was changed in the meantime. Please look at the summary and place the order again."
    : `The total changed from ${before} to ${now} in the meantime. Please look at the summary and place the order again.` }]);
}

function showShort(error) {
  render(part("problem"), html``);
  showProblems(form, [{ message: `${error.message} Please change your cart.`, href: "/cart" }]);
}

/** Terms that changed meanwhile are read and accepted once more. */
function showNewTerms(error) {
  form.elements.terms_accepted.checked = false;
  requote().then(() => showRefusal(form, error));
}

function refused(error) {
  if (error.status > 0) sessionStorage.removeItem("checkout-attempt");
  if (error.code === "quote_changed") showChange(error);
  else if (error.code === "cart_empty") afterEmpty();
  else if (error.code === "out_of_stock") requote().then(() => showShort(error));
  else if (error.fields.terms_accepted) showNewTerms(error);
  else if (error.code === "cart_changed") requote().then(() => showRefusal(form, error));
  else return false;
  return true;
}

/** An empty cart may be the work of an order whose answer never came: asking again under its key finds it, and orders nothing twice. */
async function afterEmpty() {
  const attempt = stored("checkout-attempt");
  if (attempt) {
    try {
      return goToOrder(await api.post("/orders", JSON.parse(attempt.text), { key: attempt.key }));
    } catch (error) {
      if (error.status === undefined) throw error;
      if (error.status > 0) sessionStorage.removeItem("checkout-attempt");
    }
  }
  const last = stored("last-order");
  if (last) location.replace(last.address);
  else showEmpty();
}

// ---- arriving

function showCountries({ shipping_countries: countries }) {
  const field = form.elements["address.country"];
  const kept = field.value;
  render(field, html`<option value="">Choose a country</option>${countries.map(({ code, name }) => html`<option value="${code}">${name}</option>`)}`);
  const here = new Intl.Locale(navigator.language).region;
  field.value = kept || (countries.some(({ code }) => code === here) ? here : "");
}

function showWho({ user }) {
  if (!user) return;
  part("guest").hidden = true;
  part("member").hidden = false;
  part("member").textContent = `Signed in as ${user.username}. The confirmation goes to ${user.email}.`;
  part("email").hidden = true;
  form.elements.email.disabled = true;
  form.elements["address.name"].value ||= [user.first_name, user.last_name].filter(Boolean).join(" ");
  form.elements["address.phone"].value ||= user.phone ?? "";
}

/** Without the address book the fields are there all the same. */
async function addressBook() {
  const { user } = await session();
  if (!user) return [];
  try {
    return (await api.get("/me/addresses")).items;
  } catch (error) {
    if (error.status === undefined) throw error;
    return [];
  }
}

const inALine = ({ name, line1, line2, postcode, city, country }) => [name, line1, line2, `${postcode} ${city}`, countryName(country)].filter(Boolean).join(", ");

/** What somebody began to type before they signed in goes before what is saved. */
function showAddressBook(addresses, { shipping_countries: countries }) {
  const reachable = addresses.filter(({ country }) => countries.some(({ code }) => code === country));
  const before = stored("checkout-address") ?? (form.elements["address.line1"].value ? ANOTHER : "");
  const now = [...reachable.map(({ id }) => String(id)), ANOTHER].find((one) => one === before) ?? String(reachable[0]?.id);
  part("addresses").hidden = reachable.length === 0;
  render(part("addresses"), html`${reachable.map((one) => choice({
    name: "saved_address", code: one.id, title: one.label || one.line1, note: inALine(one), checked: String(one.id) === now,
  }))}${reachable.length > 0 && choice({ name: "saved_address", code: ANOTHER, title: "Another address", checked: now === ANOTHER })}`);
  showTyped();
}

function showTyped() {
  const saved = savedAddress() !== undefined;
  part("typed").hidden = saved;
  for (const field of part("typed").querySelectorAll("input, select")) field.disabled = saved || (mailed() && part("parcel").contains(field));
}

function changed({ target: { name } }) {
  if (name === "saved_address") {
    store("checkout-address", chosen("saved_address"));
    showTyped();
  }
  if (["address.country", "saved_address", "shipping_method", "coupon", "gift_card"].includes(name)) requote();
}

/** Enter in a code's field asks what it is worth instead of placing the order. */
function onKey(event) {
  if (event.key !== "Enter" || !["coupon", "gift_card"].includes(event.target.name)) return;
  event.preventDefault();
  requote();
}

async function arrive() {
  part("guest").querySelector("a").href = signInAddress("/checkout");
  try {
    const [found, who, saved, first] = await Promise.all([shop(), session(), addressBook(), api.post("/checkout/quote")]);
    if (!first.lines.length) return await afterEmpty();
    showCountries(found);
    restoreFields();
    showAddressBook(saved, found);
    showWho(who);
    showQuote(first);
    part("checkout").removeAttribute("data-waiting");
    if (savedAddress() || form.elements["address.country"].value || typed("coupon") || typed("gift_card")) requote();
  } catch (error) {
    if (error.status === undefined) throw error;
    part("checkout").removeAttribute("data-waiting");
    render(part("checkout"), failedState(error, "The checkout could not be loaded"));
    part("checkout").querySelector("[data-retry]").addEventListener("click", () => location.reload());
  }
}

handle(form, { send: place, done: goToOrder, refused });
form.addEventListener("input", keepFields);
form.addEventListener("change", () => { if (quote) showDue(); });
form.addEventListener("change", changed);
form.addEventListener("keydown", onKey);
for (const name of ["apply", "apply-card"]) part(name).addEventListener("click", requote);
window.addEventListener("pageshow", ({ persisted }) => { if (persisted) location.reload(); });
arrive();

import { api, shop } from "../lib/api.js";
import { handle } from "../lib/form.js";
import { html, icon, render } from "../lib/html.js";
import { countryName } from "../lib/format.js";
import { section } from "../components/account-section.js";
import { emptyState, failedState } from "../components/states.js";
import { toast } from "../components/toast-stack.js";

const KEPT = `kept:${location.pathname}`;

const part = (name) => document.querySelector(`[data-${name}]`);
const form = part("form");
const { elements } = form;

let addresses;
let countries;
let edited = null;

// ---- the book

const lines = ({ name, line1, line2, postcode, city, region, country }) => [name, line1, line2, `${postcode} ${city}`, region, countryName(country)].filter(Boolean);

const card = (address) => html`<li class="address">
  <div class="address__head"><h2 class="address__title">${address.label || address.name}</h2>${address.is_default && html`<span class="badge badge--good">Offered first</span>`}</div>
  <address class="address__lines">${lines(address).join("\n")}</address>
  ${address.phone && html`<p class="soft small">${address.phone}</p>`}
  <p class="address__acts">
    ${[["edit", "Edit"], ["delete", "Delete"], !address.is_default && ["first", "Offer first"]].filter(Boolean).map(([act, words]) => html`<button class="link-button" type="button" data-act="${act}" data-id="${address.id}">${words}<span class="visually-hidden"> ${address.label || address.line1}</span></button>`)}
  </p>
</li>`;

const nothing = emptyState({
  title: "No addresses yet",
  text: "Save where your parcels go, and the checkout fills it in for you.",
});

function showBook() {
  part("editor").hidden = true;
  part("book").hidden = false;
  render(part("book"), html`${addresses.length ? html`<ul class="addresses">${addresses.map(card)}</ul>` : nothing}
    <p><button class="button ${addresses.length > 0 && html`button--quiet`}" type="button" data-new>${icon("plus")}Add an address</button></p>`);
}

async function refresh() {
  addresses = (await api.get("/me/addresses")).items;
  showBook();
}

// ---- one address

const fieldsOf = ({ id, ...fields }) => fields;

function showCountries(also) {
  const offered = also && !countries.some(({ code }) => code === also) ? [...countries, { code: also, name: countryName(also) }] : countries;
  render(elements.country, html`<option value="">Choose a country</option>${offered.map(({ code, name }) => html`<option value="${code}">${name}</option>`)}`);
}

/** The first one is offered first anyway, and another one must be named to take its place. */
const mayBeFirst = () => addresses.length > 0 && !edited?.is_default;

function openEditor(address) {
  edited = address;
  showCountries(address?.country);
  form.querySelector(".error-summary")?.remove();
  form.reset();
  for (const field of elements) if (field.name && field.type !== "checkbox" && address) field.value = address[field.name];
  if (!address && countries.length === 1) elements.country.value = countries[0].code;
  part("default").hidden = !mayBeFirst();
  part("editor-title").textContent = address ? "Change the address" : "New address";
  part("book").hidden = true;
  part("editor").hidden = false;
  part("editor-title").focus();
  window.scrollTo(0, 0);
}

function closeEditor() {
  const back = edited ? `[data-act="edit"][data-id="${edited.id}"]` : "[data-new]";
  showBook();
  part("book").querySelector(back)?.focus();
}

/** The form does not ask for the region, but keeps the one that an address has. */
const wanted = (values) => ({ region: edited?.region ?? "", ...values, is_default: mayBeFirst() ? values.is_default : Boolean(edited?.is_default) });

const save = (values) => (edited ? api.put(`/me/addresses/${edited.id}`, wanted(values)) : api.post("/me/addresses", wanted(values)));

async function saved() {
  await told(refresh);
  part("heading").focus();
  toast("The address is saved.");
}

/** Do something to the book; what the shop refuses is said in passing. @param {() => Promise<void>} act */
async function told(act) {
  try {
    await act();
  } catch (error) {
    if (error.status === undefined) throw error;
    toast(error.message, { seconds: 10 });
  }
}

const putBack = (address) => told(async () => {
  await api.post("/me/addresses", fieldsOf(address));
  await refresh();
});

const acts = {
  edit: openEditor,
  delete: (address) => told(async () => {
    await api.delete(`/me/addresses/${address.id}`);
    await refresh();
    part("heading").focus();
    toast("The address was deleted.", { action: { label: "Undo", run: () => putBack(address) } });
  }),
  first: (address) => told(async () => {
    await api.put(`/me/addresses/${address.id}`, { ...fieldsOf(address), is_default: true });
    await refresh();
    part("heading").focus();
  }),
};

function show([list, found]) {
  const first = !addresses;
  addresses = list.items;
  countries = found.shipping_countries;
  if (!first) return part("editor").hidden && showBook();
  showBook();
  const typed = sessionStorage.getItem(KEPT);
  if (typed) openEditor(null); // Signed in again in the middle of it: what was typed is put back by handle().
  handle(form, { send: save, done: saved });
}

part("book").addEventListener("click", ({ target }) => {
  if (target.closest("[data-new]")) return openEditor(null);
  const button = target.closest("[data-act]");
  if (button) acts[button.dataset.act](addresses.find(({ id }) => id === Number(button.dataset.id)));
});
part("cancel").addEventListener("click", closeEditor);
section(part("section"), {
  load: () => Promise.all([api.get("/me/addresses"), shop()]),
  show,
  failed: (error) => failedState(error, "Your addresses could not be loaded"),
});

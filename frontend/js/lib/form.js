import { ApiError, signInAddress } from "./api.js";
import { html, icon, render } from "./html.js";
import { readNumber } from "./numbers.js";

const SUMMARY = "error-summary";

const fieldsNamed = (form, name) => [...form.elements].filter((field) => field.name === name);
const labelOf = (field) => (field.labels?.[0]?.firstChild?.textContent ?? field.name).trim().toLowerCase();

/**
 * The values of a form as the API takes them: "address.city" becomes {address: {city}}, text is trimmed (passwords are not),
 * a checkbox is a boolean, type=number a number; empty optional fields are left out.
 * @param {HTMLFormElement} form
 */
export function valuesOf(form) {
  const values = {};
  for (const field of form.elements) {
    if (!field.name || field.disabled || (field.type === "radio" && !field.checked)) continue;
    const text = field.type === "password" ? field.value : field.value.trim();
    const value = field.type === "checkbox" ? field.checked : field.type === "number" ? field.valueAsNumber : text;
    if (value === "" && !field.required) continue;
    const path = field.name.split(".");
    const last = path.pop();
    path.reduce((inner, part) => (inner[part] ??= {}), values)[last] = value;
  }
  return values;
}

function complaintAbout(field) {
  const validity = field.validity;
  if (!field.willValidate) return "";
  if (validity.valueMissing) return field.dataset.missing ?? `Enter ${labelOf(field)}.`;
  if (!validity.valid) return field.dataset.invalid ?? field.validationMessage;
  const { decimals, invalid } = field.dataset;
  return decimals === undefined ? "" : readNumber(field.value, Number(decimals), invalid).problem;
}

function mark(field, message) {
  const box = field.closest(".field, fieldset") ?? field.parentElement;
  const id = `${field.id || field.name}-error`;
  let note = box.querySelector(`[data-error="${field.name}"]`);
  const described = (field.getAttribute("aria-describedby") ?? "").split(" ").filter((part) => part && part !== id);
  if (!message) {
    note?.remove();
    field.removeAttribute("aria-invalid");
  } else {
    if (!note) {
      note = document.createElement("p");
      note.className = "field__error";
      note.id = id;
      note.dataset.error = field.name;
      box.append(note);
    }
    render(note, html`${icon("warning")}<span>${message}</span>`);
    field.setAttribute("aria-invalid", "true");
    described.push(id);
  }
  if (described.length) field.setAttribute("aria-describedby", described.join(" "));
  else field.removeAttribute("aria-describedby");
}

function clear(form) {
  form.querySelector(`.${SUMMARY}`)?.remove();
  for (const field of form.elements) if (field.getAttribute("aria-invalid")) mark(field, "");
}

/**
 * Show complaints: beside each field and in a summary that takes the focus. Complaints about no field of the form stand in the summary alone.
 * @param {HTMLFormElement} form
 * @param {{name?: string, message: string, href?: string}[]} complaints href: where to mend what no field of the form can
 * @param {string} [requestId]
 */
export function showProblems(form, complaints, requestId = "") {
  clear(form);
  const entries = complaints.map(({ name, message, href }) => {
    const field = name && (fieldsNamed(form, name).find((one) => one.type !== "hidden") ?? null);
    if (field) mark(field, message);
    return { href: field?.id ? `#${field.id}` : href, message };
  });
  const summary = document.createElement("div");
  summary.className = SUMMARY;
  summary.tabIndex = -1;
  summary.setAttribute("role", "alert");
  render(summary, html`
    <h2 class="error-summary__title">There is a problem</h2>
    <ul class="error-summary__list">${entries.map(({ href, message }) => html`<li>${href ? html`<a href="${href}">${message}</a>` : message}</li>`)}</ul>
    ${requestId && html`<p class="error-summary__reference">If you tell us about it, please quote ${requestId}.</p>`}`);
  summary.addEventListener("click", (event) => {
    const name = event.target.closest("a[href^='#']")?.hash.slice(1);
    const target = name && form.querySelector(`[id="${name}"]`);
    if (!target) return;
    event.preventDefault();
    target.closest("details")?.setAttribute("open", "");
    target.focus();
    (target.labels?.[0] ?? target).scrollIntoView({ block: "center" });
  });
  form.prepend(summary);
  summary.focus();
}

/** Show what the API refused. @param {HTMLFormElement} form @param {ApiError} error */
export function showRefusal(form, error) {
  const complaints = Object.entries(error.fields).map(([name, messages]) => ({ name, message: messages.join(" ") }));
  showProblems(form, complaints.length ? complaints : [{ message: error.message }], error.status >= 500 ? error.requestId : "");
}

/** Keep what was typed (never a password), sign in, and come back. @param {HTMLFormElement} form */
export function signInAndReturn(form) {
  const kept = [...form.elements].filter((field) => field.name && field.type !== "password" && !field.closest("[data-never-keep]"))
    .map((field) => [field.name, field.type === "checkbox" || field.type === "radio" ? (field.checked ? field.value : null) : field.value]);
  sessionStorage.setItem(`kept:${location.pathname}`, JSON.stringify(kept));
  location.assign(signInAddress());
}

function restore(form) {
  const key = `kept:${location.pathname}`;
  const kept = JSON.parse(sessionStorage.getItem(key) ?? "[]");
  sessionStorage.removeItem(key);
  for (const [name, value] of kept) {
    for (const field of fieldsNamed(form, name)) {
      if (field.type === "checkbox" || field.type === "radio") field.checked ||= field.value === value;
      else if (value) field.value = value;
    }
  }
}

/**
 * Make a real `<form novalidate method="post">` send itself to the API. Rules are the fields' own attributes (required, type, minlength,
 * pattern), their words data-missing and data-invalid. A field with data-decimals takes a number with at most so many decimals.
 *
 *   handle(form, { send: (values) => api.post("/auth/login", values), done: () => location.assign("/") });
 *
 * @param {HTMLFormElement} form
 * @param {object} how
 * @param {(values: object) => Promise<any>} how.send called with valuesOf(form); what it throws as ApiError is shown
 * @param {(answer: any, values: object) => void} [how.done]
 * @param {(values: object) => Record<string, string>} [how.check] further complaints by field name
 * @param {(error: ApiError) => boolean} [how.refused] gives true when it has dealt with the error itself
 */
export function handle(form, { send, done = () => {}, check = () => ({}), refused = () => false }) {
  form.noValidate = true;
  restore(form);
  form.addEventListener("input", ({ target }) => {
    if (target.getAttribute("aria-invalid") && !complaintAbout(target)) mark(target, "");
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = event.submitter ?? form.querySelector("[type=submit]");
    if (form.ariaBusy === "true") return;
    const values = valuesOf(form);
    const found = new Map();
    for (const field of form.elements) {
      const message = field.name && !found.has(field.name) && complaintAbout(field);
      if (message) found.set(field.name, message);
    }
    for (const [name, message] of Object.entries(check(values))) if (message && !found.has(name)) found.set(name, message);
    if (found.size) return showProblems(form, [...found].map(([name, message]) => ({ name, message })));
    clear(form);
    form.ariaBusy = "true";
    button?.setAttribute("aria-busy", "true");
    try {
      done(await send(values), values);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (refused(error)) return;
      if (error.status === 401 && error.code === "sign_in_required") signInAndReturn(form);
      else showRefusal(form, error);
    } finally {
      form.ariaBusy = null;
      button?.removeAttribute("aria-busy");
    }
  });
}

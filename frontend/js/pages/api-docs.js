import { api } from "../lib/api.js";
import { html, icon, render } from "../lib/html.js";
import { plural } from "../lib/format.js";
import { failedState, loadInto } from "../components/states.js";
import { schemaReader } from "../components/json-schema.js";
import { toast } from "../components/toast-stack.js";

const METHODS = { get: "soft", post: "good", put: "warning", patch: "warning", delete: "danger" };
const WHO = { anyone: "Anyone", signed_in: "Signed in", staff: "Staff", admin: "Admins" };
const ROOT = "/api/v1";

const part = (name) => document.querySelector(`[data-${name}]`);
const search = part("search-calls");

let calls = [];
let reader;

// ---- what the document holds

const capitalised = (text) => text.charAt(0).toUpperCase() + text.slice(1).replaceAll("_", " ");
const idOf = (method, path) => `${method}${path.replace(ROOT, "").replace(/[{}]/g, "").replaceAll(/[/.]/g, "-")}`;
const jsonOf = (content) => content?.["application/json"]?.schema;

function readCall(path, method, operation) {
  const answers = Object.entries(operation.responses);
  const [status, success] = answers.find(([code]) => code < 300) ?? answers[0];
  return {
    id: idOf(method, path), method, path,
    group: capitalised(operation.tags?.[0] ?? "other"),
    summary: operation.summary, about: operation.description ?? "",
    who: operation["x-who"] ?? "anyone",
    parameters: operation.parameters ?? [],
    body: jsonOf(operation.requestBody?.content),
    status, answer: jsonOf(success.content),
    others: answers.filter(([code]) => code !== status).sort(),
  };
}

function readCalls({ paths, components }) {
  reader = schemaReader(components.schemas);
  const found = Object.entries(paths).flatMap(([path, item]) => Object.keys(METHODS).filter((method) => item[method]).map((method) => readCall(path, method, item[method])));
  for (const call of found) {
    const names = [...call.parameters.map((one) => one.name), ...[call.body, call.answer].filter(Boolean).flatMap((schema) => reader.fields(schema).map((field) => field.name))];
    call.text = [call.method, call.path, call.summary, call.group, WHO[call.who], ...names].join(" ").toLowerCase();
  }
  return found;
}

const groupId = (group) => `group-${group.replaceAll(" ", "-")}`; // an address of several words would be several addresses
const grouped = (list) => Object.entries(Object.groupBy(list, (call) => call.group));

// ---- what is shown

const method = (name) => html`<span class="badge badge--${METHODS[name]} method">${name.toUpperCase()}</span>`;

/** The address with room to break after each slash, and its variable parts marked. */
const address = (path) => html`${path.split(/(?<=\/)|(\{\w+\})/).filter(Boolean).map((piece) => (piece.startsWith("{") ? html`<var>${piece}</var>` : html`${piece}<wbr>`))}`;

const TOKENS = /("(?:\\.|[^"\\])*")(\s*:)?|\b(true|false|null|-?\d+(?:\.\d+)?)\b/g;

/** JSON with its names, texts and figures told apart. */
function coloured(value) {
  const text = JSON.stringify(value, null, 2);
  const pieces = [];
  let end = 0;
  for (const found of text.matchAll(TOKENS)) {
    const [all, quoted, colon = ""] = found;
    pieces.push(text.slice(end, found.index), !quoted ? html`<span class="code__figure">${all}</span>` : colon ? html`<span class="code__name">${quoted}</span>${colon}` : html`<span class="code__text">${quoted}</span>`);
    end = found.index + all.length;
  }
  return html`${[...pieces, text.slice(end)]}`;
}

const code = (title, markup) => html`<figure class="code"><figcaption class="code__head"><span>${title}</span>
  ${navigator.clipboard && html`<button class="code__copy" type="button" data-copy>${icon("copy")}Copy<span class="visually-hidden">: ${title}</span></button>`}</figcaption><pre class="code__body"><code>${markup}</code></pre></figure>`;

const field = ({ name, required, type, rules, about }) => html`<div class="api-field"><dt><code>${name}</code>${required && html` <span class="api-field__needed">needed</span>`}</dt>
  <dd>${type}${rules && html`<span class="api-field__rules">${rules}</span>`}${about && html`<span class="api-field__rules">${about}</span>`}</dd></div>`;

const fieldList = (title, list) => list.length > 0 && html`<section><h4 class="call__title">${title}</h4><dl class="api-fields">${list.map(field)}</dl></section>`;

const parameter = ({ name, required, schema, description }) => ({ name, required, type: reader.words(schema), rules: reader.rules(schema), about: description ?? "" });

function curl(call) {
  const path = call.path.replace(/\{(\w+)\}/g, (_, name) => reader.example({ type: "string" }, name));
  const lines = [`curl ${call.method === "get" ? "" : `-X ${call.method.toUpperCase()} `}${location.origin}${path}`, "-b jar -c jar"];
  for (const header of call.parameters.filter((one) => one.in === "header")) lines.push(`-H '${header.name}: 0b1f7c52-7f0e-4a53-9a7e-5a1d3d0c2e11'`);
  if (call.body) lines.push("-H 'Content-Type: application/json'", `-d '${JSON.stringify(reader.example(call.body), null, 2)}'`);
  return lines.join(" \\\n  ");
}

function answerFields(call) {
  const list = reader.fields(call.answer);
  return list.length > 0 && html`<details class="disclosure"><summary class="disclosure__summary">${plural(list.length, "field")} of the answer ${icon("chevron-down")}</summary>
    <div class="disclosure__body"><dl class="api-fields">${list.map((one) => field({ ...one, required: false }))}</dl></div></details>`;
}

const body = (call) => html`<div class="call__facts">
    ${call.about && html`<p>${call.about}</p>`}
    ${fieldList("In the address", call.parameters.filter((one) => one.in === "path").map(parameter))}
    ${fieldList("Headers", call.parameters.filter((one) => one.in === "header").map(parameter))}
    ${fieldList("Query string", call.parameters.filter((one) => one.in === "query").map(parameter))}
    ${call.body && fieldList("Body", reader.fields(call.body))}
    <section><h4 class="call__title">Answers</h4><ul class="answers">
      <li><span class="badge badge--good">${call.status}</span> <span>${call.answer ? html`Done, with ${reader.words(call.answer)}` : "Done, without a body"}</span></li>
      ${call.others.map(([status, { description }]) => html`<li><span class="badge badge--soft">${status}</span> <span>${description}</span></li>`)}
    </ul></section>
    ${call.answer && answerFields(call)}
  </div>
  <div class="call__examples">${code("Request", curl(call))}${call.answer && code(`Answer ${call.status}`, coloured(reader.example(call.answer)))}</div>`;

const row = (call) => html`<details class="call" id="${call.id}" data-call="${call.id}">
  <summary class="call__summary">
    ${method(call.method)}
    <h3 class="call__path"><code>${address(call.path)}</code></h3>
    <span class="call__words">${call.summary}</span>
    ${call.who !== "anyone" && html`<span class="call__who">${icon("lock")}${WHO[call.who] ?? call.who}</span>`}
    ${icon("chevron-down")}
  </summary>
  <div class="call__body" data-body></div>
</details>`;

const contents = (list) => html`<ul class="api__groups">${grouped(list).map(([group, members]) => html`<li><a class="api__group-link" href="#${groupId(group)}">${group}</a>
  <ul>${members.map((call) => html`<li><a class="api__link" href="#${call.id}"><span class="api__verb">${call.method === "delete" ? "DEL" : call.method.toUpperCase()}</span><span>${address(call.path.replace(ROOT, ""))}</span></a></li>`)}</ul></li>`)}</ul>`;

const none = html`<div class="empty-state" data-none hidden><div class="empty-state__text"><h2>No call fits that</h2><p>Try one word of it: a path, a field or what the call does.</p>
  <div class="empty-state__actions"><button class="button button--quiet" type="button" data-clear>Show all calls</button></div></div></div>`;

function show(document_) {
  calls = readCalls(document_);
  render(part("contents"), contents(calls));
  render(part("calls"), html`${grouped(calls).map(([group, members]) => html`<section class="api-group" data-group aria-labelledby="${groupId(group)}"><h2 class="api-group__title" id="${groupId(group)}">${group}</h2>
    <div class="api-group__calls">${members.map(row)}</div></section>`)}${none}`);
  part("clear").addEventListener("click", () => { search.value = ""; filter(); search.focus(); });
  search.value = new URLSearchParams(location.search).get("q") ?? "";
  filter();
  openLinked();
}

// ---- going about

/** What is inside a call is written when it is first opened. */
function fill(details) {
  const place = details.querySelector("[data-body]");
  if (details.open && !place.childElementCount) render(place, body(calls.find((call) => call.id === details.dataset.call)));
}

function filter() {
  const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = new Set(calls.filter((call) => wanted.every((word) => call.text.includes(word))).map((call) => call.id));
  for (const details of document.querySelectorAll("[data-call]")) details.hidden = !found.has(details.dataset.call);
  for (const group of document.querySelectorAll("[data-group]")) group.hidden = !group.querySelector("[data-call]:not([hidden])");
  part("none").hidden = found.size > 0;
  part("found").textContent = wanted.length ? `${found.size} of ${plural(calls.length, "call")}` : plural(calls.length, "call");
  history.replaceState(history.state, "", `${location.pathname}${wanted.length ? `?${new URLSearchParams({ q: search.value.trim() })}` : ""}${location.hash}`);
}

function openLinked() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  if (target.closest("[hidden]")) { search.value = ""; filter(); }
  if (target.matches("[data-call]")) {
    target.open = true;
    fill(target);
    target.querySelector("summary").focus({ preventScroll: true });
  }
  target.scrollIntoView();
}

part("calls").addEventListener("toggle", ({ target }) => { if (target.matches("[data-call]")) fill(target); }, { capture: true });
part("calls").addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.closest("figure").querySelector("pre").textContent);
    toast("Copied.", { seconds: 2 });
  } catch {
    toast("The browser did not allow to copy it. Please mark it by hand.");
  }
});
search.addEventListener("input", filter);
window.addEventListener("hashchange", openLinked);
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target.closest("input, textarea, select")) return;
  event.preventDefault();
  search.focus();
});

loadInto(part("calls"), {
  load: () => api.get("/openapi.json"),
  show,
  skeleton: html`<div class="stack" aria-hidden="true">${Array.from({ length: 6 }, () => html`<div class="skeleton api-skeleton"></div>`)}</div>`,
  failed: (error) => failedState(error, "The description of the API could not be loaded"),
});

import { api } from "../lib/api.js";
import { html, icon, render } from "../lib/html.js";
import { dateTime } from "../lib/format.js";
import { showDetail } from "../components/detail-dialog.js";
import { staff } from "../components/staff.js";
import { emptyState } from "../components/states.js";
import "../components/data-grid.js";

const BAD = new Set(["fault", "sign_in_refused", "payment_refused", "blocked", "deactivated", "backup_failed", "invariant_broken"]);
const PAGES = {
  order: ({ subject }) => subject && `/admin/orders/${subject}`,
  product: ({ subject_id: id }) => id && `/admin/products/${id}`,
  user: ({ subject, subject_id: id }) => subject && `/admin/users/${id}`,
  backup: () => "/admin/backups",
};

const grid = document.querySelector("data-grid");
const words = (name) => name[0].toUpperCase() + name.slice(1).replaceAll("_", " ");
const same = (filters) => `/admin/events?${new URLSearchParams(filters)}`;
const change = ({ former, role }) => former && role && `${former} → ${role}`;
const told = ({ detail }) => change(detail) || Object.entries(detail).filter(([, value]) => value !== null).map(([name, value]) => `${words(name)}: ${value}`).join(", ");
const who = ({ actor, actor_id: id }) => actor ?? (id ? `account ${id}` : "");
const whom = ({ subject, subject_kind: kind, subject_id: id }) => (subject || id ? `${words(kind)} ${subject ?? id}` : words(kind));

const link = (href, text) => html`<a href="${href}">${text}</a>`;

function subjectLink(event) {
  const page = PAGES[event.subject_kind]?.(event);
  return page ? link(page, whom(event)) : event.subject_id ? link(same({ subject: event.subject_kind, subject_id: event.subject_id }), whom(event)) : whom(event);
}

// ---- one event

const shown = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 1));

function changes(before, after) {
  const names = Object.keys({ ...before, ...after }).filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
  return html`<h3>What changed</h3><table class="table small"><thead><tr><th scope="col">Field</th><th scope="col">Before</th><th scope="col">After</th></tr></thead>
    <tbody>${names.map((name) => html`<tr><td>${words(name)}</td><td class="anywhere">${shown(before[name] ?? "")}</td><td class="anywhere">${shown(after[name] ?? "")}</td></tr>`)}</tbody></table>`;
}

const facts = ({ event, before, after }) => html`<dl class="facts">
  <div><dt>When</dt><dd>${dateTime(event.at)}</dd></div>
  <div><dt>Who</dt><dd>${event.actor_id ? link(same({ actor: `#${event.actor_id}` }), who(event)) : html`<span class="soft">nobody who was signed in</span>`}</dd></div>
  <div><dt>To what</dt><dd>${subjectLink(event)}${event.subject_id && html` · ${link(same({ subject: event.subject_kind, subject_id: event.subject_id }), "all that happened to it")}`}</dd></div>
  ${Object.entries(event.detail).map(([name, value]) => html`<div><dt>${words(name)}</dt><dd>${value}</dd></div>`)}
  ${event.request_id && html`<div><dt>Request</dt><dd><code>${event.request_id}</code> · ${link(same({ q: event.request_id }), "all of this request")}</dd></div>`}</dl>
  ${event.kind === "fault" && html`<p class="small soft">The whole error stands in the shop's log, <code>var/logs/shop.jsonl</code>, ${event.request_id ? "under the id of the request" : "at this time"}.</p>`}
  ${before && after && changes(before, after)}`;

const look = ({ id, kind }) => showDetail({ title: words(kind), failed: "The event could not be loaded", load: () => api.get(`/admin/events/${id}`), show: facts });

grid?.addEventListener("click", ({ target }) => { if (target.closest("[data-look]")) look(grid.rowOf(target)); });

// What a link asked for and no field shows is said beside the title, and how to be rid of it.
grid?.addEventListener("grid:shown", () => {
  const only = document.querySelector("[data-only]");
  const { subject, subject_id: id } = grid.filters;
  only.hidden = !subject;
  if (subject) render(only, html`${icon("close")}Only ${words(subject).toLowerCase()} ${id}`);
});

grid?.start({
  path: "/admin/events",
  name: ({ kind }) => words(kind),
  cells: {
    kind: ({ kind }) => (BAD.has(kind) ? html`<span class="badge badge--${kind === "fault" ? "danger" : "warning"}">${words(kind)}</span>` : words(kind)),
    actor: (event) => (event.actor_id ? link(same({ actor: `#${event.actor_id}` }), who(event)) : ""),
    subject: subjectLink,
    detail: (event) => html`<span class="grid__words" title="${told(event)}">${told(event)}</span>`,
    request_id: ({ request_id: id }) => id && html`<a class="figures soft" href="${same({ q: id })}">${id}</a>`,
    acts: ({ kind }) => html`<span class="grid__acts-cell"><button class="button button--quiet button--small" type="button" data-look aria-haspopup="dialog">Look<span class="visually-hidden"> at ${words(kind)}</span></button></span>`,
  },
  texts: { actor: who, subject: whom, detail: ({ detail }) => JSON.stringify(detail), acts: () => "" },
  nothing: emptyState({ title: "Nothing happened yet", text: "Sign-ins, refusals, steps of orders and what staff do are listed here for good." }),
});

staff.then(() => api.get("/admin/events/kinds")).then(({ items }) => {
  render(document.querySelector("#kind"), html`<option value="">Every kind</option>${items.map((kind) => html`<option value="${kind}">${words(kind)}</option>`)}`);
  grid.fillFilters();
}).catch(() => {}); // All other filters work without them.

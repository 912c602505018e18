import { api } from "../lib/api.js";
import { html } from "../lib/html.js";
import { dateTime, plural } from "../lib/format.js";
import { showDetail } from "../components/detail-dialog.js";
import { dealtWith } from "../components/staff.js";
import { emptyState } from "../components/states.js";
import { toast } from "../components/toast-stack.js";
import "../components/data-grid.js";

const LOOK = 500; // milliseconds between looks at a job that was asked for
const LOOKS = 60;
const UNITS = [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]];

const grid = document.querySelector("data-grid");
const places = [];

/** A row's number for the table, whose rows have one. */
const numberOf = ({ name }) => (places.includes(name) ? places.indexOf(name) : places.push(name) - 1) + 1;

function rhythm({ every_seconds: seconds, waits }) {
  if (waits) return "When there is something to do";
  const [size, unit] = UNITS.find(([length]) => seconds % length === 0);
  return seconds === size ? `Every ${unit}` : `Every ${plural(seconds / size, unit)}`;
}

function state({ running, asked, failures, finished_at: finished }) {
  if (running) return ["Running", "accent-soft"];
  if (asked) return ["Asked for", "accent-soft"];
  if (failures) return [`Failed ${failures === 1 ? "once" : `${failures} times`}`, "danger"];
  return finished ? ["Well", "good"] : ["Not yet run", "soft"];
}

const next = (job) => (job.running || !job.due_at || (job.waits && new Date(job.due_at) <= new Date()) ? "" : dateTime(job.due_at));

async function run(job) {
  const path = `/admin/jobs/${job.name}`;
  try {
    let now = await api.post(`${path}/runs`);
    for (let looks = 0; (now.asked || now.running) && looks < LOOKS; looks++) {
      grid.update(now);
      await new Promise((after) => setTimeout(after, LOOK));
      now = await api.get(path);
    }
    grid.update(now);
    if (now.asked || now.running) toast("It takes a while; the table will tell.");
    else toast(`${job.name}: ${now.last_result || "done"}`, { seconds: 8 });
  } catch (error) {
    if (error.status === undefined) throw error;
    if (!dealtWith(error)) toast(error.message, { seconds: 12 });
  }
}

// ---- the log

const took = ({ started_at: from, finished_at: to }) => `${((new Date(to) - new Date(from)) / 1000).toFixed(1)} s`;

const entry = (one) => html`<tr><td class="nowrap">${dateTime(one.finished_at)}</td><td class="nowrap figures">${took(one)}</td>
  <td>${one.failed && html`<span class="badge badge--danger">Failed</span> `}<span class="anywhere">${one.result}</span></td></tr>`;

const neverRan = emptyState({ title: "It has not run yet", text: "Each run will be listed here with what came of it." });

const log = ({ about, name }) => showDetail({
  title: about || name, failed: "The log could not be loaded",
  load: (after) => api.get(`/admin/jobs/${name}/runs`, { params: { after, limit: 50 } }),
  show: ({ items }) => (items.length ? html`<table class="table small"><thead><tr><th scope="col">When</th><th scope="col">Took</th><th scope="col">What came of it</th></tr></thead><tbody>${items.map(entry)}</tbody></table>` : neverRan),
});

grid?.addEventListener("click", ({ target }) => {
  if (target.closest("[data-log]")) log(grid.rowOf(target));
  else if (target.closest("[data-now]")) run(grid.rowOf(target));
});

grid?.start({
  path: "/admin/jobs",
  limit: 100,
  id: numberOf,
  name: ({ name }) => name,
  cells: {
    about: ({ about }) => html`<span class="grid__words" title="${about}">${about}</span>`,
    state: (job) => html`<span class="badge badge--${state(job)[1]}">${state(job)[0]}</span>`,
    last_result: ({ last_result: result }) => html`<span class="grid__words" title="${result}">${result}</span>`,
    every_seconds: (job) => html`<span class="soft">${rhythm(job)}</span>`,
    due_at: next,
    name: ({ name, about }) => html`<span class="grid__text" title="${about}">${name}</span>`,
    acts: ({ name, running, asked }) => html`<span class="grid__acts-cell"><button class="button button--plain button--small" type="button" data-log aria-haspopup="dialog">Log<span class="visually-hidden"> of ${name}</span></button>
      <button class="button button--quiet button--small" type="button" data-now ${(running || asked) && html`aria-busy="true"`}>Run now<span class="visually-hidden"> ${name}</span></button></span>`,
  },
  texts: { state: (job) => state(job)[0], every_seconds: rhythm, due_at: ({ due_at: due }) => due ?? "", acts: () => "" },
});

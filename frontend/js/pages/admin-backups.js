import { api, signInAddress } from "../lib/api.js";
import { html, icon, render } from "../lib/html.js";
import { ago, dateTime, plural } from "../lib/format.js";
import { ask } from "../components/ask-dialog.js";
import { proved } from "../components/password-dialog.js";
import { dealtWith, staff } from "../components/staff.js";
import { toast } from "../components/toast-stack.js";
import "../components/data-grid.js";

const LOOK = 500; // milliseconds between looks at how far it is
const UNITS = [["gigabyte", 1e9], ["megabyte", 1e6], ["kilobyte", 1e3], ["byte", 1]];
const PHASES = {
  make: { copying: "Copying the shop", proving: "Restoring the copy beside the shop, to prove it" },
  prove: { proving: "Restoring the backup beside the shop, to prove it" },
  restore: { checking: "Checking the file", copying: "First copying the shop as it is now, in case you want it back", loading: "Loading the backup beside the shop, and examining it", settling: "Putting it in the shop's place" },
};
const TITLES = { make: "A backup is being made", prove: "A backup is being proven", restore: "A backup is being put back" };
const FAILED = { make: "The last backup failed", prove: "The backup could not be proven", restore: "The backup was not put back" };
const DONE = { make: "The backup is made and proven.", prove: "The backup is proven." };

const grid = document.querySelector("data-grid");
const place = document.querySelector("[data-task]");
const maker = document.querySelector("[data-make]");
const isOpen = (task) => ["waiting", "running"].includes(task?.status);

let task; // what is being done, or was done last

/** A row's number for the table: it goes by names, which hold sixteen hexadecimal digits' worth at most. */
const numberOf = ({ name }) => Number.parseInt(name.slice(-12, -4), 16);

function size(bytes) {
  const [unit, length] = UNITS.find(([, one]) => bytes >= one) ?? UNITS.at(-1);
  return new Intl.NumberFormat("en-GB", { style: "unit", unit, maximumFractionDigits: bytes / length < 100 ? 1 : 0 }).format(bytes / length);
}

// ---- what is being done

function progress({ kind, phase, status, done, total }) {
  const known = status === "running" && total > 0;
  const words = status === "waiting" ? "Waiting its turn" : PHASES[kind][phase];
  return html`<section class="panel backup-task" aria-labelledby="task-title"><h2 class="panel__title" id="task-title" tabindex="-1">${TITLES[kind]}</h2>
    <div class="sending"><span class="backup-task__words"><span role="status" data-words>${words}</span><span class="figures" data-share>${known && `${Math.floor(100 * done / total)} %`}</span></span>
    <progress class="sending__bar" aria-label="${words}" max="1" ${known && html`value="${done / total}"`}></progress></div></section>`;
}

const failure = ({ kind, problem, finished_at: at }) => html`<div class="alert alert--danger" role="alert">${icon("warning")}<div class="alert__text"><p class="alert__title">${FAILED[kind]}</p><p>${problem} <span class="soft">${ago(at)}</span></p></div></div>`;

const restored = ({ name, finished_at: at }) => html`<div class="alert">${icon("info")}<p class="alert__text">The shop was put back from ${name} ${ago(at)}.</p></div>`;

function show(now) {
  const steady = task && isOpen(task) && isOpen(now) && task.id === now.id && task.phase === now.phase && task.status === now.status;
  task = now;
  maker.disabled = isOpen(now);
  for (const button of grid.querySelectorAll("[data-act]")) button.disabled = isOpen(now) && button.dataset.act !== "take";
  if (!now) return render(place, html``);
  if (isOpen(now)) {
    if (!steady) return render(place, progress(now));
    const { done, total } = now;
    if (total) place.querySelector("progress").value = done / total;
    place.querySelector("[data-share]").textContent = total ? `${Math.floor(100 * done / total)} %` : "";
  } else render(place, now.status === "failed" ? failure(now) : now.kind === "restore" ? restored(now) : html``);
}

/** Everybody was signed out when the tables changed places: this page is of a shop that is no more. */
function goodbye() {
  const main = document.querySelector("main");
  main.classList.remove("desk-main--grid");
  render(main, html`<section class="empty-state"><div class="empty-state__text"><h1 tabindex="-1" data-over>The backup is the shop now</h1>
    <p>All is as it was in ${task.name}. Everybody was signed out, and so were you: sign in with the name and password that were good then. The shop of before was copied first and is among the backups.</p>
    <div class="empty-state__actions"><a class="button" href="${signInAddress("/admin/backups")}">Sign in</a></div></div></section>`);
  main.querySelector("[data-over]").focus();
}

async function follow(now) {
  const watched = isOpen(now);
  show(now);
  while (isOpen(task)) {
    await new Promise((after) => setTimeout(after, LOOK));
    try {
      show(await api.get(`/admin/backups/tasks/${task.id}`));
    } catch (error) {
      if (error.status === undefined) throw error;
      if (error.status === 401 && task.kind === "restore") return goodbye();
      // While the tables change places, or the network rests, there is no answer; the next one tells.
      if (error.status && error.status < 500 && dealtWith(error)) return;
    }
  }
  if (!watched) return;
  if (task.status === "done" && DONE[task.kind]) toast(DONE[task.kind]);
  grid.load();
}

/** Have something done, say what is refused, and watch it. @param {() => Promise<object | null>} act */
async function start(act) {
  try {
    const now = await act();
    if (now) await follow(now);
  } catch (error) {
    if (error.status === undefined) throw error;
    if (!dealtWith(error)) toast(error.message, { seconds: 12 });
  }
}

// ---- one backup

const held = ({ counts }) => Object.entries(counts).map(([name, count]) => plural(count, name)).join(", ");

/**
 * Ask whether a backup may be restored that this shop did not sign.
 * @param {{ name: string }} backup
 */
const confirmUnsigned = ({ name }) => ask({
  title: "This backup is not signed by this shop",
  text: html`<p><span class="anywhere">${name}</span> was made by another shop, by an older version
      or with another SECRET_KEY, or somebody changed it since.</p>
    <p><b>Whoever made it decides who is an admin here,</b> and which prices, payment details and texts
      your customers see. Its data is checked, and nothing in it is run, but nobody can check whether it is honest.</p>`,
  fields: html`<div class="field"><label class="choice">
    <input class="choice__input" type="checkbox" id="trust-backup" name="trusted" required
      data-missing="Confirm that you trust whoever made this backup.">
    <span class="choice__text">I know who made this backup and I trust them</span></label></div>`,
  action: "Continue",
  danger: true,
  wide: true,
});

async function restore({ name }) {
  const inside = await proved(() => api.get(`/admin/backups/${name}`));
  if (!inside) return null;
  const unsigned = !inside.is_signed;
  if (unsigned && !(await confirmUnsigned(inside))) return null;
  return ask({
    title: "Put this backup in the place of the shop?",
    text: html`<p>It was made on ${dateTime(inside.made_at)} and holds ${held(inside)}. ${inside.proven_at ? "" : "It was never proven; it is examined before anything is touched."}</p>
      <p><b>What happened in the shop since then is gone from it:</b> orders, accounts, changes. The shop as it is now is copied first. Everybody is signed out, mails that waited then are not sent, and refunds that waited then wait for you.</p>`,
    action: "Put it back", danger: true, typed: name, wide: true,
    send: () => api.post(`/admin/backups/${name}/restoration`, { name, allow_unsigned: unsigned }),
  });
}

async function take({ name }) {
  if (await proved(() => api.get(`/admin/backups/${name}`))) location.assign(`/api/v1/admin/backups/${name}/file`);
  return null;
}

async function remove({ name, made_at: at }) {
  const gone = await ask({
    title: "Delete this backup?", text: `It was made on ${dateTime(at)}. A backup that is deleted does not come back.`, action: "Delete it", danger: true,
    send: () => proved(() => api.delete(`/admin/backups/${name}`)),
  });
  if (gone) { toast("The backup is deleted."); grid.load(); }
  return null;
}

const ACTS = { restore, take, remove, prove: ({ name }) => api.post(`/admin/backups/${name}/proof`) };

grid.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-act]");
  if (button) start(() => ACTS[button.dataset.act](grid.rowOf(button)));
});
grid.addEventListener("grid:shown", () => task && show(task));
maker.addEventListener("click", () => start(() => api.post("/admin/backups")));

const act = (name, words, { made_at: at }, look = "plain") => html`<button class="button button--${look} button--small" type="button" data-act="${name}">${words}<span class="visually-hidden"> the backup of ${dateTime(at)}</span></button>`;

grid.start({
  path: "/admin/backups",
  id: numberOf,
  name: ({ made_at: at }) => dateTime(at),
  nothing: html`<section class="empty-state"><div class="empty-state__text"><h2>No backup yet</h2><p>The first one takes a few seconds, and the shop stays open meanwhile.</p></div></section>`,
  cells: {
    made_at: ({ made_at: at }) => html`<b>${dateTime(at)}</b>`,
    proven_at: ({ proven_at: at }) => (at ? html`<span class="badge badge--good" title="${dateTime(at)}">Proven ${ago(at)}</span>` : html`<span class="badge badge--warning">Not proven</span>`),
    size: ({ size: bytes }) => size(bytes),
    name: ({ name }) => html`<span class="soft">${name}</span>`,
    acts: (row) => html`<span class="grid__acts-cell">${act("remove", "Delete", row)}${act("prove", "Prove", row)}${act("take", "Download", row)}${act("restore", "Put back", row, "quiet")}</span>`,
  },
  texts: { made_at: ({ made_at: at }) => at, proven_at: ({ proven_at: at }) => at ?? "", acts: () => "" },
});

await staff;
start(async () => (await api.get("/admin/backups/tasks", { params: { limit: 1 } })).items[0]);
const { sections } = await api.get("/admin/settings").catch(() => ({}));
if (sections) {
  const { backup_nightly: nightly, backup_hour: hour, backup_days: days } = sections.backups.values;
  render(document.querySelector("[data-rhythm]"), html`${nightly ? `One is made each night at ${String(hour).padStart(2, "0")}:00 UTC` : "None is made by night"}, and they are kept for ${days} days. <a href="/admin/settings#backups">Change that</a>`);
}

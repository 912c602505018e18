import { api } from "../lib/api.js";
import { handle } from "../lib/form.js";
import { dateTime, number, plural } from "../lib/format.js";
import { html, render } from "../lib/html.js";
import { ask } from "../components/ask-dialog.js";
import { askWhichVersion } from "../components/conflict-dialog.js";
import { keepNotices, sayKeptNotices } from "../components/notices.js";
import { newsletterBadge } from "../components/newsletter-states.js";
import { dealtWith, staff } from "../components/staff.js";
import { emptyState, failedState, loadInto } from "../components/states.js";
import { toast } from "../components/toast-stack.js";

const NEW = location.pathname.endsWith("/new");
const EVERY = 2000; // milliseconds between looks at a newsletter that is on its way
const ROOT = "/admin/newsletters";
const BLANK = { id: null, subject: "", markdown: "", recommend: true, status: "new", version: 0 };

const part = (name) => document.querySelector(`[data-${name}]`);
const form = part("form");
const { elements } = form;
const path = () => `${ROOT}/${letter.id}`;

let letter;
let saved;
let leaving = false;
let timer;

const value = () => ({ subject: elements.subject.value.trim(), markdown: elements.markdown.value.trim(), recommend: elements.recommend.checked });
const isOpen = () => ["new", "draft"].includes(letter.status);
const isChanged = () => isOpen() && JSON.stringify(value()) !== saved;

function changed() {
  const told = isChanged() ? "Unsaved changes" : "";
  if (part("dirty").textContent !== told) part("dirty").textContent = told;
}

// ---- how it looks

const sight = () => elements.sight.value;

async function look() {
  const [how, { version }] = [sight(), letter];
  if (!letter.id) return render(part("stage"), emptyState({ title: "Nothing to see yet", text: "Save it, and it stands here as its readers will see it." }));
  if (how !== "text") return render(part("stage"), html`<iframe class="mail-preview__page mail-preview__page--${how}" sandbox="" src="/api/v1${path()}/preview/html?version=${version}" title="${letter.subject}"></iframe>`);
  const { text } = await api.get(`${path()}/preview`);
  if (sight() === how && letter.version === version) render(part("stage"), html`<pre class="mail-preview__text">${text}</pre>`);
  return null;
}

// ---- how far it is

const fact = (label, count, href) => html`<div><dt>${label}</dt><dd class="figures">${href && count ? html`<a href="${href}">${number(count)}</a>` : number(count)}</dd></div>`;

function showProgress() {
  const { status, reader_count: readers, written_count: written, sent_count: sent, failed_count: failed, waiting_count: waiting, unsubscribed_count: gone, started_at: from, finished_at: to } = letter;
  part("progress").hidden = isOpen();
  if (isOpen()) return;
  const done = status === "sent" && !waiting;
  render(part("far"), html`<div class="letter__far">
    ${!done && html`<label class="sending">${status === "paused" ? "Paused" : "On its way"}: ${number(sent + failed)} of ${number(readers)}<progress class="sending__bar" max="${Math.max(readers, 1)}" value="${Math.min(sent + failed, readers)}"></progress></label>`}
    <dl class="facts">${fact("Readers when it left", readers)}${fact("Written to", written)}${fact("Sent", sent)}${fact("Waiting", waiting, "/admin/mails?template=newsletter&status=waiting")}
      ${fact("Failed", failed, "/admin/mails?template=newsletter&status=failed")}${fact("Unsubscribed after it", gone)}
      <div><dt>Left</dt><dd>${dateTime(from)}</dd></div>${to && html`<div><dt>Written to all</dt><dd>${dateTime(to)}</dd></div>`}</dl></div>`);
}

function watch() {
  clearTimeout(timer);
  if (letter.status === "sending" || letter.waiting_count) timer = setTimeout(refresh, EVERY);
}

async function refresh() {
  try {
    if (!document.hidden) show(await api.get(path()), { again: true });
  } catch (error) {
    if (error.status === undefined || dealtWith(error)) throw error; // A look that failed is followed by the next one.
  }
  watch();
}

// ---- all of it

/** @param {{again?: boolean}} [how] again: only what moves by itself */
function show(now, { again = false } = {}) {
  const was = letter?.status;
  letter = now;
  part("heading").textContent = letter.subject || "New newsletter";
  document.title = document.title.replace(/^[^·]+/, `${letter.subject || "New newsletter"} `);
  render(part("badge"), html`${letter.id && newsletterBadge(letter.status)}`);
  for (const one of form.querySelectorAll("[data-for]")) one.hidden = !one.dataset.for.split(" ").includes(letter.status);
  form.querySelector('[data-act="test"]').hidden = !letter.id;
  showProgress();
  if (again && was === letter.status) return;
  if (!again) {
    elements.subject.value = letter.subject;
    elements.markdown.value = letter.markdown;
    elements.recommend.checked = letter.recommend;
    saved = JSON.stringify(value());
  }
  changed();
  attempt(look);
  watch();
}

/** Do what a button asks for; what the API refuses is said. */
async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    if (error.status === undefined) throw error;
    if (!dealtWith(error)) toast(error.message, { seconds: 12 });
    if (error.status === 409 && error.body.current) show(error.body.current);
    return null;
  }
}

// ---- saving

const save = () => (letter.id ? api.patch(path(), { ...value(), version: letter.version }) : api.post(ROOT, value()));

function kept(now) {
  if (!letter.id) history.replaceState(null, "", `${ROOT}/${now.id}`);
  show(now);
}

async function settle({ body: { current } }) {
  const [mine, yes] = [value(), (on) => (on ? "Yes" : "No")];
  const pairs = [["Subject", mine.subject, current.subject], ["Text", mine.markdown, current.markdown], ["Show goods", yes(mine.recommend), yes(current.recommend)]];
  const choice = await askWhichVersion(pairs.filter(([, one, other]) => one !== other).map(([label, one, other]) => ({ label, mine: one, theirs: other })), "this newsletter");
  if (choice === "theirs") show(current);
  else if (choice === "mine") {
    letter = { ...letter, version: current.version };
    form.requestSubmit();
  }
}

function refused(error) {
  if (dealtWith(error)) return true;
  if (error.status !== 409 || error.body.current?.status !== "draft") return false;
  settle(error);
  return true;
}

/** What is sent is what stands here, so it is saved first. Gives whether it is. */
async function isSaved() {
  if (!form.checkValidity()) {
    form.requestSubmit();
    return false;
  }
  if (isChanged()) kept(await save());
  return true;
}

// ---- acts

const act = (action) => api.post(`${path()}/actions`, { action, version: letter.version });

const ACTS = {
  async test() {
    if (!await isSaved()) return;
    const { to } = await api.post(`${path()}/tests`);
    toast(`It is on its way to ${to}, and to nobody else.`);
  },
  async send() {
    if (!await isSaved()) return;
    const readers = letter.reader_count;
    if (!readers) return toast("Nobody has subscribed yet.");
    const sure = await ask({
      title: `Send it to ${plural(readers, "reader")}?`, action: "Send it",
      text: html`<p>“${letter.subject}” leaves at once, in small batches so that other mails need not wait. Each reader gets it once. You can pause it, but what was sent cannot be taken back.</p>`,
      send: () => act("send"),
    });
    if (!sure) return;
    show(sure);
    toast("It is on its way.");
    part("heading").focus();
  },
  async pause() {
    show(await act("pause"));
    toast("Paused. The few that were written already still go out.");
    form.querySelector('[data-act="resume"]').focus();
  },
  async resume() {
    show(await act("resume"));
    form.querySelector('[data-act="pause"]').focus();
  },
  async copy() {
    const { subject, markdown, recommend } = letter;
    const made = await api.post(ROOT, { subject, markdown, recommend });
    keepNotices(["This is a new draft with the same words."]);
    location.assign(`${ROOT}/${made.id}`);
  },
  async remove() {
    const sure = await ask({ title: "Throw this draft away?", action: "Throw it away", danger: true, text: "It was sent to nobody.", send: () => api.delete(path()) });
    if (!sure) return;
    leaving = true;
    keepNotices(["The draft is gone."]);
    location.assign(ROOT);
  },
};

form.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-act]");
  if (!button || button.ariaBusy === "true") return;
  button.ariaBusy = "true";
  await attempt(ACTS[button.dataset.act]);
  button.ariaBusy = null;
});

function begin(now) {
  render(part("state"), html``);
  form.hidden = false;
  show(now);
  handle(form, { send: save, done: (answer) => { kept(answer); toast("Saved."); }, refused });
  form.addEventListener("input", changed);
  part("sights").addEventListener("change", () => attempt(look));
  window.addEventListener("beforeunload", (event) => { if (!leaving && isChanged()) event.preventDefault(); });
  if (NEW) elements.subject.focus();
}

await staff;
if (sessionStorage.getItem("notices")) sayKeptNotices();
loadInto(part("state"), {
  load: async () => (NEW ? BLANK : api.get(`${ROOT}/${encodeURIComponent(location.pathname.split("/").pop())}`)),
  show: begin,
  skeleton: html`<div class="stack" aria-hidden="true"><div class="skeleton skeleton--title"></div><div class="skeleton editor__skeleton"></div></div>`,
  failed: (error) => {
    if (dealtWith(error)) return null;
    return error.status === 404 ? emptyState({ level: 1, title: "There is no such newsletter", text: "Perhaps it was a draft that somebody threw away.", actions: [{ label: "All newsletters", href: ROOT }] }) : failedState(error, "The newsletter could not be loaded");
  },
});

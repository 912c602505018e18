import { api } from "../lib/api.js";
import { handle } from "../lib/form.js";
import { dateTime } from "../lib/format.js";
import { html, icon, render } from "../lib/html.js";
import { dealtWith, staff } from "../components/staff.js";
import { emptyState, failedState, loadInto } from "../components/states.js";
import { message, messageBadge } from "../components/ticket-states.js";
import { toast } from "../components/toast-stack.js";

const part = (name) => document.querySelector(`[data-${name}]`);
const path = `/admin/messages/${encodeURIComponent(decodeURIComponent(location.pathname.split("/").pop()))}`;
const form = part("form");

function show(one) {
  document.title = document.title.replace(/^Message/, one.subject);
  render(part("head"), html`<div class="desk-head"><a class="icon-button" href="/admin/messages">${icon("arrow-left")}<span class="visually-hidden">All messages</span></a>
    <h1 class="anywhere">${one.subject}</h1>${messageBadge(one.status)}
    <div class="desk-head__end"><button class="button button--quiet button--small" type="button" data-status="${one.status === "open" ? "done" : "open"}">${one.status === "open" ? "Put aside as done" : "Open again"}</button></div></div>`);
  render(part("thread"), html`${message({ own: false, who: one.name, when: dateTime(one.created_at), body: one.body, pictures: one.pictures })}
    ${one.answers.map(({ author, body, created_at: at }) => message({ own: true, who: author ?? "erased", when: dateTime(at), body }))}`);
  render(part("side"), html`<section class="panel" aria-labelledby="about-title"><div class="panel__head"><h2 class="panel__title" id="about-title">About</h2></div>
    <dl class="facts"><div><dt>From</dt><dd class="anywhere">${one.name}</dd></div><div><dt>E-mail</dt><dd class="anywhere"><a href="mailto:${one.email}">${one.email}</a></dd></div>
    <div><dt>Account</dt><dd>${one.username ?? "none, or not signed in"}</dd></div><div><dt>Came</dt><dd>${dateTime(one.created_at)}</dd></div></dl></section>`);
  part("whole").hidden = false;
}

part("head").addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-status]");
  if (!button || button.ariaBusy === "true") return;
  button.ariaBusy = "true";
  try {
    const now = await api.patch(path, { status: button.dataset.status });
    show(now);
    part("status").focus();
    toast(now.status === "done" ? "Put aside." : "Open again.");
  } catch (error) {
    if (error.status === undefined) throw error;
    if (!dealtWith(error)) toast(error.message, { seconds: 12 });
  } finally {
    button.ariaBusy = null;
  }
});

handle(form, {
  send: (values) => api.post(`${path}/answers`, values),
  done: (now) => {
    form.reset();
    show(now);
    toast(`Sent to ${now.email}.`);
  },
  refused: dealtWith,
});

await staff;
loadInto(part("head"), {
  load: () => api.get(path),
  show,
  skeleton: html`<div class="skeleton skeleton--title" aria-hidden="true"></div>`,
  failed: (error) => {
    if (dealtWith(error)) return null;
    return error.status === 404 ? emptyState({ level: 1, title: "There is no such message", text: "Perhaps its sender was erased.", actions: [{ label: "All messages", href: "/admin/messages" }] }) : failedState(error, "The message could not be loaded");
  },
});

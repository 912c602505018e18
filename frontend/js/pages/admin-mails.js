import { api } from "../lib/api.js";
import { append, html, icon, render } from "../lib/html.js";
import { dateTime, plural } from "../lib/format.js";
import { dealtWith, staff } from "../components/staff.js";
import { emptyState } from "../components/states.js";
import { toast } from "../components/toast-stack.js";
import "../components/data-grid.js";

const STEP = 100;
const STATES = { waiting: ["Waiting", "soft"], delayed: ["Delayed", "warning"], sent: ["Sent", "good"], failed: ["Failed", "danger"] };

const grid = document.querySelector("data-grid");
const words = (template) => template[0].toUpperCase() + template.slice(1).replaceAll("_", " ");
const stuck = ({ status }) => status === "failed" || status === "delayed";
const tried = ({ attempts, status, due_at: due }) => (status === "delayed" || (status === "waiting" && attempts) ? html`<span class="nowrap">${dateTime(due)}</span>` : "");

let templates;
const named = () => (templates ??= api.get("/admin/mails/templates"));

// ---- trying again

/** The chosen ids, a part at a time, or those of all pages that match. */
async function* parts({ ids, filter }) {
  if (ids) for (let from = 0; from < ids.length; from += STEP) yield ids.slice(from, from + STEP);
  for (let after = filter ? "" : null; after !== null;) {
    const page = await api.get("/admin/mails", { params: { ...filter, after, limit: STEP } });
    const found = page.items.filter(stuck).map(({ id }) => id);
    if (found.length) yield found;
    after = page.next;
  }
}

async function retry(scope, tell) {
  let [seen, again] = [0, 0];
  for await (const ids of parts(scope)) {
    again += (await api.post("/admin/mails/retries", { ids })).retried.length;
    seen += ids.length;
    tell(Math.min(seen / scope.total, 1), `${plural(again, "mail")} on the way`);
  }
  return { words: again ? `${plural(again, "mail")} will be tried again now.` : "None of them can be tried again: they are sent, on their way, or hold a code that is no longer good." };
}

/** Do what a button asks for; what the API refuses is said. */
async function attempt(work) {
  try {
    await work();
  } catch (error) {
    if (error.status === undefined) throw error;
    if (!dealtWith(error)) toast(error.message, { seconds: 12 });
  }
}

const retryOne = ({ id }) => attempt(async () => {
  toast((await retry({ ids: [id], total: 1 }, () => {})).words);
  await grid.load();
});

const sendTest = (template) => attempt(async () => {
  const { to } = await api.post("/admin/mails/tests", { template });
  toast(`It is on its way to ${to}.`);
  await grid.load();
});

// ---- how they look

const SIGHTS = [["wide", "Wide"], ["narrow", "Phone"], ["text", "Text"]];

async function look() {
  const { items } = await named();
  const dialog = append(document.body, html`<dialog class="dialog mail-preview" aria-labelledby="preview-title">
    <div class="mail-preview__head"><h2 class="panel__title" id="preview-title">How mails look</h2>
      <span class="select"><label class="visually-hidden" for="preview-name">Mail</label><select class="field__input" id="preview-name" autocomplete="off">${items.map(({ name }) => html`<option value="${name}">${words(name)}</option>`)}</select>
        ${icon("chevron-down")}</span>
      <div class="segments" role="radiogroup" aria-label="Seen in">${SIGHTS.map(([value, label], i) => html`<label class="segments__item"><input class="segments__input" type="radio" name="sight" value="${value}" ${i === 0 && html`checked`}><span class="segments__label">${label}</span></label>`)}</div></div>
    <p class="soft small">Subject: <strong data-subject></strong></p>
    <div class="mail-preview__stage" role="region" aria-label="The mail" tabindex="0" data-stage></div>
    <p class="small soft">The names, codes and orders in it are made up.</p>
    <p class="dialog__actions"><button class="button button--quiet" type="button" data-send>Send this one to me</button><button class="button" type="button" data-close>Close</button></p>
  </dialog>`);
  const [choice, stage] = [dialog.querySelector("select"), dialog.querySelector("[data-stage]")];
  const sight = () => dialog.querySelector("[name=sight]:checked").value;
  const show = () => attempt(async () => {
    const name = choice.value;
    dialog.querySelector("[data-subject]").textContent = items.find((one) => one.name === name).subject;
    const how = sight();
    if (how !== "text") {
      render(stage, html`<iframe class="mail-preview__page mail-preview__page--${how}" sandbox="" src="/api/v1/admin/mails/templates/${name}/html" title="${words(name)}"></iframe>`);
      return;
    }
    const { text } = await api.get(`/admin/mails/templates/${name}`);
    if (choice.value === name && sight() === how) render(stage, html`<pre class="mail-preview__text">${text}</pre>`);
  });
  dialog.addEventListener("change", show);
  dialog.querySelector("[data-send]").addEventListener("click", () => sendTest(choice.value));
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
  show();
}

// ---- the page

document.querySelector("[data-templates]")?.addEventListener("click", () => attempt(look));
document.querySelector("[data-test]")?.addEventListener("click", () => sendTest("test"));
grid?.addEventListener("click", ({ target }) => { if (target.closest("[data-retry-one]")) retryOne(grid.rowOf(target)); });

grid?.start({
  path: "/admin/mails",
  name: ({ template, recipient }) => `${words(template)} to ${recipient}`,
  cells: {
    recipient: ({ recipient }) => html`<span class="grid__text">${recipient || html`<span class="soft">erased</span>`}</span>`,
    template: ({ template }) => words(template),
    status: ({ status }) => html`<span class="badge badge--${STATES[status][1]}">${STATES[status][0]}</span>`,
    order_number: ({ order_number: order }) => order && html`<a class="figures" href="/admin/orders/${order}">${order}</a>`,
    due_at: tried,
    last_error: ({ last_error: error }) => html`<span class="grid__words" title="${error}">${error}</span>`,
    acts: (row) => stuck(row) && html`<span class="grid__acts-cell"><button class="button button--quiet button--small" type="button" data-retry-one>Try again<span class="visually-hidden"> to send ${words(row.template)} to ${row.recipient}</span></button></span>`,
  },
  texts: { template: ({ template }) => words(template), status: ({ status }) => STATES[status][0], acts: () => "" },
  actions: [{ label: "Try again", run: retry, when: ({ status }) => status !== "sent" && status !== "waiting" }],
  nothing: emptyState({ title: "No mails yet", text: "Whatever the shop writes to somebody stands here: codes, orders, invoices. What it says is shown to nobody." }),
});

staff.then(named).then(({ items }) => {
  render(document.querySelector("#template"), html`<option value="">Every kind</option>${items.map(({ name }) => html`<option value="${name}">${words(name)}</option>`)}`);
  grid.fillFilters();
}).catch(() => { templates = undefined; }); // All other filters work without them, and the button asks again.

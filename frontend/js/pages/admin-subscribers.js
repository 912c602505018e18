import { api } from "../lib/api.js";
import { plural } from "../lib/format.js";
import { html } from "../lib/html.js";
import { ask } from "../components/ask-dialog.js";
import { emptyState } from "../components/states.js";
import { toast } from "../components/toast-stack.js";
import "../components/data-grid.js";

const STEP = 100;
const STATES = { subscribed: ["Subscribed", "good"], pending: ["Asked", "warning"], unsubscribed: ["Unsubscribed", "soft"] };
const SOURCES = { form: "The form", account: "Their account", staff: "You" };
const grid = document.querySelector("data-grid");

/** The chosen ids, a part at a time, or those of all pages that match. */
async function* parts({ ids, filter }) {
  if (ids) for (let from = 0; from < ids.length; from += STEP) yield ids.slice(from, from + STEP);
  // What was removed is on no page any more, so the first page is always the next one.
  while (filter) {
    const { items } = await api.get("/admin/newsletters/subscribers", { params: { ...filter, limit: STEP } });
    if (!items.length) return;
    yield items.map(({ id }) => id);
  }
}

async function remove(scope, tell) {
  const sure = await ask({
    title: `Remove ${plural(scope.total, "address", "addresses")}?`, action: "Remove", danger: true, typed: scope.total > 1 ? "remove" : undefined,
    text: "The shop forgets them and what they got. They may sign up again. Accounts stay, without the newsletter.",
  });
  if (!sure) return null;
  let removed = 0;
  for await (const ids of parts(scope)) {
    removed += (await api.post("/admin/newsletters/subscribers/removals", { ids })).removed;
    tell(Math.min(removed / scope.total, 1), `${plural(removed, "address", "addresses")} removed`);
  }
  return { words: `${plural(removed, "address", "addresses")} removed.` };
}

document.querySelector("[data-add]").addEventListener("click", async () => {
  const asked = await ask({
    title: "Ask somebody", action: "Send the question", text: "They get a mail that asks whether they want the newsletter. They get none before they say yes.",
    fields: html`<div class="field"><label class="field__label" for="email">Their e-mail</label><input class="field__input" id="email" name="email" type="email" maxlength="254" autocomplete="off" required data-missing="Enter an address." data-invalid="Enter an e-mail address like name@example.com."></div>`,
    send: async ({ email }) => { await api.post("/admin/newsletters/subscribers", { email }); return { email }; },
  });
  if (!asked) return;
  await grid.load();
  toast(`${asked.email} is asked.`);
});

grid?.start({
  path: "/admin/newsletters/subscribers",
  name: ({ email }) => email,
  cells: {
    email: ({ email }) => html`<span class="grid__text">${email}</span>`,
    status: ({ status }) => html`<span class="badge badge--${STATES[status][1]}">${STATES[status][0]}</span>`,
    username: ({ username }) => username ?? html`<span class="soft">none</span>`,
    source: ({ source }) => SOURCES[source],
  },
  texts: { status: ({ status }) => STATES[status][0], source: ({ source }) => SOURCES[source] },
  actions: [{ label: "Remove", danger: true, run: remove }],
  nothing: emptyState({ title: "Nobody has signed up yet", text: "The form stands at the foot of every page of the shop, and customers choose the newsletter in their account." }),
});

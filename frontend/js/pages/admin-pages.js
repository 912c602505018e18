import { api } from "../lib/api.js";
import { handle } from "../lib/form.js";
import { dateTime } from "../lib/format.js";
import { html, prose, render } from "../lib/html.js";
import { askWhichVersion } from "../components/conflict-dialog.js";
import { dealtWith, staff } from "../components/staff.js";
import { failedState, loadInto } from "../components/states.js";
import { toast } from "../components/toast-stack.js";

const PAUSE = 400; // milliseconds without a key before the preview is drawn anew
const NAMES = { terms: "Terms", privacy: "Privacy", returns: "Returns", imprint: "Imprint" };

const part = (name) => document.querySelector(`[data-${name}]`);
const form = part("form");
const { title, markdown } = form.elements;

const wanted = new URLSearchParams(location.search).get("page");
const slug = wanted in NAMES ? wanted : "terms";
let article;
let waiting;

const isChanged = () => Boolean(article) && (title.value !== article.title || markdown.value !== article.markdown);

function showChanged() {
  const told = isChanged() ? "Unsaved changes" : "";
  if (part("dirty").textContent !== told) part("dirty").textContent = told;
}

function show(now, { keep = false } = {}) {
  article = now;
  if (!keep) {
    title.value = now.title;
    markdown.value = now.markdown;
    render(part("shown"), prose(now.html));
  }
  part("version").textContent = now.version ? `Version ${now.version}, saved by ${now.saved_by ?? "somebody who has left"}, ${dateTime(now.saved_at)}` : "The shop's own first text. Read it, change it, save it.";
  part("open").href = `/${slug}`;
  form.hidden = false;
  showChanged();
}

async function preview() {
  const text = markdown.value;
  try {
    const made = text.trim() ? (await api.post("/admin/description-previews", { text })).html : "";
    if (text === markdown.value) render(part("shown"), made ? prose(made) : html`<p class="soft">Nothing written yet.</p>`);
  } catch (error) {
    if (error.status === undefined) throw error;
    if (!dealtWith(error)) render(part("shown"), html`<p class="soft">${error.message}</p>`);
  }
}

/** Who saves what somebody else has changed meanwhile sees both and chooses. */
async function settle(current) {
  const pairs = [["Title", title.value, current.title], ["Text", markdown.value, current.markdown]];
  const choice = await askWhichVersion(pairs.filter(([, mine, theirs]) => mine !== theirs).map(([label, mine, theirs]) => ({ label, mine, theirs })), "this page");
  if (choice) show(current, { keep: choice === "mine" });
  if (choice === "mine") form.requestSubmit();
}

function refused(error) {
  if (dealtWith(error)) return true;
  if (error.status !== 409 || !error.body?.current) return false;
  settle(error.body.current);
  return true;
}

form.addEventListener("input", () => {
  showChanged();
  clearTimeout(waiting);
  waiting = setTimeout(preview, PAUSE);
});
form.addEventListener("keydown", (event) => { if (event.ctrlKey && event.key === "Enter") form.requestSubmit(); });
window.addEventListener("beforeunload", (event) => { if (isChanged()) event.preventDefault(); });
handle(form, {
  send: (values) => api.put(`/admin/articles/${slug}`, { ...values, version: article.version }),
  done: (now) => { show(now); toast(`${NAMES[slug]}: saved.`); },
  refused,
});

await staff;
render(part("ways-in"), html`${Object.entries(NAMES).map(([one, name]) => html`<a class="section-nav__link" href="/admin/pages?page=${one}" ${one === slug && html`aria-current="page"`}>${name}</a>`)}`);
part("ways-in").hidden = false;
loadInto(part("state"), {
  load: () => api.get(`/admin/articles/${slug}`),
  show: (now) => { render(part("state"), html``); show(now); },
  skeleton: html`<div class="skeleton settings__skeleton"></div>`,
  failed: (error) => (dealtWith(error) ? null : failedState(error, "The page could not be loaded")),
});

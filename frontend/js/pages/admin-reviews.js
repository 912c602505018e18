import { api } from "../lib/api.js";
import { append, html, icon } from "../lib/html.js";
import { dateTime, number, plural } from "../lib/format.js";
import { dealtWith } from "../components/staff.js";
import { stars } from "../components/stars.js";
import { emptyState } from "../components/states.js";
import { toast } from "../components/toast-stack.js";
import "../components/data-grid.js";

const grid = document.querySelector("data-grid");
const WORDS = { pending: "Waiting", approved: "Approved", rejected: "Rejected" };
const LOOKS = { pending: "warning", approved: "good", rejected: "soft" };

const badge = ({ status }) => html`<span class="badge badge--${LOOKS[status]}">${WORDS[status]}</span>`;

/** What may be done with a review as it stands. */
const decisions = ({ status }) => [status !== "approved" && ["approved", "Approve"], status !== "rejected" && ["rejected", "Reject"]].filter(Boolean);
const buttons = (review) => html`<span class="grid__acts-cell">${decisions(review).map(([status, label]) => html`<button class="button button--quiet button--small" type="button" data-decide="${status}">${label}<span class="visually-hidden"> ${review.title}</span></button>`)}</span>`;

const decide = ({ id, version }, status) => api.patch(`/admin/reviews/${id}`, { status, ...(version === undefined ? {} : { version }) });

async function decideOne(review, status) {
  try {
    const now = await decide(review, status);
    grid.update({ ...review, ...now });
    grid.querySelector(`tr[data-id="${review.id}"]`)?.focus();
    toast(status === "approved" ? "Shoppers see it now." : "Shoppers do not see it.", {
      action: { label: "Undo", run: async () => { grid.update({ ...review, ...await decide(now, review.status) }); } },
    });
  } catch (error) {
    if (error.status === undefined) throw error;
    if (dealtWith(error)) return;
    toast(error.message, { seconds: 12 });
    grid.load();
  }
}

async function all(filter) {
  const found = [];
  let after = "";
  do {
    const { items, next } = await api.get("/admin/reviews", { params: { ...filter, after, limit: 100 } });
    found.push(...items);
    after = next;
  } while (after);
  return found;
}

const several = (status, label, said) => ({
  label,
  run: async (scope, tell) => {
    const reviews = scope.filter ? await all(scope.filter) : scope.ids.map((id) => grid.rows.get(id) ?? known.get(id)).filter(Boolean);
    const undo = [];
    for (const [i, review] of reviews.entries()) {
      if (review.status !== status) undo.push([await decide(review, status), review.status]);
      tell((i + 1) / reviews.length, `${number(i + 1)} of ${number(reviews.length)}`);
    }
    return { words: `${plural(undo.length, "review")} ${said}.`, undo: undo.length ? async () => { for (const [review, before] of undo) await decide(review, before); } : undefined };
  },
});

/** Reviews that were before the reader, for acts that reach over several pages. */
const known = new Map();
grid?.addEventListener("grid:shown", () => { for (const [id, row] of grid.rows) known.set(id, row); });

function read(review) {
  const dialog = append(document.body, html`<dialog class="dialog" aria-labelledby="review-title">
    <h2 class="panel__title" id="review-title">${review.title}</h2>
    <p class="cluster small">${stars(review.rating)}${badge(review)}${review.verified && html`<span class="badge badge--good">${icon("check")}Bought it</span>`}</p>
    <p class="soft small">${review.author} (${review.username}), ${dateTime(review.created_at)}, on <a href="/admin/products/${review.product.id}">${review.product.title}</a></p>
    <div class="review-text" role="region" aria-label="The review" tabindex="0">${review.body}</div>
    <p class="dialog__actions"><button class="button button--plain" type="button" value="">Close</button>
      ${decisions(review).map(([status, label]) => html`<button class="button ${status === "rejected" && "button--quiet"}" type="button" value="${status}">${label}</button>`)}</p>
  </dialog>`);
  dialog.addEventListener("click", ({ target }) => { const button = target.closest("button"); if (button) dialog.close(button.value); });
  dialog.addEventListener("close", () => { dialog.remove(); if (dialog.returnValue) decideOne(review, dialog.returnValue); });
  dialog.showModal();
}

grid?.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-decide]");
  if (button) decideOne(grid.rowOf(button), button.dataset.decide);
  if (target.closest("[data-read]")) read(grid.rowOf(target));
});

grid?.start({
  path: "/admin/reviews",
  name: ({ title }) => title,
  cells: {
    title: ({ title, body }) => html`<button class="grid__link grid__read" type="button" data-read><span class="grid__text">${title}<span class="grid__more"> ${body}</span></span></button>`,
    rating: ({ rating }) => stars(rating),
    product: ({ product }) => html`<a href="/admin/products/${product.id}">${product.title}</a>`,
    author: ({ author, verified }) => html`${author}${verified && html` <span class="grid__sure" title="Bought it">${icon("check")}<span class="visually-hidden">, bought it</span></span>`}`,
    status: badge,
    decide: buttons,
  },
  texts: { title: ({ title, body }) => `${title}: ${body}`, product: ({ product }) => product.title, status: ({ status }) => WORDS[status], decide: () => "" },
  actions: [
    { ...several("approved", "Approve", "approved"), when: ({ status }) => status !== "approved" },
    { ...several("rejected", "Reject", "rejected"), danger: true, when: ({ status }) => status !== "rejected" },
  ],
  nothing: emptyState({ title: "No reviews yet", text: "Buyers can write one on the page of what they bought. It waits here until you have read it." }),
});

import { number } from "../lib/format.js";
import { html } from "../lib/html.js";
import { NEWSLETTER_STATES, newsletterBadge } from "../components/newsletter-states.js";
import { emptyState } from "../components/states.js";
import "../components/data-grid.js";

/** A draft has no readers yet. */
const counted = (name) => ({ [name]: count, status }) => (status === "draft" ? "" : number(count));
const COUNTS = ["reader_count", "sent_count", "failed_count", "unsubscribed_count"];

document.querySelector("data-grid")?.start({
  path: "/admin/newsletters",
  name: ({ subject }) => subject,
  cells: {
    ...Object.fromEntries(COUNTS.map((name) => [name, counted(name)])),
    subject: ({ id, subject }) => html`<a class="grid__link" href="/admin/newsletters/${id}"><span class="grid__text">${subject}</span></a>`,
    status: ({ status }) => newsletterBadge(status),
  },
  texts: { status: ({ status }) => NEWSLETTER_STATES[status] },
  nothing: emptyState({ title: "No newsletters yet", text: "Write the first one: you see how it looks before anybody gets it.", actions: [{ label: "Write one", href: "/admin/newsletters/new" }] }),
});

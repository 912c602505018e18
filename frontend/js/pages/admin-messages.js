import { html } from "../lib/html.js";
import { emptyState } from "../components/states.js";
import { messageBadge } from "../components/ticket-states.js";
import "../components/data-grid.js";

document.querySelector("data-grid")?.start({
  path: "/admin/messages",
  name: ({ subject }) => subject,
  cells: {
    subject: ({ id, subject }) => html`<a class="grid__link" href="/admin/messages/${id}"><span class="grid__text">${subject}</span></a>`,
    status: ({ status }) => messageBadge(status),
  },
  nothing: emptyState({ title: "No messages yet", text: "What people write by the contact form comes here, and to your mailbox." }),
});

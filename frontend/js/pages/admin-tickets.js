import { html } from "../lib/html.js";
import { emptyState } from "../components/states.js";
import { FOR_STAFF, ticketBadge } from "../components/ticket-states.js";
import "../components/data-grid.js";

document.querySelector("data-grid")?.start({
  path: "/admin/tickets",
  name: ({ subject }) => subject,
  cells: {
    subject: ({ number, subject }) => html`<a class="grid__link" href="/admin/tickets/${number}"><span class="grid__text">${subject}</span></a>`,
    status: ({ status }) => ticketBadge(status, FOR_STAFF),
    username: ({ username, email }) => html`<span title="${email}">${username}</span>`,
    order_number: ({ order_number: order }) => order && html`<a class="figures" href="/admin/orders/${order}">${order}</a>`,
    assignee: ({ assignee }) => assignee ?? html`<span class="soft">nobody</span>`,
    number: ({ number }) => html`<span class="figures">${number}</span>`,
  },
  texts: { status: ({ status }) => FOR_STAFF[status], order_number: ({ order_number: order }) => order ?? "", assignee: ({ assignee }) => assignee ?? "" },
  nothing: emptyState({ title: "No tickets yet", text: "What customers ask while signed in is answered here. Messages of the contact form have a page of their own." }),
});

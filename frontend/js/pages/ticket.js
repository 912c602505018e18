import { api, signInAddress } from "../lib/api.js";
import { handle } from "../lib/form.js";
import { dateTime } from "../lib/format.js";
import { html, render } from "../lib/html.js";
import { messagePictures } from "../components/message-pictures.js";
import { emptyState, failedState, loadInto } from "../components/states.js";
import { FOR_CUSTOMERS, message, ticketBadge } from "../components/ticket-states.js";
import { toast } from "../components/toast-stack.js";

const place = document.querySelector("[data-ticket]");
const form = document.querySelector("[data-form]");
const path = `/tickets/${encodeURIComponent(decodeURIComponent(location.pathname.split("/").pop()))}`;

const TOLD = {
  open: "We have your message and answer here. A mail tells you when we have.",
  waiting: "We have answered. If something is left open, write on below.",
  closed: "This question is closed. Writing on opens it again.",
};

function show({ ticket, messages }) {
  document.title = document.title.replace(/^Your question/, ticket.subject);
  render(place, html`<div class="page-head"><h1 class="anywhere">${ticket.subject}</h1>
      <p class="page-head__lead cluster">${ticketBadge(ticket.status, FOR_CUSTOMERS)}<span class="figures">${ticket.number}</span>${ticket.order_number && html`<span>about order <a class="figures" href="/orders/${ticket.order_number}">${ticket.order_number}</a></span>`}</p></div>
    <div class="stack"><ol class="conversation">${messages.map(({ by, body, created_at: at, pictures: sent }) => message({ own: by === "customer", who: by === "customer" ? "You" : "The shop", when: dateTime(at), body, pictures: sent }))}</ol>
    <p class="soft" role="status">${TOLD[ticket.status]}</p></div>`);
  form.hidden = false;
}

const missing = emptyState({ level: 1, image: "not-found.svg", title: "We do not find this question here", text: "Perhaps it was asked with another account.", actions: [{ label: "All your questions", href: "/tickets" }] });

const pictures = messagePictures(document.querySelector("[data-pictures]"));
handle(form, {
  send: async (values) => api.post(`${path}/messages`, { ...values, pictures: await pictures.names() }),
  done: (thread) => {
    form.reset();
    pictures.clear();
    show(thread);
    toast("Sent. We answer here.");
  },
});
loadInto(place, {
  load: () => api.get(path),
  show,
  skeleton: html`<div class="stack" aria-hidden="true"><div class="skeleton skeleton--title"></div><div class="skeleton skeleton--row"></div></div>`,
  failed: (error) => {
    if (error.status === 404) return missing;
    if (error.status !== 401) return failedState(error, "Your question could not be loaded");
    location.replace(signInAddress());
    return null;
  },
});

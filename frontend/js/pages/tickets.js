import { api } from "../lib/api.js";
import { handle, showProblems } from "../lib/form.js";
import { dateTime, plural } from "../lib/format.js";
import { append, html, render } from "../lib/html.js";
import { section } from "../components/account-section.js";
import { messagePictures } from "../components/message-pictures.js";
import { failedPart, failedState } from "../components/states.js";
import { FOR_CUSTOMERS, ticketBadge } from "../components/ticket-states.js";

const part = (name) => document.querySelector(`[data-${name}]`);
const form = part("form");
const LIMIT = 12;

const question = ({ number, subject, status, order_number: order, updated_at: at }) => html`<li class="question"><div class="question__text">
  <h3 class="question__title"><a class="question__link" href="/tickets/${number}">${subject}</a></h3>
  <p class="soft small"><span class="figures">${number}</span>${order && html`, order <span class="figures">${order}</span>`}, ${dateTime(at)}</p></div>${ticketBadge(status, FOR_CUSTOMERS)}</li>`;

const ask = (after) => api.get("/tickets", { params: { limit: LIMIT, after } });

function offerMore(next) {
  render(part("more"), html`${next && html`<button class="button button--quiet" type="button">Show more</button>`}`);
  part("more").querySelector("button")?.addEventListener("click", ({ currentTarget }) => loadMore(next, currentTarget));
}

async function loadMore(after, button) {
  if (button.ariaBusy === "true") return;
  button.ariaBusy = "true";
  try {
    const { items, next } = await ask(after);
    append(part("tickets").querySelector("ul"), html`${items.map(question)}`)?.querySelector("a").focus({ preventScroll: true });
    offerMore(next);
  } catch (error) {
    if (error.status === undefined) throw error;
    render(part("more"), failedPart(error, "The next questions could not be loaded"));
    part("more").querySelector("[data-retry]").addEventListener("click", ({ currentTarget }) => loadMore(after, currentTarget));
  }
}

function show({ items, next, total }) {
  part("total").textContent = total ? plural(total, "question") : "";
  render(part("tickets"), items.length ? html`<ul class="questions">${items.map(question)}</ul>` : html`<p class="soft">Nothing yet. What you ask is kept here together with our answers.</p>`);
  offerMore(next);
  if (location.hash === "#ask") document.querySelector("#ask").scrollIntoView();
}

form.elements.order_number.value = (new URLSearchParams(location.search).get("order") ?? "").slice(0, 40);
const pictures = messagePictures(part("pictures"));
handle(form, {
  send: async ({ order_number: order, ...values }) => api.post("/tickets", { ...values, ...(order ? { order_number: order.toUpperCase() } : {}), pictures: await pictures.names() }),
  done: ({ ticket }) => location.assign(`/tickets/${ticket.number}`),
  refused: (error) => {
    if (error.status !== 404) return false;
    showProblems(form, [{ name: "order_number", message: "Your account has no order with this number." }]);
    return true;
  },
});
section(part("section"), { load: () => ask(), show, failed: (error) => failedState(error, "Your questions could not be loaded") });

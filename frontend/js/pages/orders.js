import { api, session, signInAddress } from "../lib/api.js";
import { append, html, render } from "../lib/html.js";
import { number, plural } from "../lib/format.js";
import { orderCard, orderSkeletons } from "../components/order-card.js";
import { emptyState, failedPart, failedState, loadInto } from "../components/states.js";

const PAGE = 12;
const MOST = 100;

const place = document.querySelector("[data-orders]");
const more = document.querySelector("[data-more]");
const told = document.querySelector("[data-total]");

const nothing = emptyState({
  title: "You have not ordered anything yet",
  image: "empty-orders.svg",
  text: "What you order while signed in is kept here, with where it is and what it came to. An order that you placed as a guest opens by the link in its mail.",
  actions: [{ label: "See what is new", href: "/?sort=newest" }],
});

/** Nobody is asked to sign in by a refusal: the page knows before. */
async function leaveUnlessSignedIn(options) {
  const { user } = await session(options);
  if (!user) location.replace(signInAddress());
  return user;
}

/** How far the reader came goes into the history entry, so that Back shows as much as there was. */
function showMore({ next, total }, shown) {
  history.replaceState({ ...history.state, shown }, "");
  told.textContent = total ? plural(total, "order") : "";
  if (!next) return render(more, html``);
  render(more, html`<p class="soft small">${number(shown)} of ${number(total)} shown</p><button class="button button--quiet" type="button">Show more</button>`);
  more.querySelector("button").addEventListener("click", ({ currentTarget }) => loadMore(next, shown, currentTarget));
}

function show(list) {
  if (!list) return;
  render(place, list.items.length ? html`<ul class="order-cards order-cards--page">${list.items.map((order) => orderCard(order))}</ul>` : nothing);
  showMore(list, list.items.length);
}

async function loadMore(after, shown, button) {
  if (button.ariaBusy === "true") return;
  button.ariaBusy = "true";
  try {
    const list = await api.get("/orders", { params: { limit: PAGE, after } });
    append(place.querySelector("ul"), html`${list.items.map((order) => orderCard(order))}`)?.querySelector("a").focus({ preventScroll: true });
    showMore(list, shown + list.items.length);
  } catch (error) {
    if (error.status === undefined) throw error;
    if (error.status === 401) return location.replace(signInAddress());
    render(more, failedPart(error, "The next orders could not be loaded"));
    more.querySelector("[data-retry]").addEventListener("click", ({ currentTarget }) => loadMore(after, shown, currentTarget));
  }
}

async function fetchOrders(options) {
  if (!await leaveUnlessSignedIn(options)) return null;
  return api.get("/orders", { params: { limit: Math.min(Math.max(history.state?.shown ?? 0, PAGE), MOST) } });
}

function load(options) {
  return loadInto(place, {
    load: () => fetchOrders(options),
    show,
    skeleton: place.childElementCount ? undefined : orderSkeletons(3),
    failed: (error) => {
      if (error.status !== 401) return failedState(error, "Your orders could not be loaded");
      location.replace(signInAddress());
      return null;
    },
  });
}

window.addEventListener("pageshow", ({ persisted }) => { if (persisted) load({ fresh: true }); });
load();

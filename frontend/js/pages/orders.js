import { api, session, signInAddress } from "../lib/api.js";
import { append, html, icon, render } from "../lib/html.js";
import { date, number, plural } from "../lib/format.js";
import { orderCard, orderSkeletons } from "../components/order-card.js";
import { emptyState, failedPart, failedState, loadInto } from "../components/states.js";
import { toast } from "../components/toast-stack.js";

const PAGE = 12;
const MOST = 100;

const place = document.querySelector("[data-orders]");
const offer = document.querySelector("[data-claim]");
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

// ---- what was ordered as a guest, with the address of this account

const LATER = "claims-later";

function between(items) {
  const [last, first] = [items[0], items.at(-1)].map(({ placed_at: at }) => date(at));
  return first === last ? `on ${first}` : `between ${first} and ${last}`;
}

function offerClaim({ items, email }) {
  const open = items.length > 0 && sessionStorage.getItem(LATER) !== items[0].number;
  render(offer, html`${open && html`<section class="alert alert--good claim" aria-labelledby="claim-title">${icon("package")}<div class="alert__text stack stack--tight">
    <h2 class="alert__title" id="claim-title">We found ${plural(items.length, "order")} made with ${email}</h2>
    <p>${items.length > 1 ? "They were" : "It was"} placed without signing in, ${between(items)}. Add ${items.length > 1 ? "them" : "it"} to your account to follow ${items.length > 1 ? "them" : "it"} here. The ${items.length > 1 ? "links" : "link"} in our mails will go on working.</p>
    <p class="cluster"><button class="button" type="button" data-add>Add to my account</button><button class="button button--quiet" type="button" data-later>Not now</button></p></div></section>`}`);
  offer.querySelector("[data-add]")?.addEventListener("click", claim);
  offer.querySelector("[data-later]")?.addEventListener("click", () => {
    sessionStorage.setItem(LATER, items[0].number);
    render(offer, html``);
    document.querySelector("main").focus();
  });
}

async function claim({ currentTarget: button }) {
  if (button.ariaBusy === "true") return;
  button.ariaBusy = "true";
  try {
    const { claimed } = await api.post("/orders/claims");
    await load();
    document.querySelector("main").focus();
    toast(`${plural(claimed, "order")} added to your account.`);
  } catch (error) {
    if (error.status === undefined) throw error;
    button.ariaBusy = null;
    toast(error.message);
  }
}

/** The list is there without it; an offer that could not be asked for is made another time. */
async function claimable(email) {
  try {
    return { ...await api.get("/orders/claimable"), email };
  } catch (error) {
    if (error.status === undefined) throw error;
    return { items: [] };
  }
}

// ---- the list

function show(answer) {
  if (!answer) return;
  const [list, found] = answer;
  offerClaim(found);
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
  const user = await leaveUnlessSignedIn(options);
  if (!user) return null;
  return Promise.all([api.get("/orders", { params: { limit: Math.min(Math.max(history.state?.shown ?? 0, PAGE), MOST) } }), claimable(user.email)]);
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

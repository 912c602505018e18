import { api, session, signInAddress } from "../lib/api.js";
import { html, icon, render } from "../lib/html.js";
import { plural } from "../lib/format.js";
import { refreshWishes, wish } from "../lib/wishlist.js";
import { cardSkeletons, productCard } from "../components/product-card.js";
import { emptyState, failedState, loadInto } from "../components/states.js";
import { toast } from "../components/toast-stack.js";

const place = document.querySelector("[data-wishlist]");
const heading = document.querySelector("[data-heading]");
let guest = false;

const nothing = () => emptyState({
  title: "Nothing here yet",
  text: "Press the heart on anything you want to keep in mind, and find it here again.",
  image: "empty-wishlist.svg",
  actions: [{ label: "See what is new", href: "/?sort=newest" }],
});

const invitation = html`<p class="alert">${icon("info")}<span class="alert__text">These wishes stay in this browser. <a href="${signInAddress("/wishlist")}">Sign in</a> to have them everywhere.</span></p>`;

function showCount(count) {
  document.querySelector("[data-count]").textContent = count ? `${plural(count, "thing")} you want to keep in mind.` : "";
}

function show({ items, count, currency }) {
  showCount(count);
  render(place, count ? html`<div class="stack stack--loose">${guest && invitation}<h2 class="visually-hidden">What you keep in mind</h2><ul class="product-grid">${items.map((one, i) => productCard(one, { currency, eager: i < 4 }))}</ul></div>` : nothing());
}

async function fetchAll() {
  const [found, { user }] = await Promise.all([api.get("/wishlist"), session()]);
  guest = !user;
  return found;
}

const load = () => loadInto(place, {
  load: fetchAll,
  show,
  skeleton: place.childElementCount ? undefined : cardSkeletons(4),
  failed: (error) => failedState(error, "Your wishlist could not be loaded"),
});

function drop(id) {
  const card = place.querySelector(`[data-heart="${id}"]`)?.closest("li");
  if (!card) return;
  const title = card.querySelector("a").textContent;
  const next = card.nextElementSibling ?? card.previousElementSibling;
  card.remove();
  const left = place.querySelectorAll("li.product-card").length;
  showCount(left);
  if (!left) render(place, nothing());
  (next?.querySelector("a") ?? heading).focus();
  const undo = () => wish(id, true).catch((error) => { if (error.status === undefined) throw error; toast(error.message); });
  toast(`${title} was taken off your wishlist.`, { action: { label: "Undo", run: undo } });
}

document.addEventListener("wishlist:changed", ({ detail: { id, wished } }) => (wished ? load() : drop(id)));
window.addEventListener("pageshow", ({ persisted }) => { if (persisted) { refreshWishes({ fresh: true }); load(); } });
load();

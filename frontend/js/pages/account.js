import { api, session } from "../lib/api.js";
import { html, icon, render } from "../lib/html.js";
import { date } from "../lib/format.js";
import { signIn } from "../components/account-section.js";
import { avatar } from "../components/avatar.js";
import { keepNotices } from "../components/notices.js";
import { orderCard, orderSkeletons } from "../components/order-card.js";
import { failedPart, failedState, loadInto } from "../components/states.js";
import { toast } from "../components/toast-stack.js";

const LATEST = 3;
const ROLES = { staff: "You help to run this shop.", admin: "You run this shop." };

const part = (name) => document.querySelector(`[data-${name}]`);

const capital = (word) => word.charAt(0).toUpperCase() + word.slice(1);

const card = ({ username, email, first_name: first, last_name: last, role, level, created_at: since, avatar: picture }) => html`<div class="account__who">
    <span class="avatar">${avatar({ username, first_name: first, avatar: picture })}</span>
    <div class="account__names"><p class="strong">${[first, last].filter(Boolean).join(" ") || username}</p><p class="soft">${email}</p></div>
  </div>
  <dl class="facts">
    <div><dt>Username</dt><dd>${username}</dd></div>
    <div><dt>Here since</dt><dd>${date(since)}</dd></div>
    ${level && html`<div><dt>Level</dt><dd>${capital(level)}</dd></div>`}
  </dl>
  ${ROLES[role] && html`<p class="alert alert--good">${icon("shield")}<span class="alert__text">${ROLES[role]}</span></p>`}
  <button class="button button--quiet" type="button" data-sign-out>${icon("log-out")}Sign out</button>`;

async function signOut({ currentTarget: button }) {
  if (button.ariaBusy === "true") return;
  button.ariaBusy = "true";
  try {
    await api.post("/auth/logout");
    sessionStorage.clear(); // What was typed and ordered here is nothing for whoever sits down next.
    keepNotices(["You are signed out."]);
    location.assign("/");
  } catch (error) {
    if (error.status === undefined) throw error;
    button.ariaBusy = null;
    toast(`You are still signed in. ${error.message}`, { seconds: 10 });
  }
}

function showUser({ user }) {
  if (!user) return signIn();
  part("you-panel").hidden = false;
  part("hello").textContent = `Hello, ${user.first_name || user.username}`;
  showYou(user);
  return loadOrders();
}

/** Picture and level are asked for apart; without them the rest is shown. */
async function showYou(user) {
  const known = await api.get("/me").catch((error) => {
    if (error.status === undefined) throw error;
    return user;
  });
  render(part("you"), card(known)).querySelector("[data-sign-out]").addEventListener("click", signOut);
}

const nothing = html`<div class="stack"><p class="soft">You have not ordered anything yet. What you order while signed in is kept here.</p>
  <p><a class="button" href="/?sort=newest">See what is new</a></p></div>`;

const loadOrders = () => loadInto(part("orders"), {
  load: () => api.get("/orders", { params: { limit: LATEST } }),
  show: ({ items }) => render(part("orders"), items.length ? html`<ul class="order-cards">${items.map((order) => orderCard(order, { level: 3 }))}</ul>` : nothing),
  skeleton: orderSkeletons(2),
  failed: (error) => (error.status === 401 ? signIn() : failedPart(error, "Your orders could not be loaded")),
});

const load = (options) => loadInto(part("orders"), {
  load: () => session(options),
  show: showUser,
  skeleton: part("orders").childElementCount ? undefined : orderSkeletons(2),
  failed: (error) => {
    part("you-panel").hidden = true;
    return failedState(error, "Your account could not be loaded");
  },
});

window.addEventListener("pageshow", ({ persisted }) => { if (persisted) load({ fresh: true }); });
load();

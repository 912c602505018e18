import { api } from "../lib/api.js";
import { handle } from "../lib/form.js";
import { ago, countryName, date, dateTime, money, number, plural } from "../lib/format.js";
import { html, icon, render } from "../lib/html.js";
import { ask } from "../components/ask-dialog.js";
import { stateBadge } from "../components/order-states.js";
import { proved } from "../components/password-dialog.js";
import { dealtWith, staff } from "../components/staff.js";
import { emptyState, failedState, loadInto } from "../components/states.js";
import { toast } from "../components/toast-stack.js";
import { ROLES, askBlock, askErasure, fullName, roleField, userBadge } from "../components/user-acts.js";

const place = document.querySelector("[data-user]");
const path = `/admin/users/${encodeURIComponent(location.pathname.split("/").pop())}`;
const OPEN = { open: "warning", waiting: "accent-soft", closed: "soft" };
const REVIEWS = { pending: ["Waiting", "warning"], approved: ["Shown", "good"], rejected: ["Hidden", "soft"] };

let now;

// ---- what is shown

const when = (at) => html`<time datetime="${at}" title="${dateTime(at)}">${ago(at)}</time>`;
const words = (name) => name[0].toUpperCase() + name.slice(1).replaceAll("_", " ");
const badge = (text, look) => html`<span class="badge badge--${look}">${text}</span>`;
const act = (name, label, looks = "button--quiet") => html`<button class="button ${looks} button--small" type="button" data-act="${name}">${label}</button>`;

const entries = (id, title, list, entry, none, end = "") => html`<section class="panel" aria-labelledby="${id}"><div class="panel__head"><h2 class="panel__title" id="${id}">${title}</h2>${end}</div>
  ${list.length ? html`<ul class="desk-entries">${list.map((one) => html`<li class="desk-entries__one">${entry(one)}</li>`)}</ul>` : html`<p class="soft small">${none}</p>`}</section>`;

const order = (one) => html`<div class="editor__line"><p><a class="figures" href="/admin/orders/${one.number}">${one.number}</a> ${stateBadge(one.status)} ${one.status === "placed" && html`${stateBadge(one.payment_status)} ${stateBadge(one.fulfilment_status)}`}</p><strong class="figures">${money(one.total_minor, one.currency)}</strong></div><p class="soft small">${dateTime(one.placed_at)}</p>`;
const ticket = (one) => html`<div class="editor__line"><p><a href="/admin/tickets/${one.number}">${one.subject}</a></p>${badge(words(one.status), OPEN[one.status])}</div><p class="soft small">${when(one.updated_at)}</p>`;
const review = (one) => html`<div class="editor__line"><p><a href="/products/${one.slug}">${one.product}</a></p>${badge(...REVIEWS[one.status])}</div><p class="small">${one.rating} of 5${one.title && html`: ${one.title}`}</p>`;
const card = (one) => html`<div class="editor__line"><p class="figures">…${one.last_letters}</p><strong class="figures">${money(one.balance_minor, one.currency)}</strong></div><p class="soft small">of ${money(one.initial_minor, one.currency)}${one.voided_at ? ", voided" : one.expires_at && html`, until ${date(one.expires_at)}`}</p>`;
const address = ({ label, name, line1, line2, postcode, city, region, country, phone }) => html`<p class="small">${label && html`<strong>${label}</strong><br>`}${[name, line1, line2, `${postcode} ${city}`.trim(), region, countryName(country), phone].filter(Boolean).join(", ")}</p>`;
const device = (one) => html`<p>${one.kind === "token" ? "A script's token" : `${one.browser === "other" ? "A browser" : one.browser}${one.os === "other" ? "" : ` on ${one.os}`}`}</p><p class="soft small">${one.ip}, ${when(one.seen_at)}</p>`;
const note = (one) => html`<blockquote class="desk-quote">${one.body}</blockquote><div class="editor__line"><p class="soft small">${one.author ?? "Somebody who left"}, ${when(one.created_at)}</p><button class="button button--plain button--small" type="button" data-forget="${one.id}">Remove<span class="visually-hidden"> this note</span></button></div>`;

const notes = () => html`<section class="panel" aria-labelledby="notes-title"><div class="panel__head"><h2 class="panel__title" id="notes-title">Notes</h2></div>
  <form class="dialog__form" method="post" novalidate data-note><div class="field"><label class="field__label" for="note">For those who run the shop</label><textarea class="field__input" id="note" name="body" rows="3" maxlength="2000" required data-missing="Write something first." aria-describedby="note-hint"></textarea>
    <p class="field__hint" id="note-hint">Who asks for their data is told these too.</p></div><p><button class="button button--quiet button--small" type="submit">Note it</button></p></form>
  ${now.notes.length > 0 && html`<ul class="desk-entries">${now.notes.map((one) => html`<li class="desk-entries__one">${note(one)}</li>`)}</ul>`}</section>`;

const facts = ({ user, currency }) => html`<section class="panel" aria-labelledby="facts-title"><div class="panel__head"><h2 class="panel__title" id="facts-title">Profile</h2>${act("edit", "Edit")}</div>
  <dl class="facts"><div><dt>Name</dt><dd>${fullName(user) || "not told"}</dd></div><div><dt>E-mail</dt><dd class="anywhere"><a href="mailto:${user.email}">${user.email}</a></dd></div><div><dt>Phone</dt><dd>${user.phone || "not told"}</dd></div>
    <div><dt>Spent</dt><dd class="figures">${money(user.spent_minor, currency)} in ${plural(user.order_count, "order")}</dd></div><div><dt>Level</dt><dd>${user.level ? words(user.level) : "none"}</dd></div><div><dt>Newsletter</dt><dd>${user.newsletter ? "Yes" : "No"}</dd></div>
    <div><dt>Last sign-in</dt><dd>${user.signed_in_at ? dateTime(user.signed_in_at) : "never"}</dd></div><div><dt>Two-step sign-in</dt><dd>${user.totp ? "On" : "Off"}</dd></div><div><dt>Customer since</dt><dd>${date(user.created_at)}</dd></div></dl></section>`;

const doings = ({ user, own }) => html`<section class="panel" aria-labelledby="acts-title"><div class="panel__head"><h2 class="panel__title" id="acts-title">Account</h2></div>
  ${own ? html`<p class="soft small">This is your own account. Another admin can change its role, block or close it.</p>` : html`<div class="desk-acts">
    ${act("role", "Change the role")}${user.blocked_until ? act("unblock", "Lift the block") : act("block", "Block until …", "button--danger-quiet")}
    ${user.status === "active" ? act("deactivate", "Deactivate", "button--danger-quiet") : act("activate", "Activate")}
    ${now.devices.length > 0 && act("end_sessions", "Sign out everywhere")}${user.totp && act("totp", "Switch two steps off")}${act("send_test_mail", "Send a test mail")}${act("erase", "Erase", "button--danger-quiet")}</div>`}</section>`;

function show(answer) {
  now = answer;
  const { user } = now;
  document.title = document.title.replace(/^[^·]*/, `${user.username} `);
  render(place, html`<div class="desk-head"><a class="icon-button" href="/admin/users">${icon("arrow-left")}<span class="visually-hidden">All customers</span></a>
    ${now.avatar && html`<img class="desk-face" src="${now.avatar.src}" alt="" width="40" height="40">`}<h1 class="anywhere" data-heading tabindex="-1">${user.username}</h1>${userBadge(user)}${user.role !== "customer" && badge(ROLES[user.role], "accent-soft")}
    ${user.blocked_until && html`<p class="desk-head__lead small">Blocked until ${dateTime(user.blocked_until)}: ${user.block_reason}</p>`}</div>
  <div class="editor__columns"><div class="editor__column">${facts(now)}
    ${entries("orders-title", "Orders", now.orders, order, "No orders yet.", user.order_count > now.orders.length && html`<a href="/admin/orders?q=${encodeURIComponent(user.email)}">All ${number(user.order_count)}</a>`)}
    ${entries("tickets-title", "Tickets", now.tickets, ticket, "Nothing was asked.")}${entries("reviews-title", "Reviews", now.reviews, review, "No reviews.")}
    ${entries("events-title", "Events", now.events, (one) => html`<p>${words(one.kind)}</p><p class="soft small">${dateTime(one.at)}${one.actor && one.actor !== user.username && ` by ${one.actor}`}</p>`, "Nothing happened yet.", html`<a href="/admin/events?${new URLSearchParams({ q: user.username })}">All</a>`)}</div>
  <div class="editor__column">${doings(now)}${notes()}${entries("addresses-title", "Addresses", now.addresses, address, "None saved.")}
    ${now.gift_cards.length > 0 && entries("cards-title", "Gift cards", now.gift_cards, card, "")}${entries("devices-title", "Signed in on", now.devices, device, "Nowhere.")}</div></div>`);
  handle(place.querySelector("[data-note]"), { send: (values) => api.post(`${path}/notes`, values), done: () => again("notes-title"), refused: dealtWith });
}

// ---- acts

async function again(heading) {
  show(await api.get(path));
  const title = heading ? document.getElementById(heading) : place.querySelector("[data-heading]");
  title.tabIndex = -1;
  title.focus({ preventScroll: Boolean(heading) });
}

const change = (changes) => proved(() => api.patch(path, changes));
const act1 = (action) => proved(() => api.post("/admin/users/actions", { action, ids: [now.user.id] }));
const input = (name, label, value, max) => html`<div class="field"><label class="field__label" for="${name}">${label} <span class="field__optional">(optional)</span></label><input class="field__input" id="${name}" name="${name}" value="${value}" maxlength="${max}" autocomplete="off"></div>`;

const ACTS = {
  edit: [() => ask({
    title: "Edit the profile", action: "Save", text: "The e-mail address is changed by its owner, who proves the new one.",
    fields: html`${input("first_name", "First name", now.user.first_name, 80)}${input("last_name", "Last name", now.user.last_name, 80)}${input("phone", "Phone", now.user.phone, 32)}`,
    send: ({ first_name = "", last_name = "", phone = "" }) => change({ first_name, last_name, phone }),
  }), "Saved."],
  role: [() => ask({ title: "Change the role", action: "Change it", fields: roleField(now.user.role), text: "It counts from their next click on.", send: ({ role }) => change({ role }) }), "The role is changed."],
  block: [() => askBlock(now.user.username, change), "Blocked."],
  unblock: [() => change({ blocked_until: null }), "The block is lifted."],
  deactivate: [() => ask({ title: `Deactivate ${now.user.username}?`, action: "Deactivate", danger: true, text: "They are signed out at once and cannot sign in until you activate the account again.", send: () => change({ status: "deactivated" }) }), "Deactivated."],
  activate: [() => change({ status: "active" }), "Activated."],
  end_sessions: [() => act1("end_sessions"), "Signed out everywhere."],
  totp: [() => ask({ title: "Switch two-step sign-in off?", action: "Switch it off", danger: true, text: "For somebody who lost phone and recovery codes. Be sure that it is them. A mail tells them.", send: () => proved(() => api.delete(`${path}/totp`)) }), "Two-step sign-in is off."],
  send_test_mail: [() => act1("send_test_mail"), "A test mail is on its way."],
  erase: [() => askErasure(now.user.username, now.user.username, () => proved(() => api.delete(path))), "Erased."],
};

async function run(name, button) {
  button.ariaBusy = "true";
  try {
    const [start, said] = ACTS[name];
    if (!await start()) return;
    if (name === "erase") { location.assign("/admin/users"); return; }
    await again();
    toast(said);
  } catch (error) {
    if (error.status === undefined) throw error;
    if (!dealtWith(error)) toast(error.message, { seconds: 12 });
  } finally {
    button.ariaBusy = null;
  }
}

place.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-act]");
  if (button) run(button.dataset.act, button);
  const gone = target.closest("[data-forget]");
  if (!gone) return;
  await api.delete(`${path}/notes/${gone.dataset.forget}`);
  await again("notes-title");
});

await staff;
loadInto(place, {
  load: () => api.get(path), show, skeleton: html`<div class="skeleton settings__skeleton"></div>`,
  failed: (error) => (dealtWith(error) ? null : error.status === 404 ? emptyState({ title: "There is no such account", text: "It may have been erased.", level: 1, actions: [{ label: "All customers", href: "/admin/users" }] }) : failedState(error, "The customer could not be loaded")),
});

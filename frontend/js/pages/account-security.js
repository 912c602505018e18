import { api, session } from "../lib/api.js";
import { handle } from "../lib/form.js";
import { html, icon, render } from "../lib/html.js";
import { ago, date, plural } from "../lib/format.js";
import { section, signIn } from "../components/account-section.js";
import { ask } from "../components/ask-dialog.js";
import { proved } from "../components/password-dialog.js";
import { toast } from "../components/toast-stack.js";
import { setUpTwoStep, showRecoveryCodes } from "../components/two-step-setup.js";
import "../components/password-field.js";

const FEW_CODES = 3;

const part = (name) => document.querySelector(`[data-${name}]`);
const place = (name) => document.querySelector(`[data-section="${name}"]`);
const totp = place("totp").querySelector("[data-content]");
const devices = place("devices").querySelector("[data-content]");
const password = part("password-form");

/** Do what a button is for; what the shop refuses is said in passing. @param {HTMLElement} button @param {() => Promise<unknown>} act */
async function told(button, act) {
  if (button.ariaBusy === "true") return;
  button.ariaBusy = "true";
  try {
    await act();
  } catch (error) {
    if (error.status === undefined) throw error;
    if (error.status === 401) return signIn();
    toast(error.message, { seconds: 10 });
  } finally {
    button.ariaBusy = null;
  }
}

// ---- password

function changedPassword() {
  password.reset();
  render(part("password-told"), html`<p class="alert alert--good">${icon("check")}<span class="alert__text">Your new password is set. All other devices are signed out.</span></p>`);
  password.elements.current_password.focus();
  loadDevices();
}

// ---- two-step sign-in

const off = html`<p class="cluster"><span class="badge badge--soft">Off</span></p>
  <p><button class="button button--quiet" type="button" data-set-up>${icon("shield")}Set it up</button></p>`;

const on = (left) => html`<p class="cluster"><span class="badge badge--good">${icon("check")}On</span><span>${plural(left, "recovery code")} left</span></p>
  ${left <= FEW_CODES && html`<p class="alert alert--warning">${icon("warning")}<span class="alert__text">You have few recovery codes left. Create new ones now.</span></p>`}
  <p class="cluster"><button class="button button--quiet" type="button" data-renew>Create new recovery codes</button>
    <button class="button button--danger-quiet" type="button" data-turn-off>Turn off</button></p>`;

/** The page's own heading says where one is; its part starts anew below it. */
const toTitle = () => part("totp-title").focus();

const onClick = (name, act) => totp.querySelector(`[data-${name}]`)?.addEventListener("click", ({ currentTarget }) => told(currentTarget, act));

function showState({ enabled, recovery_codes_left: left }) {
  render(totp, enabled ? on(left) : off);
  onClick("set-up", setUp);
  onClick("renew", renewCodes);
  onClick("turn-off", turnOff);
}

async function setUp() {
  const done = await setUpTwoStep(totp, { moved: () => { loadDevices(); toTitle(); } });
  await loadTotp();
  if (done) toTitle();
  else totp.querySelector("[data-set-up]")?.focus();
}

async function renewCodes() {
  const codes = await proved(() => api.post("/me/totp/recovery-codes"));
  if (!codes) return;
  const shown = showRecoveryCodes(totp, codes, { title: "New recovery codes", text: "The previous codes no longer work." });
  toTitle();
  await shown;
  await loadTotp();
  toTitle();
}

async function turnOff() {
  const done = await ask({
    title: "Turn off two-step sign-in?",
    text: "Your password alone will be enough to sign in. Your recovery codes will stop working.",
    action: "Turn off",
    danger: true,
    send: () => proved(() => api.delete("/me/totp")),
  });
  if (!done) return totp.querySelector("[data-turn-off]")?.focus();
  toast("Two-step sign-in is off.");
  await loadTotp();
  toTitle();
}

// ---- devices

const nameOf = ({ kind, browser, os }) => {
  const program = browser === "other" ? (kind === "token" ? "A script" : "A browser") : browser;
  return os === "other" ? program : `${program} on ${os}`;
};

const device = (one) => html`<li class="device">
  ${icon(one.kind === "token" ? "settings" : "device")}
  <div class="device__text">
    <p class="strong">${nameOf(one)} ${one.current && html`<span class="badge badge--good">This one</span>`}</p>
    <p class="soft small">${one.current ? "In use now" : `Last seen ${ago(one.seen_at)}`} · <span class="anywhere">${one.ip}</span></p>
    <p class="soft small">${one.kind === "token" ? "Issued" : "Signed in"} ${date(one.created_at)}</p>
  </div>
  ${!one.current && html`<button class="button button--quiet button--small" type="button" data-end="${one.id}">${one.kind === "token" ? "End" : "Sign out"}<span class="visually-hidden"> ${nameOf(one)}</span></button>`}
</li>`;

function showDevices({ items }) {
  const browsers = items.filter(({ kind }) => kind !== "token");
  const tokens = items.filter(({ kind }) => kind === "token");
  render(devices, html`<ul class="devices">${browsers.map(device)}</ul>
    ${tokens.length > 0 && html`<h3 class="devices__title">Access tokens of scripts</h3><ul class="devices">${tokens.map(device)}</ul>`}
    ${items.some(({ current }) => !current) ? html`<p><button class="button button--danger-quiet" type="button" data-end-others>Sign out everywhere else</button></p>` : html`<p class="soft">You are signed in nowhere else.</p>`}`);
}

async function afterEnding(words) {
  await loadDevices();
  part("devices-title").focus();
  toast(words);
}

devices.addEventListener("click", ({ target }) => {
  const one = target.closest("[data-end]");
  if (one) {
    told(one, async () => {
      const ended = await proved(() => api.delete(`/me/devices/${one.dataset.end}`)).catch((error) => {
        if (error.status !== 404) throw error;
        return {}; // It ended by itself.
      });
      if (ended) await afterEnding("The device is signed out.");
    });
  }
  const others = target.closest("[data-end-others]");
  if (others) {
    told(others, async () => {
      if (await proved(() => api.delete("/me/devices"))) await afterEnding("You are signed out everywhere else.");
    });
  }
});

/** A page that comes back must not throw away codes that are shown only once. */
const showStateUnlessBusy = (state) => { if (!totp.querySelector("[data-recovery], [data-totp-form]")) showState(state); };

handle(password, { send: (values) => proved(() => api.put("/me/password", values)), done: (answer) => { if (answer) changedPassword(); } });
session().then(({ user }) => { password.querySelector("[data-username]").value = user?.email ?? ""; }, () => {}); // Only a help for password managers.
const loadTotp = section(place("totp"), { load: () => api.get("/me/totp"), show: showStateUnlessBusy, what: "Two-step sign-in could not be looked up" });
const loadDevices = section(place("devices"), { load: () => api.get("/me/devices"), show: showDevices, what: "Your devices could not be loaded" });

import { api, session } from "../lib/api.js";
import { handle } from "../lib/form.js";
import { html, icon, render } from "../lib/html.js";
import { ago, date, plural } from "../lib/format.js";
import { section, signIn } from "../components/account-section.js";
import { askPassword, proved } from "../components/password-dialog.js";
import { copy, saveFile } from "../components/saving.js";
import { toast } from "../components/toast-stack.js";
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
  ${left <= FEW_CODES && html`<p class="alert alert--warning">${icon("warning")}<span class="alert__text">For new recovery codes switch it off and set it up again.</span></p>`}
  <p><button class="button button--danger-quiet" type="button" data-switch-off>Switch it off</button></p>`;

const inFours = (secret) => secret.match(/.{1,4}/g).join(" ");

const steps = ({ secret, uri, qr }) => html`<ol class="totp-steps">
  <li class="totp-steps__item"><h3 class="totp-steps__title">Get an app that makes codes</h3>
    <p class="soft">An authenticator app, or your password manager, if it can do that. Any will do.</p></li>
  <li class="totp-steps__item"><h3 class="totp-steps__title">Show it this picture</h3>
    <div class="totp-steps__scan"><img class="qr" src="${qr}" alt="QR code for your authenticator app" width="192" height="192">
      <div class="stack stack--tight"><p>The app has “scan” or “add”.</p>
        <p>On this very device: <a href="${uri}">open it in the app</a>.</p>
        <p>Or type the key:</p><p><code class="totp-steps__key" data-key>${inFours(secret)}</code></p>
        <p><button class="link-button" type="button" data-copy-key>Copy the key</button></p></div></div></li>
  <li class="totp-steps__item"><h3 class="totp-steps__title">Enter the code that the app shows</h3>
    <form class="settings__form" method="post" novalidate data-never-keep data-totp-form>
      <div class="field"><label class="field__label" for="code">Code from the app</label>
        <input class="field__input field__code" id="code" name="code" inputmode="numeric" autocomplete="one-time-code" autocapitalize="none" spellcheck="false" maxlength="12" pattern="\\s*([0-9]\\s*){6}" required aria-describedby="code-hint" data-missing="Enter the 6 digits from the app." data-invalid="Enter the 6 digits from the app.">
        <p class="field__hint" id="code-hint">6 digits. A new one comes every 30 seconds.</p></div>
      <p class="cluster"><button class="button" type="submit">Switch it on</button><button class="button button--plain" type="button" data-cancel>Cancel</button></p>
    </form></li>
</ol>`;

const recovery = (codes) => html`<div class="recovery" data-recovery>
  <p class="alert alert--good">${icon("check")}<span class="alert__text"><span class="alert__title">Two-step sign-in is on</span><br>Keep these recovery codes where you find them without your phone. Each opens your account once, in place of a code from the app. We cannot show them again.</span></p>
  <ul class="recovery__codes" aria-label="Recovery codes">${codes.map((code) => html`<li><code>${code}</code></li>`)}</ul>
  <p class="cluster recovery__acts">
    <button class="button button--quiet button--small" type="button" data-copy>${icon("copy")}Copy</button>
    <button class="button button--quiet button--small" type="button" data-download>${icon("download")}Download</button>
    <button class="button button--quiet button--small" type="button" data-print>${icon("receipt")}Print</button></p>
  <p><button class="button" type="button" data-kept>I have kept them</button></p>
</div>`;

/** The page's own heading says where one is; its part starts anew below it. */
const toTitle = () => part("totp-title").focus();

const onClick = (name, act) => totp.querySelector(`[data-${name}]`)?.addEventListener("click", act);

async function copied(text, words) {
  toast(await copy(text) ? words : "Your browser does not let us copy. Please select the text and copy it yourself.", { seconds: 8 });
}

function showState({ enabled, recovery_codes_left: left }) {
  render(totp, enabled ? on(left) : off);
  onClick("set-up", ({ currentTarget }) => told(currentTarget, setUp));
  onClick("switch-off", switchOff);
}

async function setUp() {
  const begun = await proved(() => api.post("/me/totp"));
  if (!begun) return;
  render(totp, steps(begun));
  onClick("copy-key", () => copied(begun.secret, "The key is copied."));
  onClick("cancel", () => { showState({ enabled: false }); toTitle(); });
  handle(totp.querySelector("[data-totp-form]"), { send: (values) => proved(() => api.post("/me/totp/confirmation", values)), done: (answer) => answer && showCodes(answer) });
  toTitle();
}

function showCodes({ recovery_codes: codes }) {
  const text = `${codes.join("\n")}\n`;
  render(totp, recovery(codes));
  onClick("copy", () => copied(text, "The recovery codes are copied."));
  onClick("download", () => saveFile("recovery-codes.txt", `Recovery codes for ${location.host}. Each is good once.\n\n${text}`));
  onClick("print", () => window.print());
  onClick("kept", () => { render(totp, html``); loadTotp(); toTitle(); });
  toTitle();
}

async function switchOff() {
  const done = await askPassword({
    title: "Switch two-step sign-in off?",
    text: "Your password alone opens the account then. The recovery codes end, too.",
    action: "Switch it off",
    danger: true,
    send: (typed) => api.delete("/me/totp", { body: { password: typed } }),
  });
  if (!done) return totp.querySelector("[data-switch-off]")?.focus();
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
      await proved(() => api.delete(`/me/devices/${one.dataset.end}`)).catch((error) => { if (error.status !== 404) throw error; }); // It has ended by itself.
      await afterEnding("The device is signed out.");
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

handle(password, { send: (values) => api.put("/me/password", values), done: changedPassword });
session().then(({ user }) => { password.querySelector("[data-username]").value = user?.email ?? ""; }, () => {}); // Only a help for password managers.
const loadTotp = section(place("totp"), { load: () => api.get("/me/totp"), show: showStateUnlessBusy, what: "Two-step sign-in could not be looked up" });
const loadDevices = section(place("devices"), { load: () => api.get("/me/devices"), show: showDevices, what: "Your devices could not be loaded" });

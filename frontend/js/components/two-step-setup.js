// Setting up two-step sign-in: a QR code for the authenticator app, a first code from it, then the recovery codes.
import { api } from "../lib/api.js";
import { handle } from "../lib/form.js";
import { html, icon, render } from "../lib/html.js";
import { proved } from "./password-dialog.js";
import { copy, saveFile } from "./saving.js";
import { toast } from "./toast-stack.js";

const inFours = (secret) => secret.match(/.{1,4}/g).join(" ");

const steps = ({ secret, uri, qr }, cancelLabel) => html`<ol class="totp-steps">
  <li class="totp-steps__item"><h3 class="totp-steps__title">Get an authenticator app</h3>
    <p class="soft">Any authenticator app will do, or a password manager that can generate codes.</p></li>
  <li class="totp-steps__item"><h3 class="totp-steps__title">Scan this QR code with it</h3>
    <div class="totp-steps__scan"><img class="qr" src="${qr}" alt="QR code for your authenticator app" width="192" height="192">
      <div class="stack stack--tight"><p>In the app, choose “scan” or “add”.</p>
        <p>On this device: <a href="${uri}">open it in the app</a>.</p>
        <p>Or enter the key:</p><p><code class="totp-steps__key" data-key>${inFours(secret)}</code></p>
        <p><button class="link-button" type="button" data-copy-key>Copy the key</button></p></div></div></li>
  <li class="totp-steps__item"><h3 class="totp-steps__title">Enter the code that the app shows</h3>
    <form class="settings__form" method="post" novalidate data-never-keep data-totp-form>
      <div class="field"><label class="field__label" for="code">Code from the app</label>
        <input class="field__input field__code" id="code" name="code" inputmode="numeric" autocomplete="one-time-code" autocapitalize="none" spellcheck="false" maxlength="12" pattern="\\s*([0-9]\\s*){6}" required aria-describedby="code-hint" data-missing="Enter the 6 digits from the app." data-invalid="Enter the 6 digits from the app.">
        <p class="field__hint" id="code-hint">6 digits. A new code appears every 30 seconds.</p></div>
      <p class="cluster"><button class="button" type="submit">Turn on</button><button class="button button--plain" type="button" data-cancel>${cancelLabel}</button></p>
    </form></li>
</ol>`;

const recovery = (codes, { title, text }) => html`<div class="recovery" data-recovery>
  <p class="alert alert--good">${icon("check")}<span class="alert__text"><span class="alert__title">${title}</span><br>${text} Save these recovery codes somewhere you can reach without your phone. Each one works once instead of a code from the app. We can’t show them again.</span></p>
  <ul class="recovery__codes" aria-label="Recovery codes">${codes.map((code) => html`<li><code>${code}</code></li>`)}</ul>
  <p class="cluster recovery__acts">
    <button class="button button--quiet button--small" type="button" data-copy>${icon("copy")}Copy</button>
    <button class="button button--quiet button--small" type="button" data-download>${icon("download")}Download</button>
    <button class="button button--quiet button--small" type="button" data-print>${icon("receipt")}Print</button></p>
  <p><button class="button" type="button" data-saved>I have saved them</button></p>
</div>`;

async function copied(text, words) {
  toast(await copy(text) ? words : "Your browser does not let us copy. Please select the text and copy it yourself.", { seconds: 8 });
}

/**
 * Show recovery codes in `place` until the visitor says that they are saved.
 * @param {HTMLElement} place
 * @param {{recovery_codes: string[]}} answer
 * @param {{title: string, text: string}} words
 */
export function showRecoveryCodes(place, { recovery_codes: codes }, words) {
  const text = `${codes.join("\n")}\n`;
  const onClick = (name, act) => place.querySelector(`[data-${name}]`).addEventListener("click", act);
  render(place, recovery(codes, words));
  onClick("copy", () => copied(text, "Recovery codes copied."));
  onClick("download", () => saveFile("recovery-codes.txt", `Recovery codes for ${location.host}. Each is good once.\n\n${text}`));
  onClick("print", () => window.print());
  return new Promise((decided) => { onClick("saved", () => { render(place, html``); decided(); }); });
}

/**
 * Set up two-step sign-in in `place`. Resolves to true once it is on and the recovery codes are saved, to false when it was canceled.
 * @param {HTMLElement} place
 * @param {{moved?: () => void, cancelLabel?: string}} [options] `moved` puts the focus where a new step begins
 * @returns {Promise<boolean>}
 */
export async function setUpTwoStep(place, { moved = () => {}, cancelLabel = "Cancel" } = {}) {
  const begun = await proved(() => api.post("/me/totp"));
  if (!begun) return false;
  render(place, steps(begun, cancelLabel));
  place.querySelector("[data-copy-key]").addEventListener("click", () => copied(begun.secret, "Key copied."));
  moved();
  const codes = await new Promise((decided) => {
    place.querySelector("[data-cancel]").addEventListener("click", () => decided(null));
    handle(place.querySelector("[data-totp-form]"), {
      send: (values) => proved(() => api.post("/me/totp/confirmation", values)),
      done: (answer) => { if (answer) decided(answer); },
    });
  });
  if (!codes) {
    render(place, html``);
    return false;
  }
  const shown = showRecoveryCodes(place, codes, { title: "Two-step sign-in is on", text: "All other devices have been signed out." });
  moved();
  await shown;
  return true;
}

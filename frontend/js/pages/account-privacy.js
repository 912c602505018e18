import { api } from "../lib/api.js";
import { html, icon, render } from "../lib/html.js";
import { section } from "../components/account-section.js";
import { keepNotices } from "../components/notices.js";
import { askProof, proved } from "../components/password-dialog.js";
import { saveFile } from "../components/saving.js";
import { failedPart, failedState } from "../components/states.js";

const part = (name) => document.querySelector(`[data-${name}]`);

let user;

async function takeAlong() {
  const button = part("export");
  if (button.ariaBusy === "true") return;
  button.ariaBusy = "true";
  render(part("export-told"), html``);
  try {
    const data = await proved(() => api.get("/me/export"));
    if (!data) return;
    saveFile("my-data.json", JSON.stringify(data, null, 2), "application/json");
    render(part("export-told"), html`<p class="alert alert--good">${icon("check")}<span class="alert__text">The file my-data.json is among your downloads.</span></p>`);
  } catch (error) {
    if (error.status === undefined) throw error;
    render(part("export-told"), failedPart(error, "Your data could not be fetched")).querySelector("[data-retry]").addEventListener("click", takeAlong);
  } finally {
    button.ariaBusy = null;
  }
}

async function erase() {
  const erased = await askProof({
    title: "Erase your account?",
    text: html`<p>This cannot be undone. Orders that are not on their way yet are cancelled.</p><p>If you want your data, download it before.</p>`,
    action: "Erase it for good",
    danger: true,
    typed: user.username,
    send: ({ password }) => proved(() => api.delete("/me", { body: { password } })),
  });
  if (!erased) return part("erase").focus();
  sessionStorage.clear();
  keepNotices(["Your account is erased. Thank you for having been here."]);
  location.replace("/");
}

part("export").addEventListener("click", takeAlong);
part("erase").addEventListener("click", erase);
section(part("section"), { load: (who) => who, show: (who) => { user = who; }, failed: (error) => failedState(error, "This page could not be loaded") });

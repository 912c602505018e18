import { api } from "../lib/api.js";
import { handle } from "../lib/form.js";
import { html, icon, render } from "../lib/html.js";
import { carryNext, destination, leaveWhenSignedIn } from "../components/entrance.js";
import { keepNotices } from "../components/notices.js";
import "../components/password-field.js";

const part = (name) => document.querySelector(`[data-${name}]`);
const form = part("form");
const { identifier, password, totp } = form.elements;

/** A reset leaves word here, and the address it was for. */
function showNote() {
  const { text, email } = JSON.parse(sessionStorage.getItem("sign-in-note") ?? "{}");
  sessionStorage.removeItem("sign-in-note");
  if (!text) return;
  render(part("note"), html`<p class="alert alert--good" role="status">${icon("check")}<span class="alert__text">${text}</span></p>`);
  identifier.value ||= email ?? "";
  password.focus();
}

part("forgot").addEventListener("click", () => {
  if (identifier.value.includes("@")) sessionStorage.setItem("forgot-email", identifier.value.trim());
});

/** The second step of the two, where the account asks for a code; name and password stay in their fields and are sent again with it. */
function showStep(second) {
  part("title").textContent = second ? "Enter your code" : "Sign in";
  for (const place of [part("first"), part("lead")]) place.hidden = second;
  for (const place of document.querySelectorAll("[data-second]")) place.hidden = !second;
  totp.disabled = !second;
  totp.value = "";
  (second ? totp : password).focus();
}

function refused({ status, code }) {
  if (code === "totp_needed") showStep(true);
  else if (status === 401 && code !== "totp_wrong") showStep(false);
  return code === "totp_needed";
}

part("back").addEventListener("click", () => showStep(false));
handle(form, {
  send: (values) => api.post("/auth/login", values),
  done: ({ notices }) => {
    keepNotices(notices);
    location.replace(destination());
  },
  refused,
});
carryNext();
showNote();
leaveWhenSignedIn();

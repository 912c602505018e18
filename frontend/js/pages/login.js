import { api } from "../lib/api.js";
import { handle } from "../lib/form.js";
import { html, icon, render } from "../lib/html.js";
import { carryNext, destination, leaveWhenSignedIn } from "../components/entrance.js";
import { keepNotices } from "../components/notices.js";
import "../components/password-field.js";

const form = document.querySelector("[data-form]");
const { identifier, password } = form.elements;

/** A reset leaves word here, and the address it was for. */
function showNote() {
  const { text, email } = JSON.parse(sessionStorage.getItem("sign-in-note") ?? "{}");
  sessionStorage.removeItem("sign-in-note");
  if (!text) return;
  render(document.querySelector("[data-note]"), html`<p class="alert alert--good" role="status">${icon("check")}<span class="alert__text">${text}</span></p>`);
  identifier.value ||= email ?? "";
  password.focus();
}

document.querySelector("[data-forgot]").addEventListener("click", () => {
  if (identifier.value.includes("@")) sessionStorage.setItem("forgot-email", identifier.value.trim());
});

handle(form, {
  send: (values) => api.post("/auth/login", values),
  done: ({ notices }) => {
    keepNotices(notices);
    location.replace(destination());
  },
});
carryNext();
showNote();
leaveWhenSignedIn();

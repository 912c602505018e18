import { api } from "../lib/api.js";
import { handle } from "../lib/form.js";
import { render } from "../lib/html.js";
import { carryNext } from "../components/entrance.js";
import { forgetSent, offerResend, sentCode, showMailbox } from "../components/mailed-code.js";
import { emptyState } from "../components/states.js";
import "../components/password-field.js";

const page = document.querySelector("[data-page]");
const form = document.querySelector("[data-form]");
const sent = sentCode("reset");

const nothing = emptyState({
  level: 1, title: "No code is waited for here", image: "not-found.svg",
  text: "Perhaps the password is set already, or you began in another tab or browser. Please go on there, or ask for a new code.",
  actions: [{ label: "Ask for a code", href: "/forgot-password" }, { label: "Sign in", href: "/login" }],
});

function done() {
  forgetSent("reset");
  sessionStorage.setItem("sign-in-note", JSON.stringify({ text: "Your new password is set. Please sign in with it.", email: sent.email }));
  location.replace(`/login${sent.next ? `?${new URLSearchParams({ next: sent.next })}` : ""}`);
}

if (sent) {
  if (sent.email) document.querySelector("[data-address]").textContent = sent.email;
  document.querySelector("[data-username]").value = sent.email ?? "";
  handle(form, { send: (values) => api.post("/auth/reset", { challenge: sent.challenge, ...values }), done });
  offerResend(document.querySelector("[data-resend]"), "reset");
  showMailbox(document.querySelector("[data-mailbox]"));
  carryNext(sent.next);
} else {
  render(page, nothing);
}
window.addEventListener("pageshow", ({ persisted }) => { if (persisted) location.reload(); });

import { api, nextAddress, session } from "../lib/api.js";
import { handle } from "../lib/form.js";
import { render } from "../lib/html.js";
import { carryNext } from "../components/entrance.js";
import { forgetSent, offerResend, sentCode, showMailbox } from "../components/mailed-code.js";
import { keepNotices } from "../components/notices.js";
import { emptyState } from "../components/states.js";

const page = document.querySelector("[data-page]");
const form = document.querySelector("[data-form]");
const sent = sentCode("register");

const nothing = emptyState({
  level: 1, title: "No code is waited for here", image: "not-found.svg",
  text: "Perhaps you have entered it already, or began in another tab or browser. Please go on there, or begin anew.",
  actions: [{ label: "Create an account", href: "/register" }, { label: "Sign in", href: "/login" }],
});

function done({ user, notices }) {
  forgetSent("register");
  sessionStorage.removeItem("register-email");
  keepNotices([`Welcome, ${user.username}. Your account is ready.`, ...notices]);
  location.replace(sent.next || nextAddress("/account"));
}

async function showNothing() {
  const { user } = await session().catch(() => ({ user: null }));
  if (user) location.replace(nextAddress("/account"));
  else render(page, nothing);
}

if (sent) {
  if (sent.email) document.querySelector("[data-address]").textContent = sent.email;
  handle(form, { send: (values) => api.post("/auth/verify", { challenge: sent.challenge, ...values }), done });
  offerResend(document.querySelector("[data-resend]"), "register");
  showMailbox(document.querySelector("[data-mailbox]"));
  carryNext(sent.next);
} else {
  showNothing();
}
window.addEventListener("pageshow", ({ persisted }) => { if (persisted) location.reload(); });

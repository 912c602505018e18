// Opening the page changes nothing, since mail scanners open every link; the button does.
import { api } from "../lib/api.js";
import { handle } from "../lib/form.js";
import { html, icon, render } from "../lib/html.js";

const part = (name) => document.querySelector(`[data-${name}]`);
const form = part("form");
const token = new URLSearchParams(location.search).get("token") ?? "";

function tell(title, markup) {
  form.hidden = true;
  part("lead").hidden = true;
  part("heading").textContent = title;
  render(part("told"), html`${markup}<p><a class="button button--quiet" href="/">Go to the shop</a></p>`);
  part("heading").focus();
}

handle(form, {
  send: () => api.post(`/cart-reminders/unsubscribe/${encodeURIComponent(token || "none")}`),
  done: () => tell("Switched off", html`<p class="alert alert--good">${icon("check")}<span class="alert__text">We do not remind you any more. Your profile shows it as switched off.</span></p>`),
  refused: (error) => {
    if (error.status !== 404) return false;
    tell("This link is not complete", html`<p>${error.message}</p>`);
    return true;
  },
});

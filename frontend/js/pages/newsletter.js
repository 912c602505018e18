// Where the links of newsletters lead. Opening a page changes nothing, since mail scanners open every link; the button does.
import { api } from "../lib/api.js";
import { handle } from "../lib/form.js";
import { html, icon, render } from "../lib/html.js";

const part = (name) => document.querySelector(`[data-${name}]`);
const token = new URLSearchParams(location.search).get("token") ?? "";

const WAYS = {
  confirm: {
    send: () => api.post("/newsletter/confirmation", { token }),
    heading: "You are on the list", said: "Thank you. The next newsletter comes to your address.",
    failed: "This link is of no use any more",
  },
  unsubscribe: {
    send: () => api.post(`/newsletter/unsubscribe/${encodeURIComponent(token)}`),
    heading: "You are off the list", said: "You get no more newsletters from us, not even one that was on its way to you. Should you miss them, sign up again below.",
    failed: "This link is not complete",
  },
};

const form = part("form");
const { send, heading, said, failed } = WAYS[form.dataset.does];

function told(title, markup) {
  form.hidden = true;
  part("lead").hidden = true;
  part("heading").textContent = title;
  render(part("told"), markup);
  part("heading").focus();
}

function refused(error) {
  if (error.status !== 404 && error.status !== 422) return false;
  told(failed, html`<p>${error.status === 404 ? error.message : "Please open it from the mail once more."}</p><p><a class="button button--quiet" href="/">Go to the shop</a></p>`);
  return true;
}

handle(form, {
  send,
  done: () => told(heading, html`<p class="alert alert--good">${icon("check")}<span class="alert__text">${said}</span></p><p><a class="button button--quiet" href="/">Go to the shop</a></p>`),
  refused,
});

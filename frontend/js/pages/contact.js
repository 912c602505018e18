import { api, session } from "../lib/api.js";
import { handle } from "../lib/form.js";
import { html, icon, render } from "../lib/html.js";
import { messagePictures } from "../components/message-pictures.js";

const form = document.querySelector("[data-form]");
const told = document.querySelector("[data-told]");

function thank(email) {
  form.hidden = true;
  render(told, html`<p class="alert alert--good">${icon("check")}<span class="alert__text">Thank you. Your message is with us, and the answer goes to ${email}.</span></p>`);
  document.querySelector("[data-heading]").focus();
}

/** Who is signed in need not type who they are. */
async function fill() {
  const { user } = await session().catch(() => ({}));
  if (!user) return;
  form.elements.email.value ||= user.email ?? "";
  form.elements.name.value ||= [user.first_name, user.last_name].filter(Boolean).join(" ") || user.username;
}

const pictures = messagePictures(document.querySelector("[data-pictures]"));
handle(form, { send: async (values) => api.post("/contact", { ...values, pictures: await pictures.names() }), done: (_, { email }) => thank(email) });
fill();

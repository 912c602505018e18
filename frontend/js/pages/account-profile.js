import { api } from "../lib/api.js";
import { handle, showProblems } from "../lib/form.js";
import { html, icon, render } from "../lib/html.js";
import { date } from "../lib/format.js";
import { PICTURE_TYPES, asData } from "../lib/pictures.js";
import { section } from "../components/account-section.js";
import { avatar } from "../components/avatar.js";
import { forgetSent, keepSent, sentCode, showMailbox } from "../components/mailed-code.js";
import { proved } from "../components/password-dialog.js";
import { failedState } from "../components/states.js";
import { toast } from "../components/toast-stack.js";

const MOST_BYTES = 5 * 1024 * 1024;
const CODE_LIFE = 15 * 60_000;

const part = (name) => document.querySelector(`[data-${name}]`);
const you = part("you-form");
const picture = part("picture-form");
const email = part("email-form");
const code = part("code-form");

let profile;

// ---- the picture

const chosen = () => picture.elements.avatar.files[0];

function complaintAbout(file) {
  if (!file) return "Choose a picture.";
  if (!PICTURE_TYPES.includes(file.type)) return "Choose a picture as JPEG, PNG or WebP.";
  return file.size > MOST_BYTES ? "A picture may have at most 5 MB." : "";
}

function showPicture() {
  picture.reset();
  part("chosen").hidden = true;
  part("has-picture").hidden = !profile.avatar;
  render(part("picture-told"), html``);
  render(part("frame"), avatar(profile));
}

async function preview() {
  const file = chosen();
  if (!file) return showPicture();
  const complaint = complaintAbout(file);
  if (complaint) {
    showPicture();
    return showProblems(picture, [{ name: "avatar", message: complaint }]);
  }
  picture.elements.avatar.dispatchEvent(new Event("input", { bubbles: true })); // What was wrong with the last one is over.
  picture.querySelector(".error-summary")?.remove();
  render(part("frame"), html`<img class="avatar__picture" src="${await asData(file)}" alt="">`);
  part("chosen").hidden = false;
  part("has-picture").hidden = true;
  part("picture-told").textContent = "This is how it will look. It is not saved yet.";
}

async function sendPicture() {
  render(part("picture-told"), html`<label class="sending">Sending the picture<progress class="sending__bar"></progress></label>`);
  try {
    return await api.put("/me/avatar", chosen());
  } finally {
    render(part("picture-told"), html``);
  }
}

function savedPicture(now) {
  profile = now;
  showPicture();
  picture.elements.avatar.focus();
  toast("Your picture is saved.");
}

async function removePicture({ currentTarget: button }) {
  if (button.ariaBusy === "true") return;
  button.ariaBusy = "true";
  try {
    await api.delete("/me/avatar");
    profile = { ...profile, avatar: null };
    showPicture();
    picture.elements.avatar.focus();
    toast("Your picture is removed.");
  } catch (error) {
    if (error.status === undefined) throw error;
    toast(`The picture is still there. ${error.message}`, { seconds: 10 });
  } finally {
    button.ariaBusy = null;
  }
}

function takeDrops() {
  const target = part("drop");
  const over = (event) => {
    if (![...event.dataTransfer.items].some(({ kind }) => kind === "file")) return;
    event.preventDefault();
    target.classList.add("picture--over");
  };
  const out = () => target.classList.remove("picture--over");
  target.addEventListener("dragenter", over);
  target.addEventListener("dragover", over);
  target.addEventListener("dragleave", out);
  target.addEventListener("drop", (event) => {
    out();
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    picture.elements.avatar.files = event.dataTransfer.files;
    preview();
  });
}

// ---- the person

function fillYou() {
  for (const name of ["first_name", "last_name", "phone"]) you.elements[name].value = profile[name];
  you.elements.newsletter.checked = profile.newsletter;
  you.elements.cart_reminders.checked = profile.cart_reminders;
}

/** An emptied field is a change, too. */
const changes = (values) => ({ first_name: "", last_name: "", phone: "", ...values });

function savedYou(now) {
  profile = now;
  if (!profile.avatar && !chosen()) showPicture();
  document.dispatchEvent(new Event("account:changed"));
  toast("Your profile is saved.");
}

// ---- the e-mail address

function showEmail() {
  part("email").textContent = profile.email;
  for (const field of document.querySelectorAll("[data-username]")) field.value = profile.email;
  const sent = sentCode("email");
  const waits = Boolean(sent) && Date.now() - sent.sentAt < CODE_LIFE;
  if (sent && !waits) forgetSent("email");
  email.hidden = waits;
  code.hidden = !waits;
  if (!waits) return;
  part("new-email").textContent = sent.email;
  showMailbox(part("mailbox"));
}

function sentEmail({ challenge }, { email: address }) {
  keepSent("email", { challenge, email: address });
  email.reset();
  showEmail();
  part("code-told").focus();
}

function changedEmail(now) {
  forgetSent("email");
  profile = now;
  code.reset();
  showEmail();
  email.elements.email.focus();
  toast(`Your e-mail address is now ${profile.email}.`, { seconds: 8 });
}

function startAgain() {
  forgetSent("email");
  code.reset();
  showEmail();
  email.elements.email.focus();
}

// ---- all of it

const capital = (word) => word.charAt(0).toUpperCase() + word.slice(1);

const facts = () => html`<div><dt>Username</dt><dd>${profile.username}</dd></div>
  <div><dt>Here since</dt><dd>${date(profile.created_at)}</dd></div>
  ${profile.level && html`<div><dt>Level</dt><dd><span class="badge badge--good">${icon("star")}${capital(profile.level)}</span></dd></div>`}`;

/** What is being typed stays when the page comes back from the browser's history. */
function show(now) {
  const first = !profile;
  profile = now;
  showEmail();
  render(part("facts"), facts());
  if (first || !chosen()) showPicture();
  if (!first) return;
  fillYou();
  handle(you, { send: (values) => api.patch("/me", changes(values)), done: savedYou });
  handle(picture, { send: sendPicture, check: () => ({ avatar: complaintAbout(chosen()) }), done: savedPicture });
  handle(email, { send: (values) => proved(() => api.post("/me/email", values)), done: (answer, values) => { if (answer) sentEmail(answer, values); } });
  handle(code, { send: ({ otp }) => api.post("/me/email/verify", { challenge: sentCode("email")?.challenge ?? "gone", otp }), done: changedEmail });
}

picture.elements.avatar.addEventListener("change", preview);
part("discard").addEventListener("click", () => { showPicture(); picture.elements.avatar.focus(); });
part("remove").addEventListener("click", removePicture);
part("start-again").addEventListener("click", startAgain);
takeDrops();
section(part("section"), { load: () => api.get("/me"), show, failed: (error) => failedState(error, "Your profile could not be loaded") });

import { api, session, shop } from "../lib/api.js";
import { handle, showRefusal } from "../lib/form.js";
import { html, icon, render } from "../lib/html.js";
import { countryName, plural } from "../lib/format.js";
import { emptyState, failedState } from "../components/states.js";
import { setUpTwoStep } from "../components/two-step-setup.js";
import "../components/password-field.js";

// ISO 3166-1 alpha-2; the browser knows the names but not the list.
const COUNTRIES = `AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ
DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ
LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW
SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW`.split(/\s+/);

const page = document.querySelector("[data-page]");
const form = document.querySelector("[data-form]");

/** The token stays in this tab and leaves the address, which histories and logs keep. */
function takeToken() {
  const token = new URLSearchParams(location.search).get("token");
  if (token) {
    sessionStorage.setItem("setup-token", token);
    history.replaceState(history.state, "", location.pathname);
  }
  return sessionStorage.getItem("setup-token");
}

const token = takeToken();

const noToken = emptyState({
  level: 1, image: "not-found.svg", title: "This page opens by its link",
  text: "When the shop starts it prints a line “Make it yours” with a link for its owner. Please open this page by that link.",
  actions: [{ label: "To the shop", href: "/" }],
});

const doneBefore = (user) => emptyState({
  level: 1, title: "This shop is set up",
  text: "It has its name and its first admin. This page is of no further use.",
  actions: [{ label: "To the shop", href: "/" }, ...(user ? [{ label: "Your account", href: "/account" }] : [{ label: "Sign in", href: "/login" }])],
});

const step = (title, text) => html`<li class="steps__item"><div><h3 class="steps__title">${title}</h3><p class="soft">${text}</p></div></li>`;

const secondStep = html`<header class="page-head">
    <h1 data-heading tabindex="-1">Protect your account</h1>
    <p class="page-head__lead">An admin can do everything here, so a password alone is not enough. With two-step sign-in you also enter a code from an app on your phone.</p>
  </header>
  <h2 class="visually-hidden">Set up two-step sign-in</h2>
  <div class="setup__two-step" data-two-step></div>`;

const finished = ({ name, features }, { username }, removed, twoStep) => html`<header class="order-head">
    <span class="order-head__mark">${icon("check")}</span>
    <h1 data-heading tabindex="-1">${name} is yours</h1>
    <p class="page-head__lead">You are signed in as ${username}. What to do next:</p>
  </header>
  <h2 class="visually-hidden">Next steps</h2>
  <ol class="steps">
    ${!twoStep && step("Set up two-step sign-in", html`Your account is protected by a password alone. <a href="/account/security">Set it up</a> before customers come.`)}
    ${step("Look at it as a shopper does", html`<a href="/">Open the shop</a> on your phone, too.${removed && " Its shelves are empty now."}`)}
    ${!removed && step("Place an order", "As a guest, with cash on delivery: the mail that follows is what your customers get.")}
    ${features.mailbox
      ? step("Let mails leave the house", html`No mail server is set yet. Until <code>MAIL_HOST</code> names one, mails stay on this machine; <a href="/dev/mail">read them here</a>.`)
      : step("See a mail arrive", html`Ask for a new password at <a href="/forgot-password">Forgot your password?</a>: the code should reach you within a minute.`)}
    ${step("Before strangers come", html`Put the shop behind HTTPS and name its address in <code>SHOP_URL</code>. The README says how, step by step.`)}
    ${step("Talk to it from scripts", html`Everything that these pages do stands in the <a href="/api/docs">API documentation</a>.`)}
  </ol>
  <p class="setup__end cluster"><a class="button" href="/">Open the shop</a><a class="button button--quiet" href="/account">Your account</a></p>`;

function showChoices({ name, currency }) {
  const { elements } = form;
  const names = new Intl.DisplayNames("en-GB", { type: "currency" });
  const here = new Intl.Locale(navigator.language).region;
  const countries = COUNTRIES.map((code) => ({ code, name: countryName(code) })).sort((a, b) => a.name.localeCompare(b.name));
  elements.name.value ||= name;
  render(elements.currency, html`${elements.currency.dataset.currencies.split(" ").map((code) => html`<option value="${code}" ${code === currency && html`selected`}>${code}, ${names.of(code)}</option>`)}`);
  render(elements["seller.country"], html`<option value="">Choose the country</option>${countries.map((one) => html`<option value="${one.code}" ${one.code === here && html`selected`}>${one.name}</option>`)}`);
}

function showDemo({ total }) {
  document.querySelector("[data-demo]").hidden = total === 0;
  document.querySelector("[data-demo-note]").textContent = `The shelves are empty then. ${plural(total, "product")} ${total === 1 ? "is" : "are"} there now; what you leave can be sold, so mind the stock.`;
}

/** Loaded anew, so that the header knows the name and the admin; what was done is told for as long as the tab is open. */
function done(answer, { remove_demo: removed }) {
  sessionStorage.removeItem("setup-token");
  sessionStorage.setItem("setup-done", JSON.stringify({ removed }));
  location.reload();
}

/** The first admin is asked for a second factor before anything else. "Set up later" is remembered for as long as the tab is open. */
async function offerTwoStep() {
  const { enabled } = await api.get("/me/totp");
  if (enabled || sessionStorage.getItem("setup-two-step-later")) return enabled;
  render(page, secondStep);
  document.title = "Protect your account";
  const toTitle = () => page.querySelector("[data-heading]").focus();
  const done = await setUpTwoStep(page.querySelector("[data-two-step]"), { moved: toTitle, cancelLabel: "Set up later" });
  if (!done) sessionStorage.setItem("setup-two-step-later", "1");
  return done;
}

async function showFinished(found, user) {
  const { removed } = JSON.parse(sessionStorage.getItem("setup-done"));
  const twoStep = await offerTwoStep();
  render(page, finished(found, user, removed, twoStep));
  document.title = `${found.name} is yours`;
  page.querySelector("[data-heading]").focus();
}

function refused(error) {
  // A name or address that is taken is told without saying whose.
  const fields = Object.fromEntries(Object.entries(error.fields).map(([name, words]) => [["username", "email"].includes(name) ? `admin.${name}` : name, words]));
  error.fields = fields;
  showRefusal(form, error);
  return true;
}

async function arrive() {
  try {
    const [found, list, { user }] = await Promise.all([shop(), api.get("/products", { params: { limit: 1 } }), session()]);
    if (!found.setup_needed) return user && sessionStorage.getItem("setup-done") ? await showFinished(found, user) : render(page, doneBefore(user));
    if (!token) return render(page, noToken);
    showChoices(found);
    showDemo(list);
  } catch (error) {
    if (error.status === undefined) throw error;
    render(page, failedState(error, "This page could not be loaded"));
    page.querySelector("[data-retry]").addEventListener("click", () => location.reload());
  }
}

form.elements["seller.email"].addEventListener("change", ({ target }) => { form.elements["admin.email"].value ||= target.value; });
/** The password was just chosen, so the next step need not ask for it again; should this fail, it asks. */
async function send(values) {
  const answer = await api.post("/setup", { token, ...values });
  await api.post("/auth/step-up", { password: values.admin.password }).catch(() => {});
  return answer;
}

handle(form, { send, done, refused });
arrive();

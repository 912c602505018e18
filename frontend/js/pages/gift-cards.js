import { api } from "../lib/api.js";
import { handle } from "../lib/form.js";
import { date, money } from "../lib/format.js";
import { html, render } from "../lib/html.js";
import { failedPart, loadInto } from "../components/states.js";

const form = document.querySelector("[data-form]");
const told = document.querySelector("[data-balance]");

const offer = ({ product, currency }) => product
  ? html`<p class="gift__buy"><a class="button button--large" href="/products/${product.slug}">Choose a gift card</a>
      <span class="soft">From ${money(product.price_minor, currency)}${product.price_max_minor > product.price_minor && ` to ${money(product.price_max_minor, currency)}`}</span></p>`
  : html`<p class="soft">We sell no gift cards at the moment. Those that are about keep their worth.</p>`;

function showBalance({ last_letters: letters, balance_minor: balance, currency, expires_at: end }) {
  render(told, html`<div class="gift__left"><span class="soft">On the card that ends in ${letters}</span><strong class="gift__amount figures">${money(balance, currency)}</strong>
    <span class="soft">${end ? `To be spent until ${date(end)}, at the checkout.` : "To be spent at the checkout."}</span></div>`);
}

handle(form, { send: (values) => api.post("/gift-cards/balance", values), done: showBalance });
form.addEventListener("input", () => render(told, html``));
loadInto(document.querySelector("[data-buy]"), {
  load: () => api.get("/gift-cards"),
  show: (found) => render(document.querySelector("[data-buy]"), offer(found)),
  failed: (error) => failedPart(error, "Whether there are gift cards could not be found out"),
});

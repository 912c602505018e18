import { api, session } from "../lib/api.js";
import { html, icon, render } from "../lib/html.js";
import { handle } from "../lib/form.js";

const form = html`<form class="stock-request" method="post" novalidate>
  <p class="strong">Shall we write when it is back?</p>
  <div class="field">
    <label class="field__label" for="stock-email">Your e-mail address</label>
    <div class="stock-request__line">
      <input class="field__input" id="stock-email" name="email" type="email" autocomplete="email" inputmode="email" required maxlength="254" data-missing="Enter your e-mail address." data-invalid="Enter an e-mail address like name@example.com.">
      <button class="button button--quiet" type="submit">${icon("mail")}Mail me</button>
    </div>
  </div>
  <p class="small soft">One mail, once. We keep the address for nothing else.</p>
</form>`;

const done = html`<p class="alert" role="status" tabindex="-1">${icon("check")}<span class="alert__text">Noted. We write to you once, as soon as it is back.</span></p>`;

/** Offer a mail for when a variant is there again. @param {Element} place @param {number} variantId */
export function offerMail(place, variantId) {
  if (place.dataset.variant === String(variantId)) return;
  place.dataset.variant = variantId;
  render(place, form);
  const box = place.querySelector("input");
  session().then(({ user }) => { if (user && !box.value) box.value = user.email; }).catch(() => {}); // Who is not known types.
  handle(place.querySelector("form"), {
    send: (values) => api.post(`/variants/${variantId}/stock-requests`, values),
    done: () => { render(place, done); place.firstElementChild.focus(); },
  });
}

import { cart } from "../lib/cart.js";
import { append, html, icon, render } from "../lib/html.js";
import { money } from "../lib/format.js";
import { productPicture } from "./product-card.js";
import { toast } from "./toast-stack.js";
import "./quantity-stepper.js";

/** {"Size": "M"} or "Size: M" in one line. @param {Record<string, string> | string} options */
export const optionWords = (options) => (typeof options === "string" ? options : Object.entries(options).map(([name, value]) => `${name}: ${value}`).join(", "));

const line = (item) => html`<li class="cart-line" data-line="${item.id}">
  <div class="cart-line__picture">${productPicture(item.image, { eager: true, alt: "" })}</div>
  <div class="cart-line__head">
    <div>
      <h3 class="cart-line__title"><a href="/products/${item.slug}?variant=${item.variant_id}">${item.title}</a></h3>
      <p class="cart-line__options">${optionWords(item.options)}</p>
    </div>
    <p class="cart-line__total" data-total></p>
  </div>
  <div class="cart-line__foot">
    <quantity-stepper class="stepper">
      <button class="stepper__button" type="button" data-step="-1">${icon("minus")}<span class="visually-hidden">One ${item.title} fewer</span></button>
      <input class="stepper__value" type="number" inputmode="numeric" min="0" max="99" value="${item.quantity}" aria-label="Quantity of ${item.title}">
      <button class="stepper__button" type="button" data-step="1">${icon("plus")}<span class="visually-hidden">One ${item.title} more</span></button>
    </quantity-stepper>
    <button class="link-button link-button--quiet small" type="button" data-remove>Remove<span class="visually-hidden"> ${item.title}</span></button>
    <span class="soft small figures push-end" data-each></span>
  </div>
  <div class="cart-line__notices stack stack--tight" data-notices role="status"></div>
</li>`;

/**
 * The lines of the cart, each saving itself: `element.cart = cart`. A line that is there already is changed in place, so that the
 * focus and what is being typed stay. Follows "cart:changed" by itself.
 */
class CartLines extends HTMLElement {
  #cart;
  #list;
  #snags = new Map(); // what the server refused, by line, until the next change of it

  #listen = ({ detail }) => { this.cart = detail; };

  connectedCallback() {
    document.addEventListener("cart:changed", this.#listen);
    this.addEventListener("quantity:changed", ({ target, detail }) => this.#change(this.#itemOf(target), detail));
    this.addEventListener("click", ({ target }) => { if (target.closest("[data-remove]")) this.#remove(this.#itemOf(target)); });
  }

  disconnectedCallback() {
    document.removeEventListener("cart:changed", this.#listen);
  }

  set cart(cart) {
    this.#cart = cart;
    this.#list ??= append(this, html`<ul class="cart-lines ${this.hasAttribute("compact") ? "cart-lines--compact" : "cart-lines--page"}"></ul>`);
    const ids = new Set(cart.items.map((item) => String(item.id)));
    for (const old of [...this.#list.children]) if (!ids.has(old.dataset.line)) this.#drop(old);
    for (const item of cart.items) this.#show(this.#line(item) ?? append(this.#list, line(item)), item);
  }

  #line(item) { return this.#list.querySelector(`[data-line="${item.id}"]`); }

  #itemOf(part) { return this.#cart.items.find((item) => String(item.id) === part.closest("[data-line]").dataset.line); }

  #drop(old) {
    const focused = old.contains(document.activeElement);
    const next = old.nextElementSibling ?? old.previousElementSibling;
    old.remove();
    if (focused) (next?.querySelector("[data-remove]") ?? document.querySelector("[data-heading]") ?? this.closest("dialog")?.querySelector("h2"))?.focus();
  }

  #show(row, item) {
    const { currency } = this.#cart;
    row.querySelector("[data-total]").textContent = money(item.line_minor, currency);
    row.querySelector("[data-each]").textContent = item.quantity > 1 ? `${money(item.price_minor, currency)} each` : "";
    const stepper = row.querySelector("quantity-stepper");
    if (document.activeElement !== stepper.input || !stepper.input.value) stepper.quantity = item.quantity;
    const notices = [...item.notices, ...(this.#snags.has(item.id) ? [this.#snags.get(item.id)] : [])];
    const markup = html`${notices.map((text) => html`<p class="alert alert--warning small">${icon("warning")}<span class="alert__text">${text}</span></p>`)}`;
    const place = row.querySelector("[data-notices]");
    if (place.dataset.shown !== markup.text) {
      render(place, markup);
      place.dataset.shown = markup.text;
    }
  }

  async #save(item, work) {
    const row = this.#line(item);
    row.ariaBusy = "true";
    this.#snags.delete(item.id);
    try {
      return await work();
    } catch (error) {
      if (error.status === undefined) throw error;
      this.#snags.set(item.id, error.message);
      const stepper = row.querySelector("quantity-stepper");
      stepper.quantity = item.quantity;
      this.#show(row, item);
      if (error.status === 404 || error.status === 409) cart.get().catch(() => {}); // The sentence is shown already; this only freshens the figures.
      return null;
    } finally {
      row.ariaBusy = null;
    }
  }

  #change(item, quantity) {
    return quantity === 0 ? this.#remove(item) : this.#save(item, () => cart.change(item.id, quantity));
  }

  async #remove(item) {
    if (!await this.#save(item, () => cart.remove(item.id))) return;
    toast(`${item.title} was removed.`, {
      action: { label: "Undo", run: () => cart.add(item.variant_id, item.quantity).catch((error) => toast(error.message)) },
    });
  }
}

customElements.define("cart-lines", CartLines);

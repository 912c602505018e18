import { session } from "../lib/api.js";

/** The number beside the cart; follows "cart:changed". */
class CartBadge extends HTMLElement {
  #listen = ({ detail }) => this.#show(detail.count);

  connectedCallback() {
    document.addEventListener("cart:changed", this.#listen);
    this.refresh();
  }

  disconnectedCallback() {
    document.removeEventListener("cart:changed", this.#listen);
  }

  /** Ask the server again, after a page came back from the browser's history. */
  async refresh(options) {
    try {
      this.#show((await session(options)).cart_count);
    } catch {
      this.#show(0); // A badge without a number is no reason to disturb anybody.
    }
  }

  #show(count) {
    this.textContent = count ? (count > 99 ? "99+" : String(count)) : "";
  }
}

customElements.define("cart-badge", CartBadge);

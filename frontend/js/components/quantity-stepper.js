const PAUSE = 350;

/**
 * Enhances `<quantity-stepper>` around a number input and two buttons (data-step="-1" and "1"). Tells "quantity:changed" with the new
 * quantity once the hand rests.
 */
class QuantityStepper extends HTMLElement {
  #timer;
  #told;

  connectedCallback() {
    this.#told = this.quantity;
    this.addEventListener("click", ({ target }) => {
      const step = Number(target.closest("[data-step]")?.dataset.step ?? 0);
      if (step) this.#set(this.quantity + step, PAUSE);
    });
    this.input.addEventListener("input", () => { if (this.input.value !== "") this.#tell(PAUSE * 2); });
    this.input.addEventListener("change", () => this.#set(this.input.value === "" ? this.#told : this.quantity, 0));
    this.input.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); this.#set(this.quantity, 0); } });
    this.#bound();
  }

  get input() { return this.querySelector("input"); }

  get quantity() { return Math.round(Number(this.input.value)) || 0; }

  /** Show a quantity without telling anybody. */
  set quantity(value) {
    this.input.value = value;
    this.#told = value;
    this.#bound();
  }

  #set(value, pause) {
    const most = Number(this.input.max || 99);
    this.input.value = Math.min(most, Math.max(Number(this.input.min || 0), value));
    this.#bound();
    this.#tell(pause);
  }

  #bound() {
    this.querySelector('[data-step="-1"]').disabled = this.quantity <= Number(this.input.min || 0);
    this.querySelector('[data-step="1"]').disabled = this.quantity >= Number(this.input.max || 99);
  }

  #tell(pause) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (!this.isConnected || this.quantity === this.#told) return;
      this.#told = this.quantity;
      this.dispatchEvent(new CustomEvent("quantity:changed", { bubbles: true, detail: this.quantity }));
    }, pause);
  }
}

customElements.define("quantity-stepper", QuantityStepper);

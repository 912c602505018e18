/** Enhances a password input with the button beside it: what is typed can be shown, and is hidden again before it is sent or left. */
class PasswordField extends HTMLElement {
  #input = this.querySelector("input");
  #button = this.querySelector("button");
  #hide = () => this.#show(false);

  connectedCallback() {
    this.#button.hidden = false;
    this.#button.addEventListener("click", () => this.#show(this.#input.type === "password"));
    // Before the form reads its values: a password is told from other text by its type, here and in the browser's own store.
    this.#input.form.addEventListener("submit", this.#hide, { capture: true });
    window.addEventListener("pagehide", this.#hide);
  }

  disconnectedCallback() {
    window.removeEventListener("pagehide", this.#hide);
  }

  #show(shown) {
    this.#input.type = shown ? "text" : "password";
    const use = this.#button.querySelector("use");
    use.setAttribute("href", use.getAttribute("href").replace(/#.*/, shown ? "#eye-off" : "#eye"));
    this.#button.querySelector(".visually-hidden").textContent = shown ? "Hide password" : "Show password";
  }
}

customElements.define("password-field", PasswordField);

import { cart } from "../lib/cart.js";
import { toast } from "./toast-stack.js";

/** Let the round plus buttons of product cards within `place` put their product into the cart. @param {Document | Element} place */
export function quickAdd(place) {
  place.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-add]");
    if (!button || button.ariaBusy === "true") return;
    button.ariaBusy = "true";
    try {
      await cart.addProduct(Number(button.dataset.add));
      document.dispatchEvent(new CustomEvent("cart:added"));
    } catch (error) {
      if (error.status === undefined) throw error;
      toast(error.message);
    } finally {
      button.ariaBusy = null;
    }
  });
}

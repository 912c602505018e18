import { cart } from "../lib/cart.js";
import { toast } from "./toast-stack.js";

/** Put the product of a card's round plus button into the cart. @param {HTMLElement} button with data-add, the product's id */
export async function quickAdd(button) {
  if (button.ariaBusy === "true") return;
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
}

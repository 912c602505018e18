import { api, session } from "./api.js";
import { toast } from "../components/toast-stack.js";

// Every heart on a page is a button with data-heart, the product's id; it shows aria-pressed and does the rest from here.
let ids = new Set();

const hearts = () => document.querySelectorAll("[data-heart]");

/** Whether the product is in the visitor's wishlist, as far as is known by now. @param {number} id */
export const isWished = (id) => ids.has(id);

function show() {
  for (const heart of hearts()) heart.setAttribute("aria-pressed", String(isWished(Number(heart.dataset.heart))));
  for (const count of document.querySelectorAll("[data-wish-count]")) count.textContent = ids.size || "";
}

/** Ask who is here what they wish, after a page came back from the browser's history. */
export async function refreshWishes(options) {
  try {
    ids = new Set((await session(options)).wishlist);
    show();
  } catch {
    return; // The hearts stay as they are; nothing else on the page depends on them.
  }
}

/** Keep a product in mind or forget it; "wishlist:changed" tells. @param {number} id @param {boolean} wished */
export async function wish(id, wished) {
  const set = () => { if (wished) ids.add(id); else ids.delete(id); show(); };
  const before = ids.has(id);
  set();
  try {
    await (wished ? api.put(`/wishlist/${id}`) : api.delete(`/wishlist/${id}`));
    document.dispatchEvent(new CustomEvent("wishlist:changed", { detail: { id, wished } }));
  } catch (error) {
    wished = before;
    set();
    throw error;
  }
}

document.addEventListener("click", async ({ target }) => {
  const heart = target.closest("[data-heart]");
  if (!heart || heart.ariaBusy === "true") return;
  heart.ariaBusy = "true";
  try {
    await wish(Number(heart.dataset.heart), heart.getAttribute("aria-pressed") !== "true");
  } catch (error) {
    if (error.status === undefined) throw error;
    toast(error.message);
  } finally {
    heart.ariaBusy = null;
  }
});

refreshWishes();

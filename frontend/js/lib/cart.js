import { api } from "./api.js";

// Every change goes to the server and comes back as the whole cart; "cart:changed" on document carries it to whoever shows a part of it.
async function told(asked) {
  const cart = await asked;
  document.dispatchEvent(new CustomEvent("cart:changed", { detail: cart }));
  return cart;
}

/** The cart of this visitor: {version, items, count, subtotal_minor, currency, notices}. Each verb gives the cart as it then stands. */
export const cart = {
  get: () => told(api.get("/cart")),
  /** @param {number} variantId @param {number} quantity */
  add: (variantId, quantity = 1) => told(api.post("/cart/items", { variant_id: variantId, quantity })),
  /** For a product with a single variant. @param {number} productId */
  addProduct: (productId) => told(api.post("/cart/items", { product_id: productId, quantity: 1 })),
  /** @param {number} itemId @param {number} quantity 0 removes the line */
  change: (itemId, quantity) => told(api.patch(`/cart/items/${itemId}`, { quantity })),
  /** @param {number} itemId */
  remove: (itemId) => told(api.delete(`/cart/items/${itemId}`)),
  /** What an order held, once more; gives what the shopper should be told. @param {string} number @param {string | null} token */
  again: async (number, token) => {
    const answer = await api.post(`/orders/${encodeURIComponent(number)}/reorder`, {}, { params: { token } });
    await told(answer.cart);
    return answer.notices;
  },
};

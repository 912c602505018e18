// What nearly every page uses. The server sends these as this one module (backend/app/modules.py), each after what it imports itself.
export * from "./html.js";
export * from "./numbers.js";
export * from "./format.js";
export * from "./api.js";
export * from "./cart.js";
export * from "./form.js";
export * from "../components/toast-stack.js";
export * from "./wishlist.js";
export * from "../components/theme-switch.js";
export * from "../components/cart-badge.js";
export * from "../components/states.js";
export * from "../components/stars.js";
export * from "../components/product-card.js";
export * from "../components/quantity-stepper.js";
export * from "../components/cart-lines.js";
export * from "../components/order-amounts.js";
export * from "../components/recommendations.js";

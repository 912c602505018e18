import { html, picture, render } from "../lib/html.js";
import { productPicture } from "./product-card.js";

// Lazy pictures are fetched long before they come into sight: for a table of fifty rows that is all fifty.
const near = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    near.unobserve(target);
    const { src, srcset } = target.dataset;
    render(target, productPicture({ src, srcset, alt: "", width: 56, height: 56 }, { eager: true, sizes: "28px" }));
  }
}, { rootMargin: "100px" });

customElements.define("grid-picture", class extends HTMLElement {
  connectedCallback() { near.observe(this); }
  disconnectedCallback() { near.unobserve(this); }
});

/** The small picture of a row, fetched when it comes near. @param {import("./product-card.js").Image} image */
export const gridPicture = (image) => html`<grid-picture class="grid__picture" data-src="${image?.src ?? picture("placeholder.svg")}" data-srcset="${image?.srcset ?? ""}"></grid-picture>`;

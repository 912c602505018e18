import { html, icon } from "../lib/html.js";
import { plural } from "../lib/format.js";

const shape = (rating, place) => (rating >= place - 0.25 ? "star-filled" : rating >= place - 0.75 ? "star-half" : "star");

/** Five stars, filled to the nearest half, and the number for who cannot see them. @param {number} rating */
export const stars = (rating) => html`<span class="stars" role="img" aria-label="${rating} out of 5 stars">${[1, 2, 3, 4, 5].map((place) => icon(shape(rating, place)))}</span>`;

/** A card's line: one star, the rating and how many gave it. @param {{rating: number | null, rating_count: number}} product */
export const ratingLine = ({ rating, rating_count: count }) => rating !== null && html`<p class="rating-line figures">${icon("star-filled")}<span class="visually-hidden">Rated </span>${rating.toFixed(1)}<span class="visually-hidden"> out of 5 by ${plural(count, "buyer")}</span><span class="soft" aria-hidden="true">(${count})</span></p>`;

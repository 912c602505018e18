import { html } from "../lib/html.js";

/**
 * Somebody's picture, or the first letter of their name. It stands beside the name, so it says nothing by itself.
 * @param {{username: string, first_name: string, avatar?: {src: string, width: number, height: number} | null}} who
 */
export const avatar = ({ username, first_name: first, avatar: picture }) => (picture
  ? html`<img class="avatar__picture" src="${picture.src}" alt="" width="${picture.width}" height="${picture.height}">`
  : html`<span aria-hidden="true">${(first || username).slice(0, 1)}</span>`);

import { api } from "../lib/api.js";
import { html } from "../lib/html.js";

let asked;

/** All categories as staff see them, parents before their children, each with its depth; asked once a page, and anew with `fresh`. */
export function categories({ fresh = false } = {}) {
  if (fresh || !asked) {
    asked = api.get("/admin/categories").then(({ items }) => asTree(items));
    asked.catch(() => { asked = undefined; });
  }
  return asked;
}

function asTree(items, parent = null, depth = 0) {
  return items.filter(({ parent_id: above }) => above === parent).flatMap((one) => [{ ...one, depth }, ...asTree(items, one.id, depth + 1)]);
}

const indented = ({ name, depth }) => "\u2003".repeat(depth) + name;

/** @param {object[]} tree @param {{value?: "id" | "slug", chosen?: number | string | null, none?: string}} [how] */
export const categoryOptions = (tree, { value = "id", chosen, none } = {}) => html`${none !== undefined && html`<option value="">${none}</option>`}
  ${tree.map((one) => html`<option value="${one[value]}" ${one[value] === chosen && html`selected`}>${indented(one)}</option>`)}`;

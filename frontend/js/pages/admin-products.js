import { html, icon, render } from "../lib/html.js";
import { money, number, plural } from "../lib/format.js";
import { ask } from "../components/ask-dialog.js";
import { actOn } from "../components/bulk-act.js";
import { categories, categoryOptions } from "../components/category-options.js";
import { gridPicture } from "../components/grid-picture.js";
import { staff } from "../components/staff.js";
import { emptyState } from "../components/states.js";
import "../components/data-grid.js";

const SURE = 20; // From here on a slip of the hand would be felt.

const grid = document.querySelector("data-grid");
const shelf = document.querySelector("[data-categories]");

// ---- a row

const state = ({ published, archived_at: archived }) => (archived ? "Archived" : published ? "Published" : "Draft");
const LOOKS = { Archived: "soft", Published: "good", Draft: "warning" };

const pictured = ({ id, title, image }) => html`<a class="grid__link" href="/admin/products/${id}">
  ${gridPicture(image)}<span class="grid__text">${title}</span></a>`;

function price({ price_minor: low, price_max_minor: high }, { currency }) {
  return low === high ? money(low, currency) : `${money(low, currency)} – ${money(high, currency)}`;
}

const stock = ({ stock: count, tracked, low }) => {
  if (!tracked) return html`<span class="soft">not counted</span>`;
  return low ? html`<span class="badge badge--${count ? "warning" : "danger"}">${icon("warning")}${number(count)}<span class="visually-hidden">, low</span></span>` : number(count);
};

// ---- acts

const act = (action, scope, tell, said, more = {}) => actOn({ path: "/admin/products/actions", body: { action, ...more }, scope, tell, said, noun: "product" });

const sure = (scope, what, action) => scope.total < SURE || ask({ title: `${what} ${plural(scope.total, "product")}?`, text: "You can take it back right afterwards.", action });

const plain = (action, label, said) => ({
  label,
  run: async (scope, tell) => await sure(scope, label, label) && act(action, scope, tell, said),
});

async function setCategory(scope, tell) {
  const tree = await categories();
  const answers = await ask({
    title: `Category of ${plural(scope.total, "product")}`,
    fields: html`<div class="field"><label class="field__label" for="new-category">Category</label>
      <span class="select"><select class="field__input" id="new-category" name="category" autocomplete="off">${categoryOptions(tree, { none: "No category" })}</select>${icon("chevron-down")}</span></div>`,
    action: "Set the category",
  });
  return answers && act("set_category", scope, tell, "moved", { category_id: Number(answers.category) || null });
}

async function changePrice(scope, tell) {
  const answers = await ask({
    title: `Change the price of ${plural(scope.total, "product")}`,
    text: "Prices are rounded to whole cents. Prices before a reduction stay as they are. You can undo this right afterwards.",
    fields: html`<div class="field"><label class="field__label" for="percent">By how many per cent</label>
      <input class="field__input" id="percent" name="percent" type="number" min="-99" max="1000" step="1" required autocomplete="off" aria-describedby="percent-hint" data-missing="Enter a whole number." data-invalid="Enter a whole number from -99 to 1000.">
      <p class="field__hint" id="percent-hint">Such as 5 to raise prices, or −10 to lower them.</p></div>`,
    action: "Change the prices",
    danger: true,
    typed: scope.total >= SURE ? String(scope.total) : undefined,
  });
  return answers && act("change_price", scope, tell, "repriced", { percent: answers.percent });
}

const archived = ({ status }) => status === "archived";

grid?.start({
  path: "/admin/products",
  name: ({ title }) => title,
  cells: {
    title: pictured,
    status: (row) => html`<span class="badge badge--${LOOKS[state(row)]}">${state(row)}</span>`,
    category: ({ category }) => category?.name ?? html`<span class="soft">none</span>`,
    price,
    stock,
    slug: ({ slug }) => html`<a href="/products/${slug}">${slug}</a>`,
  },
  texts: {
    status: state,
    category: ({ category }) => category?.name ?? "",
    price: (row, answer) => price(row, answer),
    stock: ({ stock: count, tracked }) => (tracked ? count : ""),
  },
  actions: [
    { ...plain("publish", "Publish", "published"), when: (filters) => !archived(filters) && filters.status !== "active" },
    { ...plain("unpublish", "Unpublish", "unpublished"), when: (filters) => !archived(filters) && filters.status !== "draft" },
    { label: "Set category", run: setCategory },
    { label: "Change price", run: changePrice },
    { ...plain("archive", "Archive", "archived"), danger: true, when: (filters) => !archived(filters) },
    { ...plain("restore", "Restore", "restored"), when: archived },
  ],
  nothing: emptyState({
    title: "No products yet",
    text: "Add the first one by hand, or bring in a whole catalogue from a file.",
    actions: [{ label: "Add a product", href: "/admin/products/new" }, { label: "Import a file", href: "/admin/imports" }],
  }),
});

staff.then(() => categories()).then((tree) => {
  render(shelf, categoryOptions(tree, { value: "slug", none: "All categories" }));
  grid.fillFilters();
}).catch(() => {}); // All other filters work without them.

import { api, shop } from "../lib/api.js";
import { handle } from "../lib/form.js";
import { html, prose, render } from "../lib/html.js";
import { dateTime, money } from "../lib/format.js";
import { categories, categoryOptions } from "../components/category-options.js";
import { askWhichVersion } from "../components/conflict-dialog.js";
import { keepNotices, sayKeptNotices } from "../components/notices.js";
import { pictureShelf } from "../components/picture-shelf.js";
import { dealtWith, staff } from "../components/staff.js";
import { failedState, loadInto } from "../components/states.js";
import { toast } from "../components/toast-stack.js";
import { variantMatrix } from "../components/variant-matrix.js";

const NEW = location.pathname.endsWith("/new");
const path = `/admin/products/${location.pathname.split("/").pop()}`;
const BLANK = {
  id: null, title: "", slug: "", description: "", markdown: "", category: null, brand: "", type: "", tax_class: "standard", gift_card: false, tags: [], published: true, archived_at: null,
  seo_title: "", seo_description: "", options: [], variants: [], images: [], version: null,
};
const SNIPPET = 155;
const TAX = { standard: "Standard rate", reduced: "Reduced rate", zero: "Zero rate" };

const part = (name) => document.querySelector(`[data-${name}]`);
const form = part("form");
const { elements } = form;

let product;
let tree;
let currency;
let matrix;
let pictures;
let saved; // what was there when the form was last filled, to tell whether something changed
let leaving = false;

// ---- the form

const words = (text) => render(document.createElement("div"), prose(text)).textContent.replace(/\s+/g, " ").trim();

/** The form as the API takes it. */
function value() {
  const text = elements.description.value;
  const { options, variants } = matrix.value();
  return {
    title: elements.title.value.trim(),
    ...(elements.slug.value.trim() ? { slug: elements.slug.value.trim() } : {}),
    ...(elements.kind.value === "markdown" ? { markdown: text } : { description: text }),
    category_id: Number(elements.category_id.value) || null,
    brand: elements.brand.value.trim(),
    type: elements.type.value.trim(),
    tax_class: elements.tax_class.value,
    ...(NEW ? { gift_card: elements.gift_card.checked } : {}),
    tags: [...new Set(elements.tags.value.split(",").map((tag) => tag.trim()).filter(Boolean))],
    published: elements.published.checked,
    seo_title: elements.seo_title.value.trim(),
    seo_description: elements.seo_description.value.trim(),
    options,
    variants: elements.gift_card.checked ? variants.map((one) => ({ ...one, tracked: false })) : variants,
  };
}

const isChanged = () => JSON.stringify(value()) !== saved || pictures.waiting;

function changed() {
  const unsaved = saved !== undefined && isChanged();
  const told = unsaved ? "Unsaved changes" : "";
  if (part("dirty").textContent !== told) part("dirty").textContent = told;
  showSnippet();
}

function showSnippet() {
  const title = elements.seo_title.value.trim() || elements.title.value.trim() || "Title of the product";
  const about = elements.seo_description.value.trim() || (elements.kind.value === "html" ? words(elements.description.value) : elements.description.value.replace(/[*_#>`]/g, "").replace(/\s+/g, " "));
  const address = elements.slug.value.trim() || "made-of-the-title";
  render(part("snippet"), html`<span class="snippet__address">${location.host} › products › ${address}</span><span class="snippet__title">${title}</span>
    <span class="snippet__text">${about.length > SNIPPET ? `${about.slice(0, SNIPPET)}…` : about || "What it says about itself."}</span>`);
}

function showState() {
  const { id, title, slug, published, archived_at: archived, created_at: made, updated_at: touched } = product;
  part("heading").textContent = title || "New product";
  document.title = document.title.replace(/^[^·]+/, `${title || "New product"} `);
  const [look, word] = archived ? ["soft", "Archived"] : published ? ["good", "Published"] : ["warning", "Draft"];
  render(part("badge"), html`${id && html`<span class="badge badge--${look}">${word}</span>`}`);
  part("shop").hidden = !id || !published || Boolean(archived);
  part("shop").href = `/products/${slug}`;
  part("archive").hidden = !id;
  part("archive").textContent = archived ? "Restore" : "Archive";
  render(part("facts"), html`${id && html`<div><dt>Added</dt><dd>${dateTime(made)}</dd></div><div><dt>Changed</dt><dd>${dateTime(touched)}</dd></div>`}`);
}

function fill(now) {
  product = now;
  const markdown = NEW || now.markdown !== null;
  elements.kind.value = markdown || !now.description ? "markdown" : "html";
  elements.description.value = elements.kind.value === "markdown" ? now.markdown ?? "" : now.description;
  for (const name of ["title", "slug", "brand", "type", "seo_title", "seo_description"]) elements[name].value = now[name];
  elements.tags.value = now.tags.join(", ");
  elements.published.checked = now.published;
  elements.tax_class.value = now.tax_class;
  elements.gift_card.checked = now.gift_card;
  elements.gift_card.disabled = !NEW;
  part("gift-card").hidden = !NEW && !now.gift_card;
  render(elements.category_id, categoryOptions(tree, { chosen: now.category?.id ?? null, none: "No category" }));
  matrix.show(now);
  pictures.show(now.id ? now : null);
  showKind();
  showState();
  saved = JSON.stringify(value());
  changed();
}

const TYPED = ["title", "slug", "description", "markdown", "category", "brand", "type", "tax_class", "tags", "published", "archived_at", "seo_title", "seo_description", "options"];

/** What somebody can have typed; stock and pictures change by themselves. */
const typed = (one) => JSON.stringify([TYPED.map((name) => one[name]), one.variants.map(({ stock: _, ...rest }) => rest)]);

/** Pictures are saved by themselves. Their new version is ours too, unless somebody else changed more than them. */
function tookPictures(now) {
  if (!now) return changed();
  if (typed(now) === typed(product)) product = { ...product, version: now.version, updated_at: now.updated_at };
  product.images = now.images;
  pictures.show(product);
  const unsaved = isChanged();
  matrix.showPictures(now.images);
  if (!unsaved) saved = JSON.stringify(value());
  showState();
}

// ---- description

function showKind() {
  part("kind-hint").textContent = elements.kind.value === "markdown"
    ? "**Bold**, *italic*, lists with a dash, headings with ###. A blank line begins a paragraph."
    : "Paragraphs, lists, headings, bold and italic are kept; whatever else is taken out.";
}

async function preview({ currentTarget: button }) {
  const shown = button.ariaPressed !== "true";
  if (shown) {
    try {
      const text = elements.description.value;
      const made = text.trim() && (await api.post("/admin/description-previews", { text, markdown: elements.kind.value === "markdown" })).html;
      render(part("shown"), made ? prose(made) : html`<p class="soft">Nothing written yet.</p>`);
    } catch (error) {
      if (error.status === undefined) throw error;
      return dealtWith(error) || toast(error.message, { seconds: 10 });
    }
  }
  button.ariaPressed = String(shown);
  part("shown").hidden = !shown;
  elements.description.hidden = shown;
}

// ---- saving

const optionsOf = (options) => options.map(({ name, values }) => `${name}: ${values.join(", ")}`).join("\n");

function variantsOf(variants) {
  return variants.map((one) => [Object.values(one.options ?? {}).join(" / ") || "Price", money(one.price_minor, currency), one.compare_at_minor && `before ${money(one.compare_at_minor, currency)}`, one.sku && `SKU ${one.sku}`,
    one.weight_g ? `${one.weight_g} g` : "", one.barcode, one.tracked ? "" : "not counted", one.image_id && `picture ${product.images.findIndex(({ id }) => id === one.image_id) + 1 || "new"}`].filter(Boolean).join(", ")).join("\n");
}

function differences(mine, theirs) {
  const category = (id) => tree.find((one) => one.id === id)?.name ?? "";
  const description = mine.markdown === undefined ? [mine.description, theirs.description] : [mine.markdown, theirs.markdown ?? theirs.description];
  const fields = [
    ["Title", mine.title, theirs.title],
    ["Description", ...description],
    ["Category", category(mine.category_id), theirs.category?.name ?? ""],
    ["Brand", mine.brand, theirs.brand],
    ["Type", mine.type, theirs.type],
    ["Tax", TAX[mine.tax_class], TAX[theirs.tax_class]],
    ["Tags", mine.tags.join(", "), theirs.tags.join(", ")],
    ["Published", mine.published ? "Yes" : "No", theirs.published ? "Yes" : "No"],
    ["Archived", product.archived_at ? "Yes" : "No", theirs.archived_at ? "Yes" : "No"],
    ["Options", optionsOf(mine.options), optionsOf(theirs.options)],
    ["Variants", variantsOf(mine.variants), variantsOf(theirs.variants)],
    ["Title for search engines", mine.seo_title, theirs.seo_title],
    ["Description for search engines", mine.seo_description, theirs.seo_description],
    ["Address", mine.slug ?? "", theirs.slug],
  ];
  return fields.filter(([, one, other]) => one !== other).map(([label, one, other]) => ({ label, mine: one, theirs: other }));
}

async function settle({ body: { current } }) {
  const choice = await askWhichVersion(differences(value(), current));
  if (choice === "theirs") {
    fill(current);
    toast("This is their version now.");
  } else if (choice === "mine") {
    product = { ...product, version: current.version };
    form.requestSubmit();
  }
}

async function save() {
  if (!NEW) return api.put(`/products/${product.id}`, { ...value(), version: product.version });
  const made = await api.post("/products", value());
  if (pictures.waiting) await pictures.sendWaiting(made.id);
  return made;
}

async function done(now) {
  if (NEW) {
    leaving = true;
    keepNotices([`${now.title} is added.`]);
    return location.replace(`/admin/products/${now.id}`);
  }
  fill(await api.get(path).catch(() => now));
  toast(product.published && !product.archived_at ? "Saved. Shoppers see it at once." : "Saved.");
}

function refused(error) {
  if (dealtWith(error)) return true;
  if (error.status !== 409 || !error.body.current) return false;
  settle(error);
  return true;
}

// ---- archive

async function archive({ currentTarget: button }) {
  if (button.ariaBusy === "true") return;
  button.ariaBusy = "true";
  const gone = Boolean(product.archived_at);
  try {
    if (gone) await api.post(`/products/${product.id}/restoration`);
    else await api.delete(`/products/${product.id}`);
    const now = await api.get(path);
    product = { ...product, version: now.version, archived_at: now.archived_at, updated_at: now.updated_at };
    showState();
    toast(gone ? "The product is back." : "The product is archived. Orders and links keep working.", gone ? {} : { action: { label: "Undo", run: () => archive({ currentTarget: button }) } });
  } catch (error) {
    if (error.status === undefined) throw error;
    if (!dealtWith(error)) toast(error.message, { seconds: 12 });
  } finally {
    button.ariaBusy = null;
  }
}

// ---- all of it

function show([now, found, shopNow]) {
  tree = found;
  currency = shopNow.currency;
  matrix = variantMatrix(part("variants"), { currency, changed });
  pictures = pictureShelf(part("pictures"), { changed: tookPictures });
  render(part("state"), html``);
  form.hidden = false;
  fill(now);
  handle(form, { send: save, done, check: () => matrix.problems(), refused });
  form.addEventListener("input", changed);
  form.addEventListener("change", changed);
  for (const radio of elements.kind) radio.addEventListener("change", showKind);
  part("preview").addEventListener("click", preview);
  part("archive").addEventListener("click", archive);
  window.addEventListener("beforeunload", (event) => { if (!leaving && isChanged()) event.preventDefault(); });
  if (NEW) elements.title.focus();
}

await staff;
if (sessionStorage.getItem("notices")) sayKeptNotices();
loadInto(part("state"), {
  load: () => Promise.all([NEW ? BLANK : api.get(path), categories(), shop()]),
  show,
  skeleton: html`<div class="stack" aria-hidden="true"><div class="skeleton skeleton--title"></div><div class="skeleton editor__skeleton"></div></div>`,
  failed: (error) => (dealtWith(error) ? null : failedState(error, error.status === 404 ? "There is no such product" : "The product could not be loaded")),
});

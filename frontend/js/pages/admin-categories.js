import { api } from "../lib/api.js";
import { html, icon, render } from "../lib/html.js";
import { number, plural } from "../lib/format.js";
import { ask } from "../components/ask-dialog.js";
import { askWhichVersion } from "../components/conflict-dialog.js";
import { categories, categoryOptions } from "../components/category-options.js";
import { productPicture } from "../components/product-card.js";
import { dealtWith, staff } from "../components/staff.js";
import { emptyState, failedState, loadInto } from "../components/states.js";
import { toast } from "../components/toast-stack.js";

const part = (name) => document.querySelector(`[data-${name}]`);
const place = part("tree");

let tree = [];

const siblings = ({ parent_id: parent }) => tree.filter((one) => one.parent_id === parent);
const below = (id) => tree.filter(({ parent_id: parent }) => parent === id).flatMap((one) => [one.id, ...below(one.id)]);

// ---- what is shown

const button = (act, name, words, { id, name: category }, disabled) => html`<button class="icon-button" type="button" data-act="${act}" data-id="${id}" ${disabled && html`disabled`}>${icon(name)}<span class="visually-hidden">${words} ${category}</span></button>`;

function line(one) {
  const row = siblings(one);
  const at = row.indexOf(one);
  return html`<li class="tree__item">
    <div class="tree__line">
      <span class="tree__picture">${productPicture(one.image, { alt: "", sizes: "2rem" })}</span>
      <span class="tree__name"><button class="link-button tree__edit" type="button" data-act="edit" data-id="${one.id}">${one.name}</button><span class="soft small">/${one.slug}</span></span>
      <a class="small tree__count" href="/admin/products?category=${one.slug}">${plural(one.product_count, "product")}</a>
      <span class="tree__acts">${button("up", "chevron-up", "Move up:", one, at === 0)}${button("down", "chevron-down", "Move down:", one, at === row.length - 1)}
        ${button("add", "plus", "Add a category below", one)}${button("delete", "trash", "Delete", one)}</span>
    </div>
    ${tree.some(({ parent_id: parent }) => parent === one.id) && list(one.id)}
  </li>`;
}

const list = (parent) => html`<ul class="tree__list">${tree.filter((one) => one.parent_id === parent).map(line)}</ul>`;

const nothing = emptyState({ title: "No categories yet", text: "Shoppers find their way by categories. Add the first one; products are put into it in their editor, or many at once in the list." });

function show(found) {
  tree = found;
  render(place, tree.length ? html`<p class="soft small tree__total">${number(tree.length)} ${tree.length === 1 ? "category" : "categories"}</p>${list(null)}` : nothing);
}

// ---- changes

/** @param {...string} focus where the hands were, or else next to it */
async function refresh(...focus) {
  show(await categories({ fresh: true }));
  (focus.map((one) => place.querySelector(one)).find(Boolean) ?? part("heading")).focus();
}

const pictureFields = ({ image = null, image_alt: alt = "" }) => html`<fieldset class="dialog__picture">
  <legend><span class="field__label dialog__legend">Picture</span></legend>
  <span class="tree__picture tree__picture--large">${productPicture(image, { alt: image ? image.alt : "None yet", sizes: "6rem", eager: true })}</span>
  <div class="stack stack--tight">
    <div class="field"><label class="field__label" for="picture">${image ? "Another one" : "Choose one"}</label><input class="field__input" id="picture" name="image" type="file" accept="image/jpeg,image/png,image/webp" aria-describedby="picture-hint" data-picture>
      <p class="field__hint" id="picture-hint">JPEG, PNG or WebP, at most 5 MB.</p></div>
    <div class="field"><label class="field__label" for="image-alt">What it shows <span class="field__optional">(else the name)</span></label><input class="field__input" id="image-alt" name="image_alt" value="${alt}" maxlength="250" autocomplete="off"></div>
    ${image && html`<label class="choice"><input class="choice__input" type="checkbox" name="no_picture" id="no-picture"><span class="choice__text">Take the picture away</span></label>`}
  </div>
</fieldset>`;

const fields = ({ name = "", slug = "", description = "", parent_id: parent = null, ...rest }, id) => html`
  <div class="field"><label class="field__label" for="name">Name</label><input class="field__input" id="name" name="name" value="${name}" maxlength="120" required autocomplete="off" data-missing="Give the category a name."></div>
  <div class="field"><label class="field__label" for="parent">Below</label><span class="select"><select class="field__input" id="parent" name="parent_id" autocomplete="off">${categoryOptions(tree.filter((one) => one.id !== id && !below(id).includes(one.id)), { chosen: parent, none: "Nothing: it stands at the top" })}</select>${icon("chevron-down")}</span></div>
  <div class="field"><label class="field__label" for="description">Description <span class="field__optional">(shown above its products)</span></label><textarea class="field__input" id="description" name="description" maxlength="1000">${description}</textarea></div>
  <div class="field"><label class="field__label" for="slug">Address <span class="field__optional">(else made of the name)</span></label><input class="field__input" id="slug" name="slug" value="${slug}" maxlength="120" autocapitalize="none" spellcheck="false" autocomplete="off" pattern="[a-z0-9]+(-[a-z0-9]+)*" data-invalid="Use small letters, digits and single dashes."></div>
  ${pictureFields(rest)}`;

const wanted = ({ name, slug, description, parent_id: parent, image_alt: alt = "" }) => ({ name, ...(slug ? { slug } : {}), description: description ?? "", parent_id: Number(parent) || null, image_alt: alt });

/** The file that is chosen in the open dialog. */
const chosenPicture = () => document.querySelector("dialog [data-picture]").files[0];

/** What the words are about is saved by now; a picture that is refused leaves them so. */
async function savePicture({ id }, { no_picture: none = false, image_alt: alt = "" }) {
  const file = chosenPicture();
  if (file) return api.put(`/categories/${id}/image?${new URLSearchParams({ alt })}`, file);
  return none ? api.delete(`/categories/${id}/image`) : null;
}

/** A category as PUT takes it. */
const bodyOf = ({ name, slug, description, parent_id, position, image_alt, version }) => ({ name, slug, description, parent_id, position, image_alt, version });

async function add(parent) {
  tree = await categories(); // Who is quick presses before they are there.
  const after = tree.filter((one) => one.parent_id === (parent?.id ?? null));
  let added; // there already when only its picture was refused
  const made = await ask({
    title: parent ? `New category below ${parent.name}` : "New category",
    fields: fields({ parent_id: parent?.id ?? null }),
    action: "Add it",
    send: async (values) => {
      added ??= await api.post("/categories", { ...wanted(values), position: Math.max(0, ...after.map(({ position }) => position)) + 1 });
      await savePicture(added, values);
      return added;
    },
  });
  if (!made && added) return refresh(`[data-act="edit"][data-id="${added.id}"]`);
  if (!made) return;
  await refresh(`[data-act="edit"][data-id="${made.id}"]`);
  toast("The category is added.");
}

async function edit(one) {
  let now = one;
  const done = await ask({
    title: `Change ${one.name}`,
    fields: fields(one, one.id),
    action: "Save",
    send: async (values) => {
      now = await saveOver(now, { ...bodyOf(now), ...wanted(values) });
      await savePicture(now, values);
      return now;
    },
  });
  if (!done) return now === one ? undefined : refresh(`[data-act="edit"][data-id="${one.id}"]`);
  await refresh(`[data-act="edit"][data-id="${one.id}"]`);
  toast("The category is saved.");
}

/** Who saves what somebody else has changed meanwhile sees both and chooses. */
async function saveOver(one, body) {
  try {
    return await api.put(`/categories/${one.id}`, body);
  } catch (error) {
    const { current } = error.body ?? {};
    if (error.status !== 409 || !current) throw error;
    const name = (id) => tree.find((each) => each.id === id)?.name ?? "";
    const pairs = [["Name", body.name, current.name], ["Below", name(body.parent_id), name(current.parent_id)], ["Description", body.description, current.description], ["Address", body.slug ?? current.slug, current.slug], ["What the picture shows", body.image_alt, current.image_alt]];
    const choice = await askWhichVersion(pairs.filter(([, mine, theirs]) => mine !== theirs).map(([label, mine, theirs]) => ({ label, mine, theirs })), "this category");
    if (choice === "mine") return saveOver(one, { ...body, version: current.version });
    if (choice === "theirs") return current;
    throw error;
  }
}

/** Neighbours change places; those that have the same number are numbered anew first. */
async function move(one, way) {
  const row = siblings(one);
  const at = row.indexOf(one);
  row.splice(at + way, 0, ...row.splice(at, 1));
  for (const [position, each] of row.entries()) {
    if (each.position !== position + 1) await api.put(`/categories/${each.id}`, { ...bodyOf(each), position: position + 1 });
  }
  await refresh(`[data-act="${way < 0 ? "up" : "down"}"][data-id="${one.id}"]:not(:disabled)`, `[data-act="edit"][data-id="${one.id}"]`);
  part("said").textContent = `${one.name} is now number ${at + way + 1} of ${row.length}.`;
}

/** What stands in it or below it moves to where it stood itself. */
async function remove(one) {
  const children = tree.filter(({ parent_id: parent }) => parent === one.id).length;
  const inside = [one.product_count && plural(one.product_count, "product"), children && plural(children, "category", "categories")].filter(Boolean).join(" and ");
  const above = tree.find(({ id }) => id === one.parent_id)?.name;
  const done = await ask({
    title: `Delete ${one.name}?`,
    text: inside ? `Its ${inside} will stand ${above ? `in ${above}` : one.product_count ? "in no category, or at the top" : "at the top"} then.` : "Nothing is in it.",
    action: "Delete it",
    danger: true,
    typed: inside ? one.name : undefined,
    send: () => api.delete(`/categories/${one.id}`, { params: { move_up: Boolean(inside), version: one.version } }),
  });
  if (!done) return;
  await refresh();
  toast(`${one.name} is deleted.`);
}

const acts = { edit, delete: remove, add, up: (one) => move(one, -1), down: (one) => move(one, 1) };

/** What the shop refuses outside of a dialog is said in passing. */
async function told(act) {
  try {
    await act();
  } catch (error) {
    if (error.status === undefined) throw error;
    if (dealtWith(error)) return;
    toast(error.message, { seconds: 12 });
    await refresh();
  }
}

place.addEventListener("click", ({ target }) => {
  const pressed = target.closest("[data-act]");
  const one = pressed && tree.find(({ id }) => id === Number(pressed.dataset.id));
  if (one) told(() => acts[pressed.dataset.act](one));
});
part("add").addEventListener("click", () => told(() => add()));

await staff;
loadInto(place, {
  load: () => categories({ fresh: true }),
  show,
  skeleton: html`<div class="stack stack--tight" aria-hidden="true">${[60, 40, 80, 60, 40].map((width) => html`<div class="skeleton skeleton--line w-${width}"></div>`)}</div>`,
  failed: (error) => (dealtWith(error) ? null : failedState(error, "The categories could not be loaded")),
});

// The pictures of a product: dropped or chosen, in an order that hands and keys can change, each with its words for who cannot see it.
import { api } from "../lib/api.js";
import { append, html, icon, render } from "../lib/html.js";
import { PICTURE_TYPES, asData, complaintAboutPicture } from "../lib/pictures.js";
import { upload } from "../lib/upload.js";
import { productPicture } from "./product-card.js";
import { dealtWith } from "./staff.js";
import { toast } from "./toast-stack.js";

/**
 * @param {Element} place
 * @param {{changed: (product: object | null) => void}} how changed is called with what the API said after each change, null when pictures wait for a product
 */
export function pictureShelf(place, { changed }) {
  let productId = null;
  let pictures = []; // as the API has them, or {file, src, alt} while there is no product yet
  const put = append(place, html`<div class="shelf" data-shelf>
    <ol class="shelf__list" data-list></ol>
    <div class="shelf__drop" data-drop>
      <span class="shelf__choose"><input class="shelf__input" type="file" id="files" accept="${PICTURE_TYPES.join(",")}" multiple aria-describedby="files-hint"><label class="button button--quiet button--small" for="files">${icon("upload")}Add pictures</label></span>
      <p class="field__hint" id="files-hint">Or drop them here. JPEG, PNG or WebP, at most 5 MB each.</p>
    </div>
    <p class="visually-hidden" role="status" data-said></p>
    <div data-sending></div>
  </div>`);
  const part = (name) => put.querySelector(`[data-${name}]`);
  const list = part("list");
  const say = (words) => { part("said").textContent = words; };

  const card = (picture, i) => html`<li class="shelf__item" draggable="true" data-at="${i}">
    <div class="shelf__picture">${productPicture({ width: 400, height: 400, ...picture }, { alt: picture.alt || `Picture ${i + 1}`, sizes: "10rem" })}${i === 0 && html`<span class="badge shelf__main">Main</span>`}</div>
    <div class="shelf__acts">
      <button class="icon-button" type="button" id="earlier-${i}" data-move="-1" ${i === 0 && html`disabled`}>${icon("chevron-left")}<span class="visually-hidden">Move picture ${i + 1} earlier</span></button>
      <button class="icon-button" type="button" id="later-${i}" data-move="1" ${i === pictures.length - 1 && html`disabled`}>${icon("chevron-right")}<span class="visually-hidden">Move picture ${i + 1} later</span></button>
      <button class="icon-button push-end" type="button" id="remove-${i}" data-remove>${icon("trash")}<span class="visually-hidden">Remove picture ${i + 1}</span></button>
    </div>
    <label class="visually-hidden" for="alt-${i}">What picture ${i + 1} shows</label>
    <input class="field__input shelf__alt" id="alt-${i}" value="${picture.alt}" maxlength="250" placeholder="What it shows" autocomplete="off" data-alt>
  </li>`;

  function show() {
    render(list, html`${pictures.map(card)}`);
    list.hidden = !pictures.length;
  }

  /** Do something to the pictures at the API; refused, they stand as they were. */
  async function told(act) {
    put.setAttribute("aria-busy", "true");
    try {
      changed(await act());
    } catch (error) {
      if (error.status === undefined) throw error;
      if (!dealtWith(error)) toast(error.message, { seconds: 12 });
      changed(await refreshed());
    } finally {
      put.removeAttribute("aria-busy");
    }
  }

  const refreshed = () => api.get(`/admin/products/${productId}`).catch(() => null);

  async function saveOrder() {
    if (!productId) return changed(null);
    const order = pictures.map(({ id }) => id);
    await told(async () => {
      await api.put(`/products/${productId}/images`, { order });
      return refreshed();
    });
  }

  function move(from, to, focus) {
    if (to < 0 || to >= pictures.length || from === to) return;
    pictures.splice(to, 0, ...pictures.splice(from, 1));
    show();
    say(`Picture ${from + 1} is now ${to + 1} of ${pictures.length}.`);
    if (focus) {
      const buttons = list.children[to].querySelectorAll("[data-move]");
      (buttons[focus > 0 ? 1 : 0].disabled ? buttons[focus > 0 ? 0 : 1] : buttons[focus > 0 ? 1 : 0]).focus();
    }
    saveOrder();
  }

  async function remove(at) {
    const [gone] = pictures.splice(at, 1);
    show();
    say("The picture was removed.");
    (list.children[Math.min(at, pictures.length - 1)]?.querySelector("[data-remove]") ?? part("shelf")?.querySelector("input") ?? put.querySelector("input")).focus();
    if (!productId) return changed(null);
    await told(async () => {
      await api.delete(`/images/${gone.id}`);
      return refreshed();
    });
  }

  async function rename(at, alt) {
    pictures[at].alt = alt;
    if (!productId) return changed(null);
    await told(async () => {
      await api.patch(`/images/${pictures[at].id}`, { alt });
      return refreshed();
    });
  }

  const bar = (name, i, count) => html`<label class="sending"><span>Sending ${name}${count > 1 && ` (${i + 1} of ${count})`}</span><progress class="sending__bar" max="1" value="0"></progress></label>`;

  async function send(files) {
    for (const [i, { file, alt }] of files.entries()) {
      render(part("sending"), bar(file.name, i, files.length));
      const progress = part("sending").querySelector("progress");
      try {
        await upload(`/products/${productId}/images?alt=${encodeURIComponent(alt)}`, file, { progress: (share) => { progress.value = share; } });
      } catch (error) {
        if (error.status === undefined) throw error;
        if (dealtWith(error)) return;
        toast(`${file.name}: ${error.message}`, { seconds: 15 });
      }
    }
    render(part("sending"), html``);
  }

  async function take(files) {
    const bad = files.map(complaintAboutPicture).filter(Boolean);
    const good = files.filter((file) => !complaintAboutPicture(file)).map((file) => ({ file, alt: "" }));
    if (bad.length) toast(bad.join(" "), { seconds: 12 });
    if (!good.length) return;
    if (productId) return told(async () => { await send(good); return refreshed(); });
    for (const one of good) pictures.push({ ...one, src: await asData(one.file) });
    show();
    changed(null);
  }

  // ---- hands

  list.addEventListener("click", ({ target }) => {
    const at = Number(target.closest("[data-at]")?.dataset.at);
    const way = Number(target.closest("[data-move]")?.dataset.move ?? 0);
    if (way) move(at, at + way, way);
    if (target.closest("[data-remove]")) remove(at);
  });
  list.addEventListener("change", ({ target }) => { if (target.matches("[data-alt]")) rename(Number(target.closest("[data-at]").dataset.at), target.value.trim()); });
  put.querySelector("[type=file]").addEventListener("change", ({ target }) => { take([...target.files]); target.value = ""; });

  let dragged = null;
  const mark = (over) => { for (const item of list.children) item.classList.toggle("shelf__item--over", item === over); };
  list.addEventListener("dragstart", (event) => {
    if (event.target.matches?.("input")) return event.preventDefault();
    dragged = Number(event.target.closest("[data-at]").dataset.at);
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", String(dragged));
  });
  list.addEventListener("dragover", (event) => {
    if (dragged === null) return;
    event.preventDefault();
    mark(event.target.closest("[data-at]"));
  });
  list.addEventListener("drop", (event) => {
    const over = event.target.closest("[data-at]");
    if (dragged === null || !over) return;
    event.preventDefault();
    move(dragged, Number(over.dataset.at));
    dragged = null;
  });
  list.addEventListener("dragend", () => { dragged = null; mark(null); });

  const hasFiles = ({ dataTransfer }) => [...dataTransfer.items].some(({ kind }) => kind === "file");
  put.addEventListener("dragover", (event) => {
    if (dragged !== null || !hasFiles(event)) return;
    event.preventDefault();
    part("drop").classList.add("shelf__drop--over");
  });
  put.addEventListener("dragleave", () => part("drop").classList.remove("shelf__drop--over"));
  put.addEventListener("drop", (event) => {
    part("drop").classList.remove("shelf__drop--over");
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    take([...event.dataTransfer.files]);
  });

  return {
    /** @param {{id: number, images: object[]} | null} product null while there is none yet */
    show(product) {
      productId = product?.id ?? null;
      pictures = product ? product.images.map((image) => ({ ...image })) : [];
      const focused = document.activeElement?.id;
      show();
      if (focused && list.querySelector(`[id="${focused}"]`)) list.querySelector(`[id="${focused}"]`).focus();
    },
    /** Whether pictures wait for the product to be there. */
    get waiting() { return !productId && pictures.length > 0; },
    /** Send those that waited. @param {number} id */
    async sendWaiting(id) {
      productId = id;
      await send(pictures);
    },
  };
}

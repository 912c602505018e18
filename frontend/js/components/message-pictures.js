// Pictures that go with a message: uploaded as soon as they are chosen, named by the message when it is sent.
import { api } from "../lib/api.js";
import { html, icon, render } from "../lib/html.js";
import { PICTURE_TYPES, asData, complaintAboutPicture } from "../lib/pictures.js";

const MOST = 4;

/**
 * Draw the choice into a place of a form. `names()` gives what goes into the message's `pictures`, once all are there.
 * @param {Element} place
 * @returns {{names: () => Promise<string[]>, clear: () => void}}
 */
export function messagePictures(place) {
  let chosen = []; // {name, label, src}
  let under = Promise.resolve();
  render(place, html`<div class="field"><p><span class="picture__choose"><input class="picture__input" type="file" id="message-pictures" accept="${PICTURE_TYPES.join(",")}" multiple aria-describedby="message-pictures-hint"><label class="button button--quiet button--small" for="message-pictures">${icon("image")}Add pictures</label></span></p>
    <p class="field__hint" id="message-pictures-hint">Up to ${MOST}, as JPEG, PNG or WebP of at most 5 MB each.</p>
    <ul class="message__pictures" data-list hidden></ul>
    <p class="small" role="status" data-told></p></div>`);
  const input = place.querySelector("input");
  const list = place.querySelector("[data-list]");
  const tell = (words) => { place.querySelector("[data-told]").textContent = words; };

  function show() {
    render(list, html`${chosen.map(({ name, label, src }) => html`<li class="message__chosen"><img src="${src}" alt="${label}"><button class="icon-button" type="button" data-remove="${name}">${icon("close")}<span class="visually-hidden">Leave out ${label}</span></button></li>`)}`);
    list.hidden = chosen.length === 0;
  }

  async function take(file) {
    const complaint = chosen.length >= MOST ? `At most ${MOST} pictures go with one message.` : complaintAboutPicture(file);
    if (complaint) return tell(complaint);
    tell(`Sending ${file.name} …`);
    try {
      const [{ name }, src] = await Promise.all([api.post("/attachments", file), asData(file)]);
      chosen = [...chosen, { name, label: file.name, src }];
      show();
      tell(`${file.name} goes with your message.`);
    } catch (error) {
      if (error.status === undefined) throw error;
      tell(`${file.name} could not be sent. ${Object.values(error.fields).flat().join(" ") || error.message}`);
    }
  }

  input.addEventListener("change", () => {
    for (const file of input.files) under = under.then(() => take(file));
    input.value = "";
  });
  list.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-remove]");
    if (!button) return;
    chosen = chosen.filter(({ name }) => name !== button.dataset.remove);
    show();
    tell("Left out.");
    input.focus();
  });
  return {
    names: async () => { await under; return chosen.map(({ name }) => name); },
    clear: () => { chosen = []; show(); tell(""); },
  };
}

/** The pictures of a message that was sent. @param {{path: string, width: number, height: number}[]} pictures */
export const sentPictures = (pictures) => pictures.length > 0 && html`<ul class="message__pictures">${pictures.map(({ path, width, height }, i) => html`<li><a href="${path}" target="_blank" rel="noopener"><img src="${path}" width="${width}" height="${height}" loading="lazy" alt="Picture ${i + 1}, opens in full"></a></li>`)}</ul>`;

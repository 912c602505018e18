// Options of a product and the table of its variants: one row for each combination, many changed at once.
import { append, html, icon, picture, render } from "../lib/html.js";
import { digitsOf, plural } from "../lib/format.js";
import { parseNumber, readNumber } from "../lib/numbers.js";
import { productPicture } from "./product-card.js";

const MOST_OPTIONS = 3;
const MOST_VARIANTS = 250;
const FIELDS = [
  { name: "price_minor", label: "Price", money: true, required: true },
  { name: "compare_at_minor", label: "Price before", money: true },
  { name: "stock", label: "Stock", whole: true },
  { name: "sku", label: "SKU", most: 64 },
  { name: "weight_g", label: "Weight in g", whole: true },
  { name: "barcode", label: "Barcode", most: 32 },
];
const NUMBERS = FIELDS.filter(({ money, whole }) => money || whole);
const BULK = FIELDS.filter(({ name }) => !["sku", "barcode"].includes(name));

const key = (values) => values.join("\u0000");
const combinations = (options) => options.reduce((rows, { values }) => rows.flatMap((row) => values.map((value) => [...row, value])), [[]]);
const blank = () => ({ id: null, values: [], price_minor: "", compare_at_minor: "", stock: "0", sku: "", weight_g: "0", barcode: "", tracked: true, image_id: null, out: false, chosen: false });

/** @param {number | null} minor @param {number} digits */
export const amountOf = (minor, digits) => (minor === null || minor === undefined ? "" : (minor / 10 ** digits).toFixed(digits));

/**
 * @param {Element} place
 * @param {{currency: string, changed: () => void}} how
 */
export function variantMatrix(place, { currency, changed }) {
  const digits = digitsOf(currency);
  let options = [];
  let rows = [];
  let stockBefore = new Map();
  let images = [];
  const put = append(place, html`<div class="matrix"><div data-options></div><div data-bulk></div><div data-table></div></div>`);
  const part = (name) => put.querySelector(`[data-${name}]`);
  const used = () => rows.filter(({ out }) => !out);
  const complete = () => options.filter(({ name, values }) => name && values.length);

  // ---- options

  const option = ({ name, values }, i) => html`<div class="matrix__option" data-option="${i}">
    <div class="field"><label class="field__label" for="option-${i}">Option ${i + 1}</label><input class="field__input" id="option-${i}" value="${name}" maxlength="60" placeholder="Such as Size" autocomplete="off" data-name></div>
    <div class="field"><label class="field__label" for="values-${i}">Its values, with commas</label><input class="field__input" id="values-${i}" value="${values.join(", ")}" maxlength="2000" placeholder="Small, Medium, Large" autocomplete="off" data-values></div>
    <button class="icon-button" type="button" data-drop>${icon("trash")}<span class="visually-hidden">Remove option ${name || i + 1}</span></button>
  </div>`;

  function showOptions() {
    render(part("options"), html`${options.map(option)}
      ${options.length < MOST_OPTIONS && html`<p><button class="button button--quiet button--small" type="button" data-add-option>${icon("plus")}${options.length ? "Add another option" : "Add an option, such as size or colour"}</button></p>`}`);
  }

  /** One value written otherwise is the same value; any other change adds and takes away. */
  function rename(place, before, after) {
    const different = before.values.map((value, i) => [value, after[i]]).filter(([old, now]) => old !== now);
    if (before.values.length !== after.length || different.length !== 1) return;
    const [[old, now]] = different;
    for (const row of rows) if (row.values[place] === old) row.values[place] = now;
  }

  /** Rows for the options as they are: those that there were stay with their numbers, new ones copy their neighbour's price. */
  function recombine(shape) {
    const asked = complete();
    const wanted = combinations(asked);
    const fits = (row, values) => asked.every((one, i) => (shape.includes(one) ? row.values[shape.indexOf(one)] === values[i] : values[i] === one.values[0]));
    const taken = new Set();
    rows = wanted.slice(0, MOST_VARIANTS + 1).map((values) => {
      const same = rows.find((row) => !taken.has(row) && fits(row, values));
      if (same) { taken.add(same); return { ...same, values }; }
      const near = rows.find((row) => row.values.some((value) => values.includes(value))) ?? rows[0];
      return { ...blank(), values, price_minor: near?.price_minor ?? "", compare_at_minor: near?.compare_at_minor ?? "", weight_g: near?.weight_g ?? "0", tracked: near?.tracked ?? true };
    });
    showTable();
    changed();
  }

  const parsed = (text) => [...new Set(text.split(",").map((one) => one.trim()).filter(Boolean))].map((one) => one.slice(0, 120));

  part("options").addEventListener("change", ({ target }) => {
    const at = Number(target.closest("[data-option]").dataset.option);
    const shape = complete();
    const before = { ...options[at] };
    if (target.matches("[data-name]")) options[at].name = target.value.trim();
    else {
      const values = parsed(target.value);
      if (shape.includes(options[at])) rename(shape.indexOf(options[at]), before, values);
      options[at].values = values;
      target.value = values.join(", ");
    }
    recombine(shape);
  });

  part("options").addEventListener("click", ({ target }) => {
    const shape = complete();
    if (target.closest("[data-add-option]")) {
      options.push({ name: "", values: [] });
      showOptions();
      part("options").querySelector(`#option-${options.length - 1}`).focus();
    }
    const drop = target.closest("[data-drop]");
    if (!drop) return;
    options.splice(Number(drop.closest("[data-option]").dataset.option), 1);
    showOptions();
    recombine(shape);
    (part("options").querySelector("[data-add-option]") ?? part("options").querySelector("input")).focus();
  });

  // ---- rows

  const input = (row, at, { name, label, whole, money, most }, named) => html`<input class="field__input ${(whole || money) && "matrix__figure"}" name="${named ? `variants.${at}.${name}` : name}" id="variant-${at}-${name}"
    value="${row[name]}" autocomplete="off" ${(whole || money) && html`inputmode="${money ? "decimal" : "numeric"}"`} maxlength="${most ?? 14}" data-field="${name}" ${named && html`aria-label="${label} of ${named}"`}>`;

  const counted = (row, at, named) => html`<input class="choice__input" type="checkbox" id="variant-${at}-tracked" data-field="tracked" ${row.tracked && html`checked`} ${named && html`aria-label="Count the stock of ${named}"`}>`;

  const thumb = ({ image_id: chosen }) => productPicture(images.find(({ id }) => id === chosen) ?? images[0], { alt: "", sizes: "2rem" });

  const choice = (row, at, named) => html`<span class="matrix__picture"><span class="matrix__thumb" data-shown>${thumb(row)}</span>
      <span class="select"><select class="field__input" name="${`variants.${at}.image_id`}" id="variant-${at}-image" data-field="image_id" autocomplete="off" aria-label="Picture of ${named}">
        <option value="">The product's</option>
        ${images.map(({ id, alt }, i) => html`<option value="${id}" ${id === row.image_id && html`selected`}>${i + 1}${alt && `: ${alt.slice(0, 40)}`}</option>`)}
      </select><svg class="icon select__arrow" aria-hidden="true"><use href="${picture("icons.svg")}#chevron-down"></use></svg></span></span>`;

  const single = (row) => html`<div class="matrix__single" data-row="0">${FIELDS.map((field) => html`<div class="field"><label class="field__label" for="variant-0-${field.name}">${field.label}</label>${input(row, 0, field)}</div>`)}
    <label class="choice">${counted(row, 0)}<span class="choice__text">Count the stock</span></label></div>`;

  const line = (row, at) => {
    const named = row.values.join(" / ");
    return html`<tr data-row="${rows.indexOf(row)}">
      <td class="grid__check"><label class="grid__box"><input class="choice__input" type="checkbox" data-choose aria-label="Choose ${named}" ${row.chosen && html`checked`}></label></td>
      <th scope="row" class="matrix__name">${named}</th>
      ${FIELDS.map((field) => html`<td>${input(row, at, field, named)}</td>`)}
      ${images.length > 0 && html`<td>${choice(row, at, named)}</td>`}
      <td class="matrix__counted">${counted(row, at, named)}</td>
      <td><button class="icon-button" type="button" data-leave-out>${icon("close")}<span class="visually-hidden">Leave ${named} out</span></button></td>
    </tr>`;
  };

  const table = (shown) => html`<div class="matrix__frame" role="region" aria-label="Variants" tabindex="0"><table class="grid__table matrix__table">
    <caption class="visually-hidden">Variants</caption>
    <thead><tr><td class="grid__check"><label class="grid__box"><input class="choice__input" type="checkbox" data-every aria-label="Choose all variants"></label></td><th scope="col">Variant</th>
      ${FIELDS.map(({ label, whole, money }) => html`<th scope="col" ${(whole || money) && html`class="grid__cell--end"`}>${label}</th>`)}${images.length > 0 && html`<th scope="col">Picture</th>`}<th scope="col">Counted</th><th scope="col"><span class="visually-hidden">Leave out</span></th></tr></thead>
    <tbody>${shown.map(line)}</tbody></table></div>`;

  const bulk = () => html`<div class="matrix__bulk">
    <span class="select"><label class="visually-hidden" for="bulk-what">What to set</label><select class="field__input" id="bulk-what" autocomplete="off">${BULK.map(({ name, label }) => html`<option value="${name}">${label}</option>`)}</select>${icon("chevron-down")}</span>
    <label class="visually-hidden" for="bulk-value">To what</label><input class="field__input matrix__figure" id="bulk-value" maxlength="14" inputmode="decimal" autocomplete="off">
    <button class="button button--quiet button--small" type="button" data-set></button></div>`;

  function showBulk() {
    const chosen = used().filter((row) => row.chosen).length;
    const button = part("bulk").querySelector("[data-set]");
    if (button) button.textContent = chosen ? `Set for ${plural(chosen, "variant")}` : "Set for all variants";
    const every = part("table").querySelector("[data-every]");
    if (!every) return;
    every.checked = chosen > 0 && chosen === used().length;
    every.indeterminate = chosen > 0 && !every.checked;
  }

  function showTable() {
    const shown = used();
    const left = rows.length - shown.length;
    const many = complete().length > 0;
    render(part("bulk"), many ? bulk() : html``);
    render(part("table"), html`${many ? table(shown) : single(rows[0])}
      ${left > 0 && html`<p class="small soft">${plural(left, "combination is", "combinations are")} left out. <button class="link-button" type="button" data-put-back>Put them back</button></p>`}`);
    showBulk();
  }

  part("table").addEventListener("input", ({ target }) => {
    const row = rows[target.closest("[data-row]")?.dataset.row];
    const { field } = target.dataset;
    if (!row || !field) return;
    row[field] = target.type === "checkbox" ? target.checked : field === "image_id" ? Number(target.value) || null : target.value;
    if (field === "image_id") render(target.closest(".matrix__picture").querySelector("[data-shown]"), thumb(row));
    changed();
  });

  part("table").addEventListener("click", ({ target }) => {
    const row = rows[target.closest("[data-row]")?.dataset.row];
    if (target.matches("[data-choose]")) row.chosen = target.checked;
    if (target.matches("[data-every]")) {
      for (const one of used()) one.chosen = target.checked;
      for (const box of part("table").querySelectorAll("[data-choose]")) box.checked = target.checked;
    }
    if (target.closest("[data-leave-out]") && used().length > 1) { row.out = true; showTable(); changed(); part("table").querySelector("[data-put-back]").focus(); }
    if (target.closest("[data-put-back]")) { for (const one of rows) one.out = false; showTable(); changed(); }
    showBulk();
  });

  part("bulk").addEventListener("click", ({ target }) => {
    if (!target.closest("[data-set]")) return;
    const { value: name } = part("bulk").querySelector("select");
    const { value } = part("bulk").querySelector("#bulk-value");
    const chosen = used().filter((row) => row.chosen);
    for (const row of chosen.length ? chosen : used()) row[name] = value.trim();
    showTable();
    changed();
    part("bulk").querySelector("[data-set]").focus();
  });
  part("bulk").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.ctrlKey || event.metaKey || event.target.matches("button")) return;
    event.preventDefault();
    part("bulk").querySelector("[data-set]").click();
  });

  const read = (variant, names) => ({
    ...blank(),
    id: variant.id,
    values: names.map((name) => variant.options[name]),
    price_minor: amountOf(variant.price_minor, digits),
    compare_at_minor: amountOf(variant.compare_at_minor, digits),
    stock: String(variant.stock),
    sku: variant.sku ?? "",
    weight_g: String(variant.weight_g),
    barcode: variant.barcode,
    tracked: variant.tracked,
    image_id: variant.image_id,
  });

  return {
    /** Show a product's options and variants. @param {{options: object[], variants: object[]}} product */
    show(product) {
      options = product.options.map(({ name, values }) => ({ name, values: [...values] }));
      const names = options.map(({ name }) => name);
      ({ images } = product);
      const known = new Map(product.variants.map((variant) => [key(names.map((name) => variant.options[name])), variant]));
      stockBefore = new Map(product.variants.map(({ id, stock }) => [id, String(stock)]));
      rows = options.length ? combinations(options).slice(0, MOST_VARIANTS * 4).map((values) => (known.has(key(values)) ? read(known.get(key(values)), names) : { ...blank(), values, out: true })) : [];
      if (!options.length) rows = [product.variants[0] ? read(product.variants[0], []) : blank()];
      showOptions();
      showTable();
    },

    /** The product has other pictures now; what one of those that went was shown by is shown by the product's. @param {object[]} now */
    showPictures(now) {
      images = now;
      for (const row of rows) if (!images.some(({ id }) => id === row.image_id)) row.image_id = null;
      showTable();
    },

    /** As the API takes it. Stock that nobody touched is left out, so that what is sold meanwhile stays sold. */
    value() {
      const asked = complete();
      const figure = (text, money) => parseNumber(text, money ? digits : 0);
      const variants = used().map((row) => ({
        ...(row.id ? { id: row.id } : {}),
        ...(asked.length ? { options: Object.fromEntries(asked.map(({ name }, i) => [name, row.values[i]])) } : {}),
        price_minor: figure(row.price_minor, true),
        compare_at_minor: figure(row.compare_at_minor, true),
        ...(row.id && row.stock === stockBefore.get(row.id) ? {} : { stock: figure(row.stock) ?? 0 }),
        sku: row.sku.trim() || null,
        weight_g: figure(row.weight_g) ?? 0,
        barcode: row.barcode.trim(),
        tracked: row.tracked,
        ...(asked.length ? { image_id: row.image_id } : {}),
      }));
      return { options: asked.map(({ name, values }) => ({ name, values: values.filter((value) => used().some((row) => row.values.includes(value))) })), variants };
    },

    /** What is wrong with it, by field. @returns {Record<string, string>} */
    problems() {
      const found = {};
      if (used().length > MOST_VARIANTS) found.title = `A product can have at most ${MOST_VARIANTS} variants.`;
      used().forEach((row, at) => {
        const named = row.values.length ? ` of ${row.values.join(" / ")}` : "";
        const field = (name) => (named ? `variants.${at}.${name}` : name); // As the API calls it.
        for (const { name, label, money } of NUMBERS) {
          const { value, problem } = readNumber(row[name], money ? digits : 0, `Enter ${money ? `an amount like ${amountOf(1250, digits)}` : "a whole number, 0 or more"}.`);
          if (problem) found[field(name)] = `${label}${named}: ${problem}`;
          else if (value === null && name === "price_minor") found[field(name)] = `Enter the price${named}.`;
        }
      });
      return found;
    },
  };
}

// Columns over time, as plain SVG in the size of their place. The picture is for the eye: its figures stand in a table beside it.
import { html, render } from "../lib/html.js";

const HEIGHT = 220;
const FOOT = 26; // for the names below the columns
const HEAD = 10;
const LETTER = 7; // how wide one is, roughly
const LINES = 4;

/** The next round number that a scale may end with: 1, 2, 2.5 or 5 times a power of ten. */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 2.5, 5, 10].find((step) => step * power >= value * 0.9999);
}

/** Where the lines of a scale stand. @param {number} most @param {number} least the smallest step that makes sense */
export function scale(most, least) {
  const step = Math.max(least, roundUp(Math.max(most, least) / LINES));
  return Array.from({ length: Math.max(1, Math.ceil(most / step)) + 1 }, (_, i) => i * step);
}

function drawn({ title, points, axis, least }, width) {
  const lines = scale(Math.max(0, ...points.map(({ value }) => value ?? 0)), least);
  const words = lines.map(axis);
  const left = 12 + LETTER * Math.max(...words.map((one) => one.length));
  const top = lines.at(-1);
  const step = (width - left) / points.length;
  const column = Math.max(2, Math.min(step * 0.72, 44));
  const y = (value) => HEAD + (HEIGHT - HEAD - FOOT) * (1 - value / top);
  const every = Math.ceil((LETTER * Math.max(...points.map(({ label }) => label.length)) + 14) / step);
  const named = (i) => (points.length - 1 - i) % every === 0;
  return html`<svg class="plot__picture" width="${width}" height="${HEIGHT}" viewBox="0 0 ${width} ${HEIGHT}" role="img" aria-label="${title}">
    ${lines.map((value, i) => html`<line class="plot__line" x1="${left}" x2="${width}" y1="${y(value)}" y2="${y(value)}"/><text class="plot__word" x="${left - 8}" y="${y(value) + 4}" text-anchor="end">${words[i]}</text>`)}
    ${points.map(({ label, value, words: said, href, open }, i) => html`<g class="plot__column ${open && "plot__column--open"}" data-href="${href}"><title>${said}</title>
      <rect class="plot__reach" x="${left + i * step}" y="${HEAD}" width="${step}" height="${HEIGHT - HEAD - FOOT}"/>
      ${value > 0 && html`<rect class="plot__bar" x="${left + i * step + (step - column) / 2}" y="${y(value)}" width="${column}" height="${Math.max(1, y(0) - y(value))}" rx="${Math.min(3, column / 4)}"/>`}
      ${named(i) && html`<text class="plot__word" x="${Math.min(left + (i + 0.5) * step, width - (LETTER * label.length) / 2)}" y="${HEIGHT - 7}" text-anchor="middle">${label}</text>`}</g>`)}
  </svg>`;
}

const plots = new WeakMap();
const watcher = new ResizeObserver((places) => {
  for (const { target, contentRect } of places) {
    const plot = plots.get(target);
    if (plot.width === Math.floor(contentRect.width)) continue;
    plot.width = Math.floor(contentRect.width);
    render(target, drawn(plot.what, plot.width));
  }
});

/**
 * Draw columns into a place, and again whenever its size changes. A column leads where its row of the table leads.
 * @param {HTMLElement} place
 * @param {object} what
 * @param {string} what.title what the picture shows, in a sentence
 * @param {{label: string, value: number | null, words: string, href: string, open?: boolean}[]} what.points `open`: not over yet
 * @param {(value: number) => string} what.axis how the scale writes a value
 * @param {number} [what.least] the smallest step of the scale
 */
export function plot(place, { least = 1, ...what }) {
  if (!plots.has(place)) {
    plots.set(place, {});
    watcher.observe(place);
    place.addEventListener("click", ({ target }) => {
      const href = target.closest("[data-href]")?.dataset.href;
      if (href) location.assign(href);
    });
  }
  const width = Math.floor(place.clientWidth);
  plots.set(place, { what: { ...what, least }, width });
  render(place, drawn({ ...what, least }, width));
}

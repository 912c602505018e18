// The only file that touches innerHTML. Markup is written with the `html` tag, which escapes every value.

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const policy = window.trustedTypes?.createPolicy("markup", { createHTML: (text) => text }) ?? { createHTML: (text) => text };

/** Markup that is safe to insert; only `html`, `icon` and `prose` make it. */
export class Markup {
  /** @param {string} text */
  constructor(text) { this.text = text; }
  toString() { return this.text; }
}

const escape = (value) => String(value).replace(/[&<>"']/g, (character) => ESCAPES[character]);

function written(value) {
  if (value === null || value === undefined || value === false || value === true) return "";
  if (value instanceof Markup) return value.text;
  return Array.isArray(value) ? value.map(written).join("") : escape(value);
}

/**
 * html`<p class="x">${anything}</p>`: values are escaped, Markup and arrays of it are kept; null, undefined and booleans write nothing.
 * Attributes must be quoted. A boolean attribute is written as ${checked && html`checked`}.
 * @returns {Markup}
 */
export const html = (strings, ...values) => new Markup(String.raw({ raw: strings }, ...values.map(written)));

/** Replace what `target` holds. @param {Element} target @param {Markup} markup */
export function render(target, markup) {
  target.innerHTML = policy.createHTML(written(markup));
  return target;
}

/** Put markup after the last child and give the first new element. @param {Element} target @param {Markup} markup @returns {Element} */
export function append(target, markup) {
  const template = document.createElement("template");
  template.innerHTML = policy.createHTML(written(markup));
  const first = template.content.firstElementChild;
  target.append(template.content);
  return first;
}

/** Do what nobody waits for, once what is there by now was painted. @param {() => void} work */
export const afterPaint = (work) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(work)));

const images = new URL("../../images/", import.meta.url).pathname;

/** The address of one of the shop's own pictures, e.g. picture("placeholder.svg"). @param {string} name */
export const picture = (name) => images + name;

/** A decorative icon of the sprite, e.g. icon("cart"). @param {string} name */
export const icon = (name) => html`<svg class="icon" aria-hidden="true"><use href="${images}icons.svg#${name}"></use></svg>`;

const KEPT = new Set("P BR UL OL LI STRONG B EM I H2 H3 H4 BLOCKQUOTE A TABLE THEAD TBODY TR TH TD".split(" "));
const SPANS = ["colspan", "rowspan"];

/** What an element of a description keeps beside its name: a link where it leads, a cell how far it reaches. */
function attributes(node) {
  const span = (name) => (/^\d{1,2}$/.test(node.getAttribute(name) ?? "") ? ` ${name}="${node.getAttribute(name)}"` : "");
  if (node.nodeName === "TH" || node.nodeName === "TD") return SPANS.map(span).join("");
  if (node.nodeName !== "A") return "";
  const href = node.getAttribute("href");
  const to = href && URL.canParse(href, location.origin) ? new URL(href, location.origin) : null;
  return ["http:", "https:", "mailto:"].includes(to?.protocol) ? ` href="${escape(to.href)}" rel="nofollow noopener"` : "";
}

/**
 * A description as its author formatted it. The server has cleaned it; here only elements of a short list are built anew, with hardly an
 * attribute, so that nothing else could ever reach the page. Text without elements becomes paragraphs.
 * @param {string} text
 */
export function prose(text) {
  if (!/<\w/.test(text)) return html`${text.split(/\n\s*\n/).filter(Boolean).map((part) => html`<p>${part}</p>`)}`;
  const body = new DOMParser().parseFromString(policy.createHTML(text), "text/html").body;
  const kept = (node) => {
    if (node.nodeType === Node.TEXT_NODE) return escape(node.data);
    if (node.nodeType !== Node.ELEMENT_NODE || ["SCRIPT", "STYLE"].includes(node.nodeName)) return "";
    const inner = [...node.childNodes].map(kept).join("");
    const name = node.nodeName.toLowerCase();
    const told = attributes(node);
    if (!KEPT.has(node.nodeName) || name === "a" && !told) return inner;
    return name === "br" ? "<br>" : `<${name}${told}>${inner}</${name}>`;
  };
  return new Markup([...body.childNodes].map(kept).join(""));
}

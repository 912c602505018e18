// What an input offers while somebody types, as the combobox pattern of the ARIA Authoring Practices has it.
import { render } from "../lib/html.js";

const PAUSE = 90; // milliseconds without a key before the shop is asked

/**
 * Offer options for what is typed; each is an element with role=option, and choosing it clicks it.
 * @param {HTMLInputElement} input role=combobox
 * @param {Element} panel role=listbox
 * @param {(typed: string, signal: AbortSignal) => Promise<import("../lib/html.js").Markup>} offer
 * @param {{first?: boolean, room?: Element}} [how] first: Enter takes the first option when none is chosen; room: where the focus may be without closing
 * @returns {{close: () => void}}
 */
export function combobox(input, panel, offer, { first = false, room = input.parentElement } = {}) {
  let asked;
  let timer;
  const options = () => [...panel.querySelectorAll("[role=option]")];
  const chosen = () => panel.querySelector("[aria-selected=true]");

  function choose(one) {
    chosen()?.setAttribute("aria-selected", "false");
    input.removeAttribute("aria-activedescendant");
    if (!one) return;
    one.setAttribute("aria-selected", "true");
    input.setAttribute("aria-activedescendant", one.id);
    one.scrollIntoView({ block: "nearest" });
  }

  function open(markup) {
    render(panel, markup);
    options().forEach((one, i) => { one.id = `${panel.id}-${i}`; });
    panel.hidden = panel.childElementCount === 0;
    input.setAttribute("aria-expanded", String(!panel.hidden));
    input.removeAttribute("aria-activedescendant");
  }

  function close() {
    clearTimeout(timer);
    asked?.abort();
    panel.hidden = true;
    input.setAttribute("aria-expanded", "false");
    choose(null);
  }

  async function look() {
    clearTimeout(timer);
    asked?.abort();
    asked = new AbortController();
    const { signal } = asked;
    try {
      const markup = await offer(input.value.trim(), signal);
      if (!signal.aborted && document.activeElement === input) open(markup);
    } catch (error) {
      // One can go on without suggestions, so nobody is told that there are none.
      if (error.name !== "AbortError" && error.status === undefined) throw error;
    }
  }

  function step(by) {
    const all = options();
    const at = all.indexOf(chosen());
    choose(all[at === -1 && by < 0 ? all.length - 1 : at + by]);
  }

  /** What a scanner or a quick hand typed is looked up first. */
  async function takeFirst() {
    await look();
    options()[0]?.click();
  }

  input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(look, PAUSE); });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !panel.hidden) { event.preventDefault(); close(); }
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (panel.hidden) look(); else step(event.key === "ArrowDown" ? 1 : -1);
    }
    if (event.key !== "Enter" || event.ctrlKey || event.metaKey) return;
    if (chosen() || first) event.preventDefault();
    if (chosen()) chosen().click();
    else if (first && input.value.trim()) takeFirst();
  });
  input.addEventListener("focus", look);
  room.addEventListener("focusout", ({ relatedTarget }) => { if (!room.contains(relatedTarget)) close(); });
  panel.addEventListener("pointerdown", (event) => event.preventDefault()); // the input keeps the focus while an option is pressed
  panel.addEventListener("click", close);
  if (document.activeElement === input) look();
  return { close };
}

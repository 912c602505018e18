import { toast } from "./toast-stack.js";

const KEY = "notices";

/** Keep sentences for the next page of this tab, where they are said in passing. @param {string[]} notices */
export function keepNotices(notices) {
  if (notices.length) sessionStorage.setItem(KEY, JSON.stringify(notices));
}

/** Say what was kept, once. */
export function sayKeptNotices() {
  const notices = JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
  sessionStorage.removeItem(KEY);
  for (const notice of notices) toast(notice, { seconds: 8 });
}

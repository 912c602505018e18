// What every page of the admin area does: nobody but staff, where one is, theme, keys, offline notice.
import "./components/theme-switch.js";
import { toast } from "./components/toast-stack.js";
import { staff } from "./components/staff.js";
import "./components/two-step-reminder.js";

const ways = document.querySelector("[data-ways]");
const here = [...ways.querySelectorAll("a")].find(({ pathname }) => location.pathname === pathname || (pathname !== "/admin" && location.pathname.startsWith(`${pathname}/`)));
here?.setAttribute("aria-current", here.pathname === location.pathname ? "page" : "true");
if (here) ways.scrollLeft = here.offsetLeft - ways.clientWidth / 2 + here.offsetWidth / 2;

staff.then(({ first_name: first, username }) => { document.querySelector("[data-who]").textContent = first || username; });

/** Ctrl+Enter sends the form that one is in, from any of its fields. */
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  const form = event.target.closest?.("form") ?? document.querySelector("form[data-main]");
  if (!form || document.querySelector("dialog[open]")?.contains(form) === false) return;
  event.preventDefault();
  form.requestSubmit();
});

let closeOffline;
window.addEventListener("offline", () => { closeOffline ??= toast("You are offline. What you see may be out of date.", { seconds: 86_400 }); });
window.addEventListener("online", () => { closeOffline?.(); closeOffline = undefined; });
window.addEventListener("pageshow", ({ persisted }) => { if (persisted) location.reload(); });

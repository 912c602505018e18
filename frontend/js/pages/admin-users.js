import { date } from "../lib/format.js";
import { html } from "../lib/html.js";
import { ask } from "../components/ask-dialog.js";
import { actOn } from "../components/bulk-act.js";
import { offerExport } from "../components/export-button.js";
import { emptyState } from "../components/states.js";
import { toast } from "../components/toast-stack.js";
import { ROLES, accounts, askBlock, askErasure, fullName, invite, userBadge, userState } from "../components/user-acts.js";
import "../components/data-grid.js";

const SURE = 20; // From here on a slip of the hand would be felt.
const LEFT_OUT = "your own account, and who has an order under way";

const grid = document.querySelector("data-grid");

function act(action, scope, tell, said, more = {}) {
  const { inactive, ...filter } = scope.filter ?? {};
  const wanted = scope.filter ? { ...scope, filter: { ...filter, ...(inactive && { inactive: Number(inactive) }) } } : scope;
  return actOn({ path: "/admin/users/actions", body: { action, ...more }, scope: wanted, tell, said, noun: "account", skipped: LEFT_OUT });
}

const sure = ({ total }, what, text = "You can take it back right afterwards.") => total < SURE || ask({ title: `${what} ${accounts(total)}?`, text, action: what });
const plain = (action, label, said, text) => ({ label, run: async (scope, tell) => await sure(scope, label, text) && act(action, scope, tell, said) });

async function block(scope, tell) {
  const chosen = await askBlock(accounts(scope.total));
  return chosen && act("block", scope, tell, "blocked", chosen);
}

const erase = async (scope, tell) => await askErasure(accounts(scope.total), String(scope.total)) && act("erase", scope, tell, "erased");

document.querySelector("[data-add]").addEventListener("click", async () => {
  const user = await invite();
  if (!user) return;
  await grid.load();
  toast(`${user.username} is invited.`);
});

offerExport("customers.csv", () => grid.filters);

const not = (status) => (filters) => filters.status !== status;

grid?.start({
  path: "/admin/users",
  name: ({ username }) => username,
  cells: {
    username: ({ id, username }) => html`<a class="grid__link" href="/admin/users/${id}"><span class="grid__text">${username}</span></a>`,
    name: (row) => fullName(row),
    role: ({ role }) => (role === "customer" ? html`<span class="soft">Customer</span>` : html`<span class="badge badge--accent-soft">${ROLES[role]}</span>`),
    status: (row) => html`${userBadge(row)}${row.blocked_until && row.status === "active" && html` <span class="soft small">until ${date(row.blocked_until)}</span>`}`,
    level: ({ level }) => level && level[0].toUpperCase() + level.slice(1),
    newsletter: ({ newsletter }) => (newsletter ? "Yes" : html`<span class="soft">no</span>`),
    totp: ({ totp }) => (totp ? "On" : html`<span class="soft">off</span>`),
  },
  texts: { name: fullName, role: ({ role }) => ROLES[role], status: userState, newsletter: ({ newsletter }) => (newsletter ? "yes" : "no"), totp: ({ totp }) => (totp ? "on" : "off") },
  actions: [
    { ...plain("activate", "Activate", "activated"), when: not("active") },
    { ...plain("deactivate", "Deactivate", "deactivated"), when: not("deactivated") },
    { label: "Block", run: block },
    { ...plain("unblock", "Unblock", "unblocked"), when: not("active") },
    plain("end_sessions", "Sign out", "signed out everywhere", "They have to sign in again."),
    plain("send_test_mail", "Test mail", "got a test mail", "Each gets one mail."),
    { label: "Erase", danger: true, run: erase },
  ],
  nothing: emptyState({ title: "No accounts yet", text: "Who registers or is invited is listed here." }),
});

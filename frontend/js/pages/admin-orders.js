import { html } from "../lib/html.js";
import { offerExport } from "../components/export-button.js";
import { METHODS, stateBadge, stateWords } from "../components/order-states.js";
import { emptyState } from "../components/states.js";
import "../components/data-grid.js";

/** What nobody has to send or pay any more needs no warning. */
const moot = ({ status }) => ["cancelled", "expired"].includes(status);
const quiet = (row, state) => (moot(row) && ["unpaid", "unfulfilled"].includes(state) ? html`<span class="soft">${stateWords(state)}</span>` : stateBadge(state));

const grid = document.querySelector("data-grid");

offerExport("orders.csv", () => grid.filters);

grid?.start({
  path: "/admin/orders",
  name: ({ number }) => number,
  cells: {
    number: ({ number, returns_open: waiting }) => html`<span class="desk-number"><a class="grid__link" href="/admin/orders/${number}"><span class="grid__text figures">${number}</span></a>${waiting > 0 && html` <span class="badge badge--warning">Return</span>`}</span>`,
    name: ({ name, email, guest }) => html`${name}<span class="soft">${guest ? " (guest)" : ""}</span><span class="visually-hidden">, ${email}</span>`,
    status: ({ status }) => stateBadge(status),
    payment_status: (row) => quiet(row, row.payment_status),
    fulfilment_status: (row) => quiet(row, row.fulfilment_status),
    payment_method: ({ payment_method: method }) => METHODS[method] ?? method,
  },
  nothing: emptyState({ title: "No orders yet", text: "What shoppers order is listed here, newest first, with where it stands." }),
});

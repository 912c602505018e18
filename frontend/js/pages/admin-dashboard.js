import { api } from "../lib/api.js";
import { digitsOf, money, number } from "../lib/format.js";
import { html, render } from "../lib/html.js";
import { plot } from "../components/plot.js";
import { dealtWith, staff } from "../components/staff.js";
import { failedState, loadInto } from "../components/states.js";

const MOST = 1000; // to which the API counts what waits
const part = (name) => document.querySelector(`[data-${name}]`);
const whole = part("dashboard");
const by = ["week", "month"].find((one) => one === new URLSearchParams(location.search).get("by")) ?? "day";
document.querySelector(`.segments__label[href$="by=${by}"]`)?.setAttribute("aria-current", "true");

// Days are the shop's own, in UTC, wherever the reader sits.
const written = (options) => { const format = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", ...options }); return (iso) => format.format(new Date(iso)); };
const shortDay = written({ day: "numeric", month: "short" });
const longDay = written({ weekday: "long", day: "numeric", month: "long" });
const month = written({ month: "short" });
const longMonth = written({ month: "long", year: "numeric" });
const percent = new Intl.NumberFormat("en-GB", { style: "percent", maximumFractionDigits: 1 });
const change = new Intl.NumberFormat("en-GB", { style: "percent", maximumFractionDigits: 0, signDisplay: "exceptZero" });
const short = new Intl.NumberFormat("en-GB", { notation: "compact", maximumFractionDigits: 1 });

const NAMES = {
  day: { label: shortDay, title: longDay, kind: "day", before: "the 30 days before" },
  week: { label: shortDay, title: (iso) => `Week of ${shortDay(iso)}`, kind: "week", before: "the 26 weeks before" },
  month: { label: month, title: longMonth, kind: "month", before: "the year before" },
}[by];

const rows = ({ since, until }) => `/admin/orders?status=sold&from=${since}&to=${until}`;
const orNone = (value, words) => (value === null ? "–" : words(value));
const MEASURES = {
  sales: { title: "Sales", value: (one) => one.sales_minor, words: (value, currency) => money(value, currency), axis: (value, digits) => short.format(value / 10 ** digits), least: 100 },
  orders: { title: "Orders", value: (one) => one.orders, words: (value) => number(value), axis: (value) => short.format(value), least: 1 },
  average: { title: "Average order", value: (one) => one.average_minor, words: (value, currency) => money(value, currency), axis: (value, digits) => short.format(value / 10 ** digits), least: 100 },
  conversion: { title: "Conversion", value: (one) => one.conversion_bp, words: (value) => percent.format(value / 10_000), axis: (value) => percent.format(value / 10_000), least: 100 },
};

let told;

// ---- what waits

const counted = (value) => (value > MOST ? `${number(MOST)}+` : number(value));

function showWaiting({ waiting }) {
  for (const place of part("waiting").querySelectorAll("[data-waits]")) {
    const value = waiting[place.dataset.waits];
    place.querySelector(".waiting__count").textContent = counted(value);
    place.classList.toggle("waiting__one--none", !value);
    place.classList.toggle("waiting__one--bad", value > 0 && place.dataset.bad !== undefined);
  }
}

// ---- figures

function against(now, before) {
  if (now === null || !before) return html`<span class="soft">nothing to compare with</span>`;
  const grown = now / before - 1;
  return html`<span class="${grown >= 0.005 ? "tile__up" : grown <= -0.005 ? "tile__down" : ""}">${change.format(grown)}</span> on ${NAMES.before}`;
}

function showTiles({ now, before, currency }) {
  for (const [name, { value, words }] of Object.entries(MEASURES)) {
    const tile = document.querySelector(`[data-tile="${name}"]`);
    const link = tile.querySelector("a");
    link.href = rows(now);
    link.textContent = orNone(value(now), (it) => words(it, currency));
    render(tile.querySelector(".tile__change"), against(value(now), value(before)));
  }
}

// ---- the picture and its table

function showPlot() {
  const { items, currency } = told;
  const { title, value, words, axis, least } = MEASURES[document.querySelector("[name=show]:checked").value];
  const digits = digitsOf(currency);
  const said = (one) => orNone(value(one), (it) => words(it, currency));
  part("plot").previousElementSibling.querySelector("h2").textContent = title;
  plot(part("plot"), {
    title: `${title} of each ${NAMES.kind} since ${longDay(items[0].since)}. The table below holds the figures.`,
    axis: (it) => axis(it, digits),
    least: title === "Sales" || title === "Average order" ? 10 ** digits : least,
    points: items.map((one, i) => ({ label: NAMES.label(one.since), value: value(one), words: `${NAMES.title(one.since)}: ${said(one)}`, href: rows(one), open: i === items.length - 1 })),
  });
}

function showTable({ items, currency }) {
  const cells = (one) => Object.values(MEASURES).map(({ value, words }) => html`<td class="table__amount">${orNone(value(one), (it) => words(it, currency))}</td>`);
  render(part("table"), html`<table class="table small full"><caption class="visually-hidden">What was sold, latest first</caption>
    <thead><tr><th scope="col">${NAMES.kind[0].toUpperCase() + NAMES.kind.slice(1)}</th>${Object.values(MEASURES).map(({ title }) => html`<th scope="col" class="table__amount">${title}</th>`)}</tr></thead>
    <tbody>${items.toReversed().map((one) => html`<tr><th scope="row"><a href="${rows(one)}">${NAMES.title(one.since)}</a></th>${cells(one)}</tr>`)}</tbody></table>`);
}

// ---- goods

const goods = (rows_) => html`<table class="table table--goods small full"><tbody>${rows_.map(({ href, title, more, amount, words }) => html`<tr><th scope="row"><a href="${href}">${title}</a>${more && html` <span class="soft">${more}</span>`}</th><td class="table__amount soft">${words}</td><td class="table__amount strong">${amount}</td></tr>`)}</tbody></table>`;

function showGoods({ best, low, waiting }) {
  const left = (stock) => (stock === null ? "" : stock ? `${number(stock)} left` : "sold out");
  render(part("best"), best.length ? goods(best.map((one) => ({ href: `/admin/products/${one.id}`, title: one.title, amount: number(one.sold_count), words: left(one.stock) }))) : html`<p class="soft">What sells best will be listed here, an hour after it was sold.</p>`);
  render(part("low"), low.length ? goods(low.map((one) => ({ href: `/admin/products/${one.product_id}`, title: one.title, more: one.options, amount: one.stock ? number(one.stock) : "Sold out" }))) : html`<p class="soft">Everything is there in plenty.</p>`);
  part("all-low").hidden = waiting.low_stock <= low.length;
  part("all-low").textContent = `All ${counted(waiting.low_stock)}`;
}

if ((await staff).role !== "admin") part("waiting").querySelector('[href^="/admin/jobs"]').parentElement.remove();
const page = [...whole.children];
document.addEventListener("change", ({ target }) => { if (target.name === "show") showPlot(); });
loadInto(whole, {
  load: () => api.get("/admin/dashboard", { params: { by } }),
  show: (answer) => {
    told = answer;
    whole.replaceChildren(...page);
    showWaiting(answer);
    showTiles(answer);
    showPlot();
    showTable(answer);
    showGoods(answer);
  },
  failed: (error) => (dealtWith(error) ? null : failedState(error, "The overview could not be loaded")),
});

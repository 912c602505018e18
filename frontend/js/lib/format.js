// Money, dates and plurals for people. Formatters are made once.
import { parseNumber } from "./numbers.js";

const LOCALE = "en-GB";
const currencies = new Map();
const plurals = new Intl.PluralRules(LOCALE);
const day = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "long", year: "numeric" });
const moment = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit" });
const distances = new Intl.RelativeTimeFormat(LOCALE);
const figures = new Intl.NumberFormat(LOCALE);
const countries = new Intl.DisplayNames(LOCALE, { type: "region" });

function currencyFormat(currency) {
  if (!currencies.has(currency)) currencies.set(currency, new Intl.NumberFormat(LOCALE, { style: "currency", currency }));
  return currencies.get(currency);
}

/** How many digits a currency has after the point. @param {string} currency */
export const digitsOf = (currency) => currencyFormat(currency).resolvedOptions().maximumFractionDigits;

/** money(4210, "EUR") → "€42.10". @param {number} minor @param {string} currency */
export const money = (minor, currency) => currencyFormat(currency).format(minor / 10 ** digitsOf(currency));

/** minorOf("4,90", "EUR") → 490; null if blank, NaN for what is ambiguous or no amount. @param {string} text @param {string} currency */
export const minorOf = (text, currency) => parseNumber(text, digitsOf(currency));

/** number(1284) → "1,284". @param {number} value */
export const number = (value) => figures.format(value);

/** plural(2, "item") → "2 items"; a third word when -s will not do. @param {number} count @param {string} one @param {string} [many] */
export const plural = (count, one, many = `${one}s`) => `${number(count)} ${plurals.select(count) === "one" ? one : many}`;

/** "3 May 2026". @param {string} iso */
export const date = (iso) => day.format(new Date(iso));

/** "3 May 2026 at 14:05". @param {string} iso */
export const dateTime = (iso) => moment.format(new Date(iso));

const UNITS = [["year", 31_536_000], ["month", 2_592_000], ["week", 604_800], ["day", 86_400], ["hour", 3600], ["minute", 60]];

/** How long ago, roughly: "just now", "5 minutes ago", "3 days ago". @param {string} iso */
export function ago(iso) {
  const seconds = (Date.now() - new Date(iso)) / 1000;
  const [unit, length] = UNITS.find(([, one]) => seconds >= one) ?? [];
  return unit ? distances.format(-Math.floor(seconds / length), unit) : "just now";
}

/** countryName("DE") → "Germany". @param {string} code */
export const countryName = (code) => (code ? countries.of(code) : "");

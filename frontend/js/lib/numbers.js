// Numbers as people type them, in any local notation. backend/app/services/csv_numbers.py has the same rules for files.

const SPACES = " \\u00a0\\u2007\\u2009\\u202f'\\u2019";
const MAX_WHOLE_DIGITS = 15;

function shape(decimalMark, groupMark) {
  const groups = `[1-9]\\d{0,2}(?:(?<mark>[${SPACES}${groupMark}])\\d{3})(?:\\k<mark>\\d{3})*`;
  // India separates a thousand from what is above it in pairs: 1,00,000.
  const pairs = groupMark === "," ? "|[1-9]\\d?(?:,\\d{2})+,\\d{3}" : "";
  return new RegExp(`^(?<whole>\\d+|${groups}${pairs})(?:[${decimalMark}](?<decimals>\\d+))?$`);
}

const SHAPES = [shape(".", ","), shape(",", ".")];

const ambiguous = (text) => {
  const decimal = text.replace(",", ".").replace(/\.?0+$/, "");
  return `“${text}” can mean ${text.replace(/[.,]/g, "")} or ${decimal}. Write it without a thousands separator.`;
};

/**
 * Read a number that stands alone. One that may mean two things, such as 1.000, is never guessed.
 * @param {string} text
 * @param {number} decimals how many are possible: those of the currency, or 0
 * @param {string} [invalid] the sentence for what is no number
 * @returns {{value: number | null, problem: string}} value in units of 10^-decimals, null if blank, NaN with a problem
 */
export function readNumber(text, decimals, invalid = "Enter a number such as 24.00.") {
  const typed = text.trim();
  if (!typed) return { value: null, problem: "" };
  const wrong = (problem) => ({ value: NaN, problem });
  const found = SHAPES.map((one) => one.exec(typed)).filter(Boolean);
  if (!found.length) return wrong(invalid);
  if (found.length === 2 && /[.,]/.test(typed)) return wrong(ambiguous(typed));
  const { whole, decimals: part = "" } = found[0].groups;
  const kept = part.replace(/0+$/, "");
  if (kept.length > decimals) return wrong(decimals ? `Use at most ${decimals} decimals.` : "Enter a whole number.");
  const value = Number(whole.replace(/\D/g, "") + kept.padEnd(decimals, "0"));
  if (whole.replace(/\D/g, "").length > MAX_WHOLE_DIGITS || !Number.isSafeInteger(value)) return wrong("Too large.");
  return { value, problem: "" };
}

/** parseNumber("4,90", 2) → 490; null if blank, NaN for what readNumber() refuses. @param {string} text @param {number} decimals */
export const parseNumber = (text, decimals) => readNumber(text, decimals).value;

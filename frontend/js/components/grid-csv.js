// A table as a file: all of its pages, in the columns that are shown.
import { api } from "../lib/api.js";
import { number, plural } from "../lib/format.js";
import { saveFile } from "./saving.js";
import { toast } from "./toast-stack.js";

const PAGE = 100;

// What could begin a formula, as in backend/app/services/csv_cells.py: a sign or what is compatible with it, behind characters that a spreadsheet may skip.
const FORMULA = /^(?:[\t\r\n]|['\s\p{Cc}\p{Default_Ignorable_Code_Point}\ufff9-\ufffb]*[=+\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u207c\u207a\u208c\u208a\u207b\u208b\u2212\u2a75\u2a76\ufb29])/u;

/** A cell that no spreadsheet takes for a formula. @param {string | number | boolean | null} value */
export function cell(value) {
  if (typeof value === "number") return String(value);
  const text = String(value ?? "");
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/**
 * Read all pages and let the browser save them.
 * @param {{name: string, path: string, params: object, columns: {label: string, text: (row: object, answer: object) => any}[], tell: (part: number, words: string) => void}} what
 */
export async function saveRows({ name, path, params, columns, tell }) {
  const lines = [columns.map(({ label }) => cell(label)).join(",")];
  let after = "";
  do {
    const answer = await api.get(path, { params: { ...params, after, limit: PAGE } });
    for (const row of answer.items) lines.push(columns.map(({ text }) => cell(text(row, answer))).join(","));
    after = answer.next;
    tell(Math.min((lines.length - 1) / (answer.total || 1), 1), `${number(lines.length - 1)} of ${number(answer.total)} read`);
  } while (after);
  saveFile(`${name}-${new Date().toISOString().slice(0, 10)}.csv`, `\ufeff${lines.join("\r\n")}\r\n`, "text/csv");
  toast(`${plural(lines.length - 1, "row")} saved.`);
}

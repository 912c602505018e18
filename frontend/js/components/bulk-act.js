// An act on many rows, step by step, since all there are may be chosen; what was done before a step failed can still be taken back.
import { api } from "../lib/api.js";
import { number, plural } from "../lib/format.js";
import { proved } from "./password-dialog.js";

const chunks = (ids, size) => Array.from({ length: Math.ceil(ids.length / size) }, (_, i) => ids.slice(i * size, (i + 1) * size));

async function takeBack(path, bodies) {
  for (const body of bodies.toReversed()) await proved(() => api.post(path, body));
}

/**
 * Do it, and give what to tell and how to take it back, or null when the visitor thought better of it.
 * @param {object} what
 * @param {string} what.path of the API's acts
 * @param {object} what.body of each step, without its scope
 * @param {{ids?: number[], filter?: object, total: number}} what.scope
 * @param {(part: number, words: string) => void} what.tell
 * @param {string} what.said "published"
 * @param {string} what.noun "product"
 * @param {number} what.step as many as the API does at once
 * @param {string} [what.skipped] why some were left as they are
 */
export async function actOn({ path, body, scope, tell, said, noun, step, skipped: why }) {
  const undo = [];
  let changed = 0;
  let skipped = 0;
  let reached = 0;
  const words = () => `${plural(changed, noun)} ${said}.${skipped && why ? ` ${number(skipped)} left out: ${why}.` : ""}`;
  const taken = () => (undo.length ? () => takeBack(path, undo) : undefined);
  try {
    for (const part of scope.ids ? chunks(scope.ids, step).map((ids) => ({ ids })) : [{ filter: scope.filter }]) {
      let after = 0;
      while (after !== null) {
        const from = after;
        const answer = await proved(() => api.post(path, { ...body, ...part, after: from }));
        if (!answer) return changed ? { words: words(), undo: taken() } : null;
        undo.push(...answer.undo);
        changed += answer.changed;
        skipped += answer.skipped ?? 0;
        after = answer.next;
        reached = Math.min(reached + step, scope.total);
        tell(reached / scope.total, `${number(reached)} of ${number(scope.total)}`);
      }
    }
  } catch (error) {
    if (!changed || error.status === undefined) throw error;
    return { words: `${words()} Then it stopped: ${error.message}`, undo: taken() };
  }
  return { words: words(), undo: taken() };
}

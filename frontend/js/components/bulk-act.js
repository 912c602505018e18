// A bulk action: the server plans it, applies it in small steps and finishes it even if this page is closed; here its progress is shown.
import { ApiError, api } from "../lib/api.js";
import { number, plural } from "../lib/format.js";
import { proved } from "./password-dialog.js";

const MAX_IDS = 5000; // in one request
const POLL_MS = 400;

const chunks = (ids, size) => Array.from({ length: Math.ceil(ids.length / size) }, (_, i) => ids.slice(i * size, (i + 1) * size));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Follow an action until it is finished. A connection that is lost for a moment loses nothing: the server goes on. */
async function follow(path, action, report) {
  let state = action;
  report(state);
  while (state.status === "running") {
    await pause(POLL_MS);
    try {
      state = await api.get(`${path}/${state.id}`);
    } catch (error) {
      if (error.status > 0 && error.status < 500) throw error; // 0: no response came
    }
    report(state);
  }
  return state;
}

async function undoAll(path, actions) {
  for (const { id } of actions.toReversed()) {
    const started = await proved(() => api.post(`${path}/${id}/undo`));
    if (started) await follow(path, started, () => {});
  }
}

/**
 * Do it, and return what to say and how to undo it, or null if the visitor changed their mind.
 * @param {object} what
 * @param {string} what.path of the API's bulk actions
 * @param {object} what.body of the request, without its scope
 * @param {{ids?: number[], filter?: object, total: number}} what.scope
 * @param {(part: number, words: string) => void} what.tell
 * @param {string} what.said "published"
 * @param {string} what.noun "product"
 * @param {string} [what.skipped] why some were left as they are
 */
export async function actOn({ path, body, scope, tell, said, noun, skipped: why }) {
  const finished = [];
  const sum = (name) => finished.reduce((total, action) => total + action[name], 0);
  const words = () => `${plural(sum("changed"), noun)} ${said}.${sum("skipped") && why ? ` ${number(sum("skipped"))} left out: ${why}.` : ""}`;
  const undo = () => {
    const undoable = finished.filter((action) => action.undoable);
    return undoable.length ? () => undoAll(path, undoable) : undefined;
  };
  const report = ({ done }) => tell((sum("done") + done) / scope.total, `${number(sum("done") + done)} of ${number(scope.total)}`);
  try {
    for (const part of scope.ids ? chunks(scope.ids, MAX_IDS).map((ids) => ({ ids })) : [{ filter: scope.filter }]) {
      const started = await proved(() => api.post(path, { ...body, ...part }));
      if (!started) return finished.length ? { words: words(), undo: undo() } : null;
      const action = await follow(path, started, report);
      if (action.status === "failed") throw new ApiError(409, "bulk_action_failed", `${action.error} What had been changed is changed back.`);
      finished.push(action);
    }
  } catch (error) {
    if (!finished.length) throw error;
    return { words: `${words()} Then it stopped: ${error.message}`, undo: undo() };
  }
  return { words: words(), undo: undo() };
}

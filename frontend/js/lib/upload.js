// Files on their way to the API, with how far they are: the one thing that fetch() cannot tell.
import { ApiError } from "./api.js";

const LIMIT = 600_000;

function answerOf(request) {
  try {
    return JSON.parse(request.responseText || "{}");
  } catch {
    return {};
  }
}

function refusal(request) {
  const answer = answerOf(request);
  const words = answer.detail || answer.title || "Something went wrong on our side. Please try again.";
  return new ApiError(request.status, answer.code ?? "error", words, answer.errors ?? {}, answer);
}

const lost = () => (navigator.onLine
  ? new ApiError(0, "unreachable", "The shop could not be reached. Please try again.")
  : new ApiError(0, "offline", "You seem to be offline. Please check your connection and try again."));

/**
 * POST a file as it is. Gives the JSON answer or throws an ApiError.
 * @param {string} path under the API's root, with its query
 * @param {Blob} file
 * @param {{type?: string, progress?: (part: number) => void}} [how] progress is called with 0 … 1
 */
export function upload(path, file, { type = file.type || "application/octet-stream", progress = () => {} } = {}) {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/api/v1${path}`);
    request.timeout = LIMIT;
    request.setRequestHeader("Content-Type", type);
    request.setRequestHeader("Accept", "application/json");
    request.upload.addEventListener("progress", ({ loaded, total }) => progress(total ? loaded / total : 0));
    request.addEventListener("load", () => (request.status < 300 ? done(answerOf(request)) : failed(refusal(request))));
    request.addEventListener("error", () => failed(lost()));
    request.addEventListener("timeout", () => failed(new ApiError(0, "timeout", "The shop takes too long to answer. Please try again.")));
    request.send(file);
  });
}

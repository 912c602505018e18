// The only file that calls fetch.

const ROOT = "/api/v1";
const LIMIT = 10_000;
const FILE_LIMIT = 120_000; // five megabytes over a slow line

const OFFLINE = "You seem to be offline. Please check your connection and try again.";
const SLOW = "The shop takes too long to answer. Please try again.";
const UNREACHABLE = "The shop cannot be reached just now. Please try again.";

/** What went wrong, in words for people. `status` 0 means that no answer came; its codes are offline, timeout and unreachable. */
export class ApiError extends Error {
  /** @param {number} status @param {string} code @param {string} message @param {Record<string, string[]>} fields @param {object} body */
  constructor(status, code, message, fields = {}, body = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.fields = fields;
    this.body = body;
    this.requestId = body.request_id ?? "";
  }
}

function address(path, params) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params ?? {})) {
    if (value !== undefined && value !== null && value !== "" && value !== false) query.set(name, value);
  }
  return ROOT + path + (query.size ? `?${query}` : "");
}

function noAnswer(error) {
  if (error.name === "TimeoutError") return new ApiError(0, "timeout", SLOW);
  return navigator.onLine ? new ApiError(0, "unreachable", UNREACHABLE) : new ApiError(0, "offline", OFFLINE);
}

async function call(method, path, { body, params, key, signal, keepalive, download } = {}) {
  const headers = {};
  const file = body instanceof Blob;
  if (body !== undefined) headers["Content-Type"] = file ? body.type || "application/octet-stream" : "application/json";
  if (key) headers["Idempotency-Key"] = key;
  const limit = AbortSignal.timeout(file || download ? FILE_LIMIT : LIMIT);
  let response;
  let answer;
  try {
    response = await fetch(address(path, params), {
      method,
      headers,
      keepalive,
      credentials: "same-origin",
      body: body === undefined || file ? body : JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
    const text = await response.text();
    answer = text && response.headers.get("Content-Type")?.includes("json") ? JSON.parse(text) : download ? text : {};
  } catch (error) {
    if (signal?.aborted) throw error;
    throw noAnswer(error);
  }
  if (response.ok) return answer;
  const words = answer.detail || answer.title || "Something went wrong on our side. Please try again.";
  throw new ApiError(response.status, answer.code ?? "error", words, answer.errors ?? {}, {
    ...answer,
    request_id: answer.request_id ?? response.headers.get("X-Request-Id") ?? "",
  });
}

/**
 * The shop's API: api.get("/products", {params: {q: "mug"}}), api.post("/orders", body, {key}). Every one gives the JSON answer ({} for
 * none) or throws an ApiError. Options: params (empty values are left out), key (Idempotency-Key), signal, keepalive. A File or Blob is sent as
 * it is; with `download` a text comes as it is.
 */
export const api = {
  get: (path, options) => call("GET", path, options),
  post: (path, body = {}, options) => call("POST", path, { ...options, body }),
  put: (path, body, options) => call("PUT", path, { ...options, body }),
  patch: (path, body, options) => call("PATCH", path, { ...options, body }),
  delete: (path, options) => call("DELETE", path, options),
};

let sessionAsked;

/** Who is here: {user: {...}|null, cart_count}. Asked once a page, and anew with `fresh`. @param {{fresh?: boolean}} [options] */
export function session({ fresh = false } = {}) {
  if (fresh || !sessionAsked) {
    sessionAsked = api.get("/auth/session");
    sessionAsked.catch(() => { sessionAsked = undefined; });
  }
  return sessionAsked;
}

let shopAsked;

/** Name, currency and countries of the shop; asked once a page. */
export function shop() {
  shopAsked ??= api.get("/shop").catch((error) => { shopAsked = undefined; throw error; });
  return shopAsked;
}

/** Where to sign in and come back from. @param {string} [next] a local path */
export const signInAddress = (next = location.pathname + location.search) => `/login?next=${encodeURIComponent(next)}`;

/** The local path of ?next=, else `otherwise`: never another site's. @param {string} otherwise */
export function nextAddress(otherwise = "/") {
  const next = new URLSearchParams(location.search).get("next") ?? "";
  const target = URL.canParse(next, location.origin) ? new URL(next, location.origin) : null;
  return /^\/(?![/\\])/.test(next) && target?.origin === location.origin ? target.pathname + target.search + target.hash : otherwise;
}

/** The first data that the server wrote into the page, or null. */
export function firstData() {
  const block = document.querySelector("script#data");
  return block ? JSON.parse(block.textContent) : null;
}

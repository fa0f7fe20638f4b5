// @ts-check
// The one door to the service: every request of the page goes through `request`.
import { either } from "./i18n.js";
import { get, set } from "./store.js";

// 503s that waiting does not heal.
const LASTING = ["bundle_invalid", "inference_failed"];

/** A refusal. `status` 0 means that the service could not be reached. */
export class ApiError extends Error {
  /** @type {number} */ status;
  /** @type {string} */ code;
  /** @type {string} */ zh;
  /** @type {string} */ en;
  /** @type {number | null} */ retryAfter;
  /** @type {string | null} */ requestId;

  constructor({ status, code, zh, en, retryAfter = null, requestId = null }) {
    super(en);
    Object.assign(this, { status, code, zh, en, retryAfter, requestId });
  }

  /** The message in the language of the page. */
  get text() {
    return either(this.zh, this.en);
  }

  /** True where the same request may succeed a little later. */
  get passing() {
    return [0, 429, 502, 503, 504].includes(this.status) && !LASTING.includes(this.code);
  }
}

const unreachable = () =>
  new ApiError({
    status: 0,
    code: "unreachable",
    zh: "连不上服务。它可能正在重启，恢复后会自动继续。",
    en: "The service cannot be reached. It may be restarting; this page goes on when it is back.",
  });

async function refusal(response) {
  /** @type {any} */
  let error = {};
  try {
    error = (await response.json()).error ?? {};
  } catch {
    // Something between the page and the service answered; the status is all there is.
  }
  const after = Number.parseFloat(response.headers.get("Retry-After"));
  return new ApiError({
    status: response.status,
    code: error.code ?? `http_${response.status}`,
    zh: error.message ?? `服务答复了错误 ${response.status}。`,
    en: error.message_en ?? error.message ?? `The service answered with error ${response.status}.`,
    retryAfter: Number.isFinite(after) ? after : null,
    requestId: error.request_id ?? response.headers.get("X-Request-ID"),
  });
}

/**
 * Sends one request, a `body` as JSON or a `file` as it is; resolves to the Response, rejects with ApiError or an AbortError.
 * @param {string} path
 * @param {{method?: string, body?: unknown, file?: Blob, signal?: AbortSignal, accept?: string}} [options]
 */
export async function request(path, { method = "GET", body, file, signal, accept } = {}) {
  const headers = accept ? { Accept: accept } : {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (file !== undefined) headers["Content-Type"] = "application/octet-stream";
  if (get("key")) headers.Authorization = `Bearer ${get("key")}`;
  let response;
  try {
    response = await fetch(new URL(path, document.baseURI), {
      method,
      headers,
      body: body === undefined ? file : JSON.stringify(body),
      signal,
      cache: "no-store",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    set("connected", false);
    throw unreachable();
  }
  set("connected", true);
  if (!response.ok) throw await refusal(response);
  return response;
}

/** @param {string} path @param {Parameters<typeof request>[1]} [options] */
export const json = async (path, options) => (await request(path, options)).json();

/** Where a task is asked; names follow the routes of the service. */
export const route = (task) => `v1/${task === "feature-extraction" ? "embeddings" : task}`;

export const ask = (task, body, signal) => json(route(task), { method: "POST", body, signal });

/** The answers to many texts, each as soon as it is there: `{index, result}` or `{index, error}`. */
export async function* stream(task, body, signal) {
  const accept = "application/x-ndjson";
  const response = await request(route(task), { method: "POST", body, signal, accept });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const whole = (rest + value).split("\n");
      rest = whole.pop();
      yield* whole.map((line) => JSON.parse(line));
    }
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw unreachable();
  }
}

/** Refreshes the list of models in the store; returns it. */
export async function models(signal) {
  const answer = await json("v1/models", { signal });
  set("models", answer.models ?? answer.data ?? []);
  return get("models");
}

export const offers = (task) => get("models").some((model) => model.tasks?.includes(task));

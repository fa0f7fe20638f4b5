// @ts-check
// A client of the service for browsers, Node, Deno and Bun: the methods of the Python client.
//
//   import { Qingyu } from "http://127.0.0.1:8000/client.js";
//   const qingyu = new Qingyu();
//   (await qingyu.fillMask("今天天气真[MASK]啊。")).sequence;

/** A refusal. `code` is the service's, or "unreachable", "foreign_origin", "timeout" or
 * "unreadable_answer" where the service itself said nothing. `message` is in the language asked for. */
export class QingyuError extends Error {
  /** @param {{code: string, zh: string, en: string, status?: number, index?: number,
   *   retryAfter?: number, requestId?: string}} told
   *  @param {string} language */
  constructor(told, language) {
    super(language === "zh" ? told.zh : told.en);
    this.name = "QingyuError";
    this.code = told.code;
    this.zh = told.zh;
    this.en = told.en;
    this.status = told.status ?? 0;
    this.index = told.index; // which of several texts, from 0
    this.retryAfter = told.retryAfter; // seconds, where the service is busy
    this.requestId = told.requestId; // for the operator's log
  }
}

/** A service. Methods take a text and answer with a result, or a list of texts (256 at most) and
 * answer with a list. `options` are the fields of the request as the manual's HTTP page has them. */
export class Qingyu {
  /** @param {string} [url] of the service; where this file came from
   *  @param {{key?: string, model?: string, timeout?: number, language?: "zh" | "en"}} [options]
   *  `timeout` in milliseconds; `language` is that of messages, the browser's otherwise */
  constructor(url = new URL(".", import.meta.url).href, options = {}) {
    const { key = "", model = null, timeout = 60_000, language } = options;
    this.url = url.replace(/\/+$/, "");
    this.model = model;
    this.timeout = timeout;
    this.language = language ?? (globalThis.navigator?.language?.startsWith("zh") ? "zh" : "en");
    this._headers = { "Content-Type": "application/json", ...(key && { Authorization: `Bearer ${key}` }) };
  }

  fillMask(text, options = {}) {
    return this.ask("fill-mask", { text, ...options });
  }

  score(text, options = {}) {
    return this.ask("score", { text, ...options });
  }

  check(text, options = {}) {
    return this.ask("check", { text, ...options });
  }

  zeroShot(text, candidate_labels, options = {}) {
    return this.ask("zero-shot-classification", { text, candidate_labels, ...options });
  }

  classify(text, options = {}) {
    return this.ask("text-classification", { text, ...options });
  }

  similarity(text, text_pair, options = {}) {
    return this.ask("sentence-similarity", { text, text_pair, ...options });
  }

  /** `texts` in the order of how near they are to `query`, one text. */
  rank(query, texts, options = {}) {
    return this.ask("sentence-similarity", { query, texts, ...options }, query);
  }

  tokenClassification(text, options = {}) {
    return this.ask("token-classification", { text, ...options });
  }

  ner(text, options = {}) {
    return this.tokenClassification(text, options);
  }

  embed(text, options = {}) {
    return this.ask("embeddings", { text, ...options });
  }

  /** Vectors of length 1. */
  async encode(text) {
    const found = await this.embed(text);
    return Array.isArray(text) ? found.map((one) => one.embedding) : found.embedding;
  }

  text2text(text, options = {}) {
    return this.ask("text2text-generation", { text, ...options });
  }

  exercise(text, options = {}) {
    return this.ask("exercise", { text, ...options });
  }

  search(index, text, options = {}) {
    return this.ask("search", { index, text, ...options });
  }

  /** The models of the service, with their tasks. */
  async models() {
    return (await this.request("GET", "/v1/models")).models;
  }

  /** One request of a task, by its name in the address.
   * @param {string} task
   * @param {Record<string, any>} body
   * @param {any} [asked] a list where the answer should be one
   * @returns {Promise<any>} */
  async ask(task, body, asked = body.text) {
    const { results } = await this.request("POST", `/v1/${task}`, { model: this.model, ...body });
    if (!Array.isArray(results)) throw this._strange(200);
    return Array.isArray(asked) ? results : results[0];
  }

  /** Any request of the service.
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @returns {Promise<any>} what its JSON says. Throws QingyuError. */
  async request(method, path, body) {
    let response, text;
    try {
      response = await fetch(this.url + path, {
        method,
        headers: this._headers,
        body: body && JSON.stringify(body),
        signal: AbortSignal.timeout(this.timeout),
      });
      text = await response.text();
    } catch (failure) {
      throw await this._failure(failure);
    }
    let told;
    try {
      told = JSON.parse(text);
    } catch {
      throw this._strange(response.status);
    }
    if (response.ok) return told;
    const { error } = told;
    if (!error?.code) throw this._strange(response.status);
    const after = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
    throw this._error({
      code: error.code,
      zh: error.message,
      en: error.message_en,
      status: response.status,
      index: error.index,
      retryAfter: Number.isNaN(after) ? undefined : after,
      requestId: error.request_id,
    });
  }

  /** Why nothing came back. A browser tells a page of another origin that was refused no more than
   * one that got no connection; but a request whose answer it may not read tells them apart. */
  async _failure(failure) {
    if (failure.name === "TimeoutError") {
      const seconds = this.timeout / 1000;
      return this._error({
        code: "timeout",
        zh: `${seconds} 秒内没有答复。`,
        en: `No answer within ${seconds} seconds.`,
      });
    }
    const origin = globalThis.location?.origin;
    if (origin && origin !== new URL(this.url, origin).origin) {
      const there = await fetch(`${this.url}/health/live`, { mode: "no-cors" }).catch(() => null);
      if (there) {
        return this._error({
          code: "foreign_origin",
          zh: `服务不允许 ${origin} 的网页使用。请管理员加上 --cors-origins ${origin}。`,
          en: `The service does not let pages of ${origin} use it; its operator can, by --cors-origins ${origin}.`,
        });
      }
    }
    return this._error({
      code: "unreachable",
      zh: `连不上 ${this.url}。服务可用 qingyu serve 启动。`,
      en: `Cannot reach ${this.url}. Start a service with qingyu serve.`,
    });
  }

  _strange(status) {
    return this._error({
      code: "unreadable_answer",
      status,
      zh: `答复不是轻语服务的 (${status})，请检查地址和途中的代理。`,
      en: `The answer (${status}) is not one of Qingyu's service; check the address and proxies between.`,
    });
  }

  _error(told) {
    return new QingyuError(told, this.language);
  }
}

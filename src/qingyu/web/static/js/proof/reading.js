// @ts-check
// A text read line by line: each line has its answer, found again by what the line says.
//
// So what is shown can only belong to the text that stands there: a line that has changed has no
// answer until it has been read anew.
import * as api from "../api.js";

export const LONGEST = 20_000; // characters of a text that are read
const MOST_KEPT = 4000; // lines whose answers are kept

/** Lines of `text` with the place in it, in UTF-16 units, at which each begins. */
export function lines(text) {
  let start = 0;
  return text.split("\n").map((line) => {
    const one = { text: line, start };
    start += line.length + 1;
    return one;
  });
}

/** A suspect of the service with its place in UTF-16 units and how it is called among others. */
function suspect(one, text) {
  const points = [...text];
  const start = points.slice(0, one.start).join("").length;
  const end = start + points.slice(one.start, one.end).join("").length;
  const { reason, confidence, candidates } = one;
  return { text: text.slice(start, end), start, end, reason, confidence, candidates };
}

export class Reading {
  /** @type {() => void} called when an answer has come */ onchange;
  /** @type {(error: api.ApiError) => void} */ ontrouble;
  #answers = new Map(); // line -> {suspects, stale, trouble}
  #asked = null;
  #options = "";
  /** Lines not read yet, and all that are to be read. */
  left = 0;
  total = 0;

  /** `onchange()` hears of each line read; `ontrouble(error)` of a reading that broke off. */
  constructor({ onchange, ontrouble }) {
    Object.assign(this, { onchange, ontrouble });
  }

  /** The answer to a line, or undefined. */
  of(line) {
    return this.#answers.get(line);
  }

  get busy() {
    return this.#asked !== null;
  }

  /** Takes an answer over to what a line has become, until it is read anew. */
  carry(line, changed, start, end, put) {
    const grown = put.length - (end - start);
    const suspects = (this.of(line)?.suspects ?? [])
      .filter((one) => one.end <= start || one.start >= end)
      .map((one) => (one.start < end ? one : { ...one, start: one.start + grown, end: one.end + grown }));
    if (!this.of(changed)) this.#answers.set(changed, { suspects, stale: true });
  }

  stop() {
    this.#asked?.abort();
    this.#asked = null;
  }

  /** Reads what of the lines has no answer yet; other `options` make all answers void. */
  async read(wanted, options) {
    this.stop();
    if (JSON.stringify(options) !== this.#options) this.#answers.clear();
    this.#options = JSON.stringify(options);
    const here = [...new Set(wanted.filter((line) => line.trim()))];
    if (this.#answers.size > MOST_KEPT)
      for (const line of [...this.#answers.keys()].filter((one) => !here.includes(one)))
        this.#answers.delete(line);
    const settled = (answer) => answer && !answer.stale && !answer.trouble;
    const open = here.filter((line) => !settled(this.of(line)));
    [this.left, this.total] = [open.length, here.length];
    if (open.length === 0) return this.onchange();
    const mine = (this.#asked = new AbortController());
    this.onchange();
    try {
      for await (const said of api.stream("check", { text: open, ...options }, mine.signal)) {
        if (this.#asked !== mine) return undefined;
        if (said.index === undefined) continue;
        const line = open[said.index];
        const suspects = said.result?.suspects.map((one) => suspect(one, line)) ?? [];
        this.#answers.set(line, { suspects, script: said.result?.script, trouble: said.error });
        this.left -= 1;
        this.onchange();
      }
      if (this.#asked === mine) this.#asked = null;
    } catch (error) {
      if (this.#asked !== mine) return undefined;
      this.#asked = null;
      if (!(error instanceof api.ApiError)) throw error;
      this.ontrouble(error);
    }
    return this.onchange();
  }
}

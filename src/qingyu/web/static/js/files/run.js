// @ts-check
// Runs a job: chunk by chunk through the service, patient with a busy or absent one.
import * as api from "../api.js";
import * as jobs from "./jobs.js";
import { FILE_TASKS, input } from "./tasks.js";

const FIRST_WAIT = 0.5; // seconds, doubled up to LONGEST_WAIT while the service stays away
const LONGEST_WAIT = 15;

const EMPTY = { error: { zh: "这一行没有文本。", en: "This row has no text." } };

/** Errors that every further row would meet as well: the job pauses on them. */
const fatal = (error) => [401, 403, 404, 405].includes(error.status) || error.code === "bundle_invalid";

function sleep(seconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, seconds * 1000);
    signal.addEventListener("abort", stop, { once: true });
  });
}

/** Rows in groups of at most `most` characters, so that no request comes near its deadline. */
function portions(rows, texts, most) {
  const groups = [];
  let room = 0;
  for (const i of rows) {
    const size = String(texts[i]).length;
    if (groups.length === 0 || size > room) {
      groups.push([]);
      room = most;
    }
    groups.at(-1).push(i);
    room -= size;
  }
  return groups;
}

/**
 * One result or `{error: {zh, en}}` a text. `waiting(error, seconds)` hears of each wait.
 * @param {string} task
 * @param {any} options
 * @param {any[]} texts
 * @param {{signal: AbortSignal, waiting?: (error: api.ApiError, seconds: number) => void}} how
 */
export async function answer(task, options, texts, { signal, waiting = () => {} }) {
  const out = texts.map((text) => ([text].flat().every((part) => part.trim()) ? null : EMPTY));
  const asked = texts.flatMap((text, i) => (out[i] ? [] : [i]));
  const settle = async (rows) => {
    if (rows.length === 0) return;
    let wait = FIRST_WAIT;
    for (;;) {
      try {
        const asking = rows.length === 1 ? texts[rows[0]] : rows.map((i) => texts[i]);
        const body = FILE_TASKS[task].body(asking, options);
        const { results } = await api.ask(task, body, signal);
        rows.forEach((i, n) => {
          out[i] = results[n];
        });
        return;
      } catch (error) {
        if (!(error instanceof api.ApiError) || fatal(error)) throw error;
        // What did not finish in time may in halves; anything else that passes is waited for.
        if (error.passing && (error.code !== "deadline_exceeded" || rows.length === 1)) {
          const seconds = Math.min(error.retryAfter ?? wait, 60);
          waiting(error, seconds);
          await sleep(seconds, signal);
          wait = Math.min(wait * 2, LONGEST_WAIT);
        } else if (rows.length === 1) {
          out[rows[0]] = { error: { zh: error.zh, en: error.en } };
          return;
        } else {
          // One bad text refuses the whole list; halves find it and spare the rest.
          const middle = rows.length >> 1;
          await settle(rows.slice(0, middle));
          await settle(rows.slice(middle));
          return;
        }
      }
    }
  };
  for (const rows of portions(asked, texts, FILE_TASKS[task].most)) await settle(rows);
  return out;
}

/** Tells of jobs: "job" events with `{job, note}`; `note` is an error waited on, or "elsewhere". */
export const news = new EventTarget();

const runs = new Map();

/** The run of a job in this page, if there is one; it goes on whatever view is open. */
export const running = (id) => runs.get(id);

/** Starts or continues a job. */
export function start(job) {
  if (!runs.has(job.id)) runs.set(job.id, new Run(job));
}

class Run {
  #stop = new AbortController();
  #end = "paused";

  constructor(job) {
    this.job = job;
    this.#held().finally(() => {
      runs.delete(job.id);
      this.#tell(this.trouble ?? null);
    });
  }

  pause() {
    this.#stop.abort(new DOMException("paused", "AbortError"));
  }

  cancel() {
    this.#end = "cancelled";
    this.pause();
  }

  #tell(note) {
    news.dispatchEvent(new CustomEvent("job", { detail: { job: this.job, note } }));
  }

  /** One tab works on a job at a time, where the browser can tell. */
  async #held() {
    if (!navigator.locks) return this.#work();
    return navigator.locks.request(`qingyu-job-${this.job.id}`, { ifAvailable: true }, (lock) => {
      if (lock) return this.#work();
      this.trouble = "elsewhere";
      return undefined;
    });
  }

  async #work() {
    const { job } = this;
    const signal = this.#stop.signal;
    const waiting = (error) => this.#tell(error);
    let since = performance.now();
    job.state = "running";
    this.#tell(null);
    try {
      for (let n = jobs.first(job); n < jobs.chunks(job) && !signal.aborted; n += 1) {
        const part = await jobs.chunk(job, n);
        const texts = part.rows.map((row) => input(row, job.column, job.options));
        part.out = await answer(job.task, job.options, texts, { signal, waiting });
        job.done += part.rows.length;
        job.failed += part.out.filter((r) => r.error).length;
        job.spent += performance.now() - since;
        since = performance.now();
        if (job.done === job.total) job.state = "done";
        await jobs.commit(job, part);
        this.#tell(null);
      }
    } catch (error) {
      if (error.name !== "AbortError") this.trouble = error;
    }
    if (job.state === "running") job.state = this.#end;
    await jobs.save(job);
  }
}

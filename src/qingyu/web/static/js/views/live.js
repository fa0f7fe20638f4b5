// @ts-check
// Live figures: what the service counts, as small charts.
import * as api from "../api.js";
import { h, replace } from "../dom.js";
import { bytes, count, millis } from "../format.js";
import { t } from "../i18n.js";
import { grown, parse, quantile, total } from "../metrics.js";
import "../parts/chart.js";
import { trouble } from "../parts/notice.js";

const PERIOD = 2000; // ms between readings
const ROOM = 61; // readings kept: two minutes
const SECONDS = "qingyu_request_seconds";

// The page's own reading of the counters is not work.
const work = ({ path }) => path !== "/metrics";
const rate = (name, keep) => (a, b, seconds) => grown(a, b, name, keep) / seconds;
const ratio = (part, whole) => (whole > 0 ? part / whole : null);
const whole = (v) => (v < 10 ? v.toFixed(1).replace(/\.0$/, "") : count(Math.round(v)));
const share = (v) => `${Math.round(v * 100)}%`; // of a whole that a batch may go beyond
const lasting = (v) => millis(v * 1000);

// id -> how a value comes of two readings, how it is written, and what stands beside it
const FIGURES = {
  requests: {
    value: rate("qingyu_requests_total", work),
    form: (v) => `${whole(v)} ${t("live.requests.unit")}`,
    aside: (_, b) => {
      const refused = total(b, "qingyu_refused_total");
      return refused ? t("live.refused", { n: count(refused) }) : "";
    },
  },
  latency: {
    value: (a, b) => quantile(a, b, SECONDS, 0.95),
    form: lasting,
    aside: (a, b) => {
      const median = quantile(a, b, SECONDS, 0.5);
      return median === null ? "" : t("live.median", { value: lasting(median) });
    },
  },
  tokens: { value: rate("qingyu_batch_tokens_total"), form: (v) => `${whole(v)} ${t("live.tokens.unit")}` },
  batch: {
    value: (a, b) => ratio(grown(a, b, "qingyu_batch_tokens_total"), grown(a, b, "qingyu_batches_total")),
    form: whole,
    aside: (_, b) => t("live.fill", { value: share(total(b, "qingyu_batch_fill")) }),
  },
  cache: {
    value: (a, b) =>
      ratio(
        grown(a, b, "qingyu_cache_hits_total"),
        grown(a, b, "qingyu_cache_hits_total") + grown(a, b, "qingyu_cache_misses_total"),
      ),
    form: share,
    ceiling: 1,
    aside: (_, b) => bytes(total(b, "qingyu_cache_bytes")),
  },
  queue: {
    value: (_, b) => total(b, "qingyu_queue_tokens"),
    form: whole,
    aside: (_, b) => t("live.queue.limit", { value: count(total(b, "qingyu_queue_limit_tokens")) }),
  },
  busy: {
    value: (a, b, seconds) => Math.min(1, grown(a, b, "qingyu_busy_seconds_total") / seconds),
    form: share,
    ceiling: 1,
  },
  memory: { value: (_, b) => total(b, "qingyu_resident_bytes"), form: bytes },
};

class Live extends HTMLElement {
  #timer = 0;
  #stop = new AbortController();
  #before = null;
  #history = Object.fromEntries(Object.keys(FIGURES).map((id) => [id, []]));
  #note = h("div");

  connectedCallback() {
    this.charts = Object.keys(FIGURES).map((id) => {
      const chart = h("qy-chart", { class: "card" });
      chart.name = t(`live.${id}`);
      return [id, chart];
    });
    replace(
      this,
      h(
        "div",
        { class: "view-head" },
        h("div", null, h("h1", null, t("live.title")), h("p", null, t("live.about"))),
      ),
      this.#note,
      h(
        "div",
        { class: "charts" },
        this.charts.map(([, chart]) => chart),
      ),
    );
    this.#read();
  }

  disconnectedCallback() {
    clearTimeout(this.#timer);
    this.#stop.abort();
  }

  async #read() {
    clearTimeout(this.#timer);
    try {
      if (!document.hidden) {
        const answer = await api.request("metrics", { signal: this.#stop.signal });
        this.#take({ at: performance.now(), reading: parse(await answer.text()) });
        replace(this.#note);
      }
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof api.ApiError)) throw error;
      replace(
        this.#note,
        trouble(error, () => this.#read()),
      );
      if (!error.passing) return;
    }
    this.#timer = setTimeout(() => this.#read(), PERIOD);
  }

  #take(now) {
    const before = this.#before ?? now;
    const first = this.#before === null;
    this.#before = now;
    const seconds = (now.at - before.at) / 1000;
    for (const [id, chart] of this.charts) {
      const { value, form, ceiling, aside } = FIGURES[id];
      const kept = this.#history[id];
      if (!first) kept.push(value(before.reading, now.reading, seconds));
      if (kept.length > ROOM) kept.shift();
      chart.show(kept, {
        room: ROOM,
        period: PERIOD,
        form,
        ceiling,
        aside: aside?.(before.reading, now.reading),
      });
    }
  }
}

customElements.define("view-live", Live);

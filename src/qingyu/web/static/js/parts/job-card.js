// @ts-check
// <qy-job>: one job with its progress, rate, time left, errors, and what one can do with it.
import { button, h, iconButton, replace } from "../dom.js";
import { labelStudio } from "../files/label-studio.js";
import { clock, count, when } from "../format.js";
import * as jobs from "../files/jobs.js";
import { download, FORMATS } from "../files/results.js";
import { running, start } from "../files/run.js";
import { either, t } from "../i18n.js";
import { copyButton } from "./copy.js";
import "./results.js";

const WINDOW = 8000; // ms over which the rate is taken
const SHOWN = 50; // errors listed

class JobCard extends HTMLElement {
  /** @type {any} */ job;
  #samples = [];
  #state = h("span", { class: "tag" });
  #bar = h(
    "div",
    { class: "progress", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 },
    h("span"),
  );
  #figures = h("p", { class: "small muted num" });
  #note = h("p", { class: "small wait", role: "status" });
  #acts = h("div", { class: "row" });
  #errors = h("details", { class: "fold" });
  #results = h("div", { class: "stack" });
  #drawn = "";

  connectedCallback() {
    const { job } = this;
    this.#bar.setAttribute("aria-label", job.name);
    const drop = iconButton(t("job.remove"), "close", { class: "push", onclick: () => this.#remove() });
    replace(
      this,
      h(
        "article",
        { class: "card job" },
        h(
          "div",
          { class: "row" },
          h("h2", null, job.name),
          this.#state,
          h("span", { class: "small muted" }, `${t(`task.${job.task}`)} · ${when(job.created)}`),
          drop,
        ),
        this.#bar,
        this.#figures,
        this.#note,
        this.#acts,
        this.#results,
        this.#errors,
      ),
    );
    this.#errors.append(h("summary"));
    this.#errors.addEventListener("toggle", () => this.#errors.open && this.#list());
    this.update(null);
  }

  /** Shows the job as it now is; `note` is an error waited on, "elsewhere" or null. */
  update(note) {
    const { job } = this;
    const live = running(job.id) !== undefined;
    // A job found "running" that nobody runs was left by a page that closed.
    const state = job.state === "running" && !live ? "paused" : job.state;
    const share = job.total ? job.done / job.total : 1;
    this.#bar.style.setProperty("--share", String(share));
    this.#bar.setAttribute("aria-valuenow", String(Math.floor(share * 100)));
    replace(this.#state, t(`job.${state}`));
    this.#state.className = `tag ${state}`;
    replace(this.#figures, this.#words(live));
    replace(
      this.#note,
      note === "elsewhere"
        ? t("job.elsewhere")
        : note && `${note.text ?? note.message}${live ? t("job.waiting") : ""}`,
    );
    this.#errors.hidden = job.failed === 0;
    replace(this.#errors.firstChild, t("job.errors", { n: count(job.failed) }));
    if (this.#drawn !== `${state}${live}`) this.#buttons(state, live);
    this.#drawn = `${state}${live}`;
  }

  #words(live) {
    const { job } = this;
    const words = [t("job.rows", { done: count(job.done), total: count(job.total) })];
    const now = performance.now();
    if (!live) this.#samples = [];
    else this.#samples = [...this.#samples.filter(([at]) => now - at < WINDOW), [now, job.done]];
    const [at, done] = this.#samples[0] ?? [];
    const rate = now - at > 300 ? ((job.done - done) / (now - at)) * 1000 : 0;
    if (live && rate > 0)
      words.push(
        t("job.rate", { rate: count(Math.round(rate)) }),
        t("job.left", { left: clock((job.total - job.done) / rate) }),
      );
    else if (!live && job.spent > 0)
      words.push(
        t("job.rate", { rate: count(Math.round((job.done / job.spent) * 1000)) }),
        clock(job.spent / 1000),
      );
    return words.join(" · ");
  }

  #buttons(state, live) {
    const { job } = this;
    const save = (format) =>
      button(format.toUpperCase(), {
        icon: "down",
        "aria-label": t("job.download", { format: format.toUpperCase() }),
        onclick: () => download(job, format),
      });
    replace(
      this.#acts,
      live && button(t("job.pause"), { icon: "pause", onclick: () => running(job.id)?.pause() }),
      state === "paused" &&
        button(t("job.continue"), { icon: "play", kind: "primary", onclick: () => start(job) }),
      (live || state === "paused") &&
        button(t("job.cancel"), { kind: "danger", onclick: () => this.#cancel() }),
      !live &&
        job.done > 0 && [
          button(t("job.results"), { icon: "classify", kind: "primary", onclick: () => this.#look() }),
          FORMATS.map(save),
          button("Label Studio", { icon: "down", onclick: () => this.#labelStudio() }),
        ],
    );
    replace(this.#results);
  }

  /** The answers on the card, or away again. */
  async #look() {
    if (this.#results.querySelector("qy-results")) return replace(this.#results);
    const results = /** @type {any} */ (h("qy-results"));
    await results.open(this.job);
    return replace(this.#results, results);
  }

  async #labelStudio() {
    await download(this.job, "json");
    const { config } = await labelStudio(this.job);
    replace(
      this.#results,
      h("p", { class: "small muted" }, t("job.studio")),
      h("pre", { tabindex: 0 }, h("code", null, config)),
      h(
        "div",
        { class: "row" },
        copyButton(() => config),
      ),
    );
  }

  async #cancel() {
    const run = running(this.job.id);
    if (run) return run.cancel();
    this.job.state = "cancelled";
    await jobs.save(this.job);
    return this.update(null);
  }

  async #remove() {
    if (running(this.job.id)) await this.#cancel();
    await jobs.remove(this.job.id);
    this.remove();
  }

  /** The first errors with the row they stand in; row 1 is the first row of data. */
  async #list() {
    const lines = [];
    for (let n = 0; n < jobs.chunks(this.job) && lines.length < SHOWN; n += 1) {
      const { rows, out } = await jobs.chunk(this.job, n);
      const base = n * jobs.SIZE;
      for (const [i, result] of (out ?? []).entries()) {
        if (result.error)
          lines.push(
            h(
              "li",
              null,
              h("b", { class: "num" }, t("job.row", { n: base + i + 1 })),
              ` ${either(result.error.zh, result.error.en)} `,
              h("q", null, rows[i][this.job.column].slice(0, 40)),
            ),
          );
      }
    }
    replace(
      this.#errors,
      this.#errors.firstChild,
      h("ul", { class: "error-list small" }, lines.slice(0, SHOWN)),
    );
  }
}

customElements.define("qy-job", JobCard);

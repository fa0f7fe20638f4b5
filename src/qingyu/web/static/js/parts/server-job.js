// @ts-check
// <qy-server-job>: a job that the service works on, read every two seconds until it has ended.
import * as api from "../api.js";
import { button, h, iconButton, replace } from "../dom.js";
import * as server from "../files/server.js";
import { clock, count, when } from "../format.js";
import { either, t } from "../i18n.js";

const PERIOD = 2000; // ms between readings
const ENDED = ["done", "failed", "cancelled"];

class ServerJob extends HTMLElement {
  /** @type {any} */ job;
  #timer = 0;
  #stop = new AbortController();
  #state = h("span", { class: "tag" });
  #bar = h(
    "div",
    { class: "progress", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 },
    h("span"),
  );
  #figures = h("p", { class: "small muted num" });
  #note = h("p", { class: "small wait", role: "status" });
  #acts = h("div", { class: "row" });

  connectedCallback() {
    const { job } = this;
    this.#bar.setAttribute("aria-label", job.name);
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
          h("span", { class: "tag" }, t("server.where")),
          h("span", { class: "small muted" }, `${t(`task.${job.task}`)} · ${when(job.created * 1000)}`),
          iconButton(t("job.remove"), "close", { class: "push", onclick: () => this.#remove() }),
        ),
        this.#bar,
        this.#figures,
        this.#note,
        this.#acts,
      ),
    );
    this.#show();
  }

  disconnectedCallback() {
    clearTimeout(this.#timer);
    this.#stop.abort();
  }

  #show() {
    const { job } = this;
    const name = { queued: "running", uploading: "running", failed: "cancelled" }[job.state] ?? job.state;
    this.#bar.style.setProperty("--share", String(job.progress));
    this.#bar.setAttribute("aria-valuenow", String(Math.floor(job.progress * 100)));
    replace(this.#state, t(`job.${job.state}`));
    this.#state.className = `tag ${name}`;
    const words = [t("server.rows", { n: count(job.rows) })];
    if (job.rows_per_second) words.push(t("job.rate", { rate: count(Math.round(job.rows_per_second)) }));
    if (job.seconds_left) words.push(t("job.left", { left: clock(job.seconds_left) }));
    if (job.failed) words.push(t("job.errors", { n: count(job.failed) }));
    replace(this.#figures, words.join(" · "));
    replace(this.#note, job.error && either(job.error.message, job.error.message_en));
    const act = (id, icon, kind = "") =>
      button(t(`job.${id}`), { icon, kind, onclick: () => this.#move(id) });
    const form = job.output.toUpperCase();
    const save = () => this.#try(() => server.download(job));
    replace(
      this.#acts,
      ["queued", "running"].includes(job.state) && act("pause", "pause"),
      ["paused", "failed"].includes(job.state) && act("continue", "play", "primary"),
      !ENDED.includes(job.state) && act("cancel", undefined, "danger"),
      job.state === "done" &&
        button(form, { icon: "down", "aria-label": t("job.download", { format: form }), onclick: save }),
    );
    clearTimeout(this.#timer);
    if (!ENDED.includes(job.state) && job.state !== "paused")
      this.#timer = setTimeout(() => this.#try(() => this.#read()), PERIOD);
  }

  async #read() {
    this.job = await server.one(this.job.id, this.#stop.signal);
    this.#show();
  }

  async #move(id) {
    await this.#try(async () => {
      this.job = await server.move(this.job.id, id === "continue" ? "resume" : id);
      this.#show();
    });
  }

  async #remove() {
    await this.#try(async () => {
      if (!ENDED.includes(this.job.state)) await server.move(this.job.id, "cancel");
      await server.remove(this.job.id);
      this.remove();
    });
  }

  /** Does something with the service; a refusal is told on the card, and what passes is tried again. */
  async #try(act) {
    try {
      await act();
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof api.ApiError)) throw error;
      replace(this.#note, error.text);
      if (error.passing) this.#timer = setTimeout(() => this.#try(() => this.#read()), PERIOD);
    }
  }
}

customElements.define("qy-server-job", ServerJob);

// @ts-check
// Files: drop one, choose column and task, see the first rows answered, run it, find it again.
import * as api from "../api.js";
import { h, replace } from "../dom.js";
import { FileError } from "../files/decode.js";
import * as jobs from "../files/jobs.js";
import { news, running, start } from "../files/run.js";
import * as server from "../files/server.js";
import { readTable } from "../files/table.js";
import { t } from "../i18n.js";
import "../parts/draft.js";
import "../parts/drop.js";
import "../parts/job-card.js";
import { trouble } from "../parts/notice.js";
import "../parts/server-job.js";
import { get } from "../store.js";

const words = (error) =>
  error instanceof FileError ? t(error.text.name, error.text.values) : (error.text ?? t("file.unknown"));

class Files extends HTMLElement {
  #draft = h("div");
  #list = h("div", { class: "stack" });
  #wanted = { task: undefined, head: undefined };

  /** A link may say with which task and head to begin. */
  restore({ task, head }) {
    this.#wanted = { task, head };
  }

  async connectedCallback() {
    const drop = h("qy-drop", { onfile: (e) => this.#open(e.detail) });
    replace(
      this,
      h(
        "div",
        { class: "view-head" },
        h("div", null, h("h1", null, t("files.title")), h("p", null, t("files.about"))),
      ),
      h("div", { class: "stack roomy" }, drop, this.#draft, this.#list),
    );
    this.hear = (/** @type {any} */ { detail: { job, note } }) =>
      /** @type {any} */ (this.querySelector(`[data-job="${job.id}"]`))?.update(note);
    news.addEventListener("job", this.hear);
    await this.#show();
  }

  disconnectedCallback() {
    news.removeEventListener("job", this.hear);
  }

  async #show() {
    const theirs = await this.#served();
    const found = await jobs.list(); // last, so that a short job is not shown as it was before
    const card = (job) => {
      const node = h("qy-job", { "data-job": job.id });
      node.job = running(job.id)?.job ?? job;
      return node;
    };
    const there = (job) => {
      const node = /** @type {any} */ (h("qy-server-job"));
      node.job = job;
      return { at: job.created * 1000, node };
    };
    const all = [...found.map((job) => ({ at: job.created, node: card(job) })), ...theirs.map(there)];
    replace(
      this.#list,
      all.length > 0 && h("h2", { class: "section" }, t("files.jobs")),
      all.sort((a, b) => b.at - a.at).map(({ node }) => node),
    );
  }

  /** The jobs that the service has of us; none where it takes none, or cannot be asked now. */
  async #served() {
    try {
      const { jobs: theirs, enabled } = await server.list();
      this.server = enabled;
      return theirs;
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      return [];
    }
  }

  #fail(error, retry) {
    if (retry && error instanceof api.ApiError) return replace(this.#draft, trouble(error, retry));
    return replace(
      this.#draft,
      h("div", { class: "notice bad", role: "alert" }, h("div", null, h("p", null, words(error)))),
    );
  }

  async #open(file, how = {}) {
    this.setAttribute("aria-busy", "true");
    try {
      if (get("models").length === 0) await api.models();
      const table = await readTable(file, { ...how, beginning: this.server });
      const task = this.draft?.work.task ?? this.#wanted.task;
      const head = this.draft?.work.options.head ?? this.#wanted.head;
      this.draft = h("qy-draft", {
        onstart: () => this.#start(),
        onclose: () => this.#close(),
        onreopen: (e) => this.#open(file, e.detail),
      });
      this.draft.open({ file, how, table, task, head, server: this.server });
      replace(this.#draft, this.draft);
    } catch (error) {
      this.draft = null;
      this.#fail(error);
    } finally {
      this.removeAttribute("aria-busy");
    }
  }

  #close() {
    this.draft = null;
    replace(this.#draft);
  }

  async #start() {
    const { work } = this.draft;
    try {
      if (work.there) {
        this.draft.go.disabled = true;
        await server.create(work);
        this.#close();
        return await this.#show();
      }
      const job = await jobs.create(this.draft.job);
      this.#close();
      start(job);
      return await this.#show();
    } catch (error) {
      if (error instanceof api.ApiError) return this.#fail(error, () => this.#open(work.file, work.how));
      return this.#fail(error.name === "QuotaExceededError" ? new FileError("file.quota") : error);
    }
  }
}

customElements.define("view-files", Files);

// @ts-check
// Files: drop one, choose column and task, see the first rows answered, run it, find it again.
import * as api from "../api.js";
import { h, replace } from "../dom.js";
import { FileError } from "../files/decode.js";
import * as jobs from "../files/jobs.js";
import { news, running, start } from "../files/run.js";
import { readTable } from "../files/table.js";
import { t } from "../i18n.js";
import "../parts/draft.js";
import "../parts/drop.js";
import "../parts/job-card.js";
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
    const found = await jobs.list();
    const card = (job) => {
      const node = h("qy-job", { "data-job": job.id });
      node.job = running(job.id)?.job ?? job;
      return node;
    };
    replace(this.#list, found.length > 0 && h("h2", { class: "section" }, t("files.jobs")), found.map(card));
  }

  #fail(error) {
    replace(
      this.#draft,
      h("div", { class: "notice bad", role: "alert" }, h("div", null, h("p", null, words(error)))),
    );
  }

  async #open(file, how = {}) {
    this.setAttribute("aria-busy", "true");
    try {
      if (get("models").length === 0) await api.models();
      const table = await readTable(file, how);
      const task = this.draft?.work.task ?? this.#wanted.task;
      const head = this.draft?.work.options.head ?? this.#wanted.head;
      this.draft = h("qy-draft", {
        onstart: () => this.#start(),
        onclose: () => this.#close(),
        onreopen: (e) => this.#open(file, e.detail),
      });
      this.draft.open({ file, how, table, task, head });
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
    try {
      const job = await jobs.create(this.draft.job);
      this.#close();
      start(job);
      await this.#show();
    } catch (error) {
      this.#fail(error.name === "QuotaExceededError" ? new FileError("file.quota") : error);
    }
  }
}

customElements.define("view-files", Files);

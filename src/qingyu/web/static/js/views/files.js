// Files: drop one, choose column and task, see the first rows answered, run it, find it again.
import * as api from "../api.js";
import { button, field, h, iconButton, replace, segmented, select, toggle } from "../dom.js";
import { FileError } from "../files/decode.js";
import * as jobs from "../files/jobs.js";
import { answer, news, running, start } from "../files/run.js";
import { readTable, textColumn } from "../files/table.js";
import { FILE_TASKS, input } from "../files/tasks.js";
import { count } from "../format.js";
import { either, t } from "../i18n.js";
import "../parts/chips.js";
import "../parts/drop.js";
import "../parts/job-card.js";
import { keyForm } from "../parts/notice.js";
import { TEMPLATES, templateField } from "../parts/template.js";
import { get } from "../store.js";
import { findMasks } from "../text.js";

const ROWS = 5; // previewed
const COLUMNS = 6; // previewed
const PAUSE = 350; // ms after the last change of an option

const words = (error) => (error instanceof FileError ? t(error.text.name, error.text.values) : (error.text ?? t("file.unknown")));

/** The task to begin with: filling blanks where the texts have some, else classifying. */
function likely(able, { rows }, column) {
  const blank = rows.slice(0, ROWS).some((row) => findMasks(row[column]).length);
  return able.find((task) => (task === "fill-mask") === blank) ?? able[0];
}

class Files extends HTMLElement {
  #draft = h("div");
  #list = h("div", { class: "stack" });
  #asked = null;
  #timer = 0;

  async connectedCallback() {
    const drop = h("qy-drop", { onfile: (e) => this.#open(e.detail) });
    replace(
      this,
      h("div", { class: "view-head" }, h("div", null, h("h1", null, t("files.title")), h("p", null, t("files.about")))),
      h("div", { class: "stack roomy" }, drop, this.#draft, this.#list),
    );
    this.hear = ({ detail: { job, note } }) => this.querySelector(`[data-job="${job.id}"]`)?.update(note);
    news.addEventListener("job", this.hear);
    await this.#show();
  }

  disconnectedCallback() {
    news.removeEventListener("job", this.hear);
    this.#asked?.abort();
    clearTimeout(this.#timer);
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
    replace(this.#draft, h("div", { class: "notice bad", role: "alert" }, h("div", null, h("p", null, words(error)))));
  }

  async #open(file, how = {}) {
    this.setAttribute("aria-busy", "true");
    try {
      if (get("models").length === 0) await api.models();
      const table = await readTable(file, how);
      const able = Object.keys(FILE_TASKS).filter(api.offers);
      const column = textColumn(table);
      this.work = { file, how, table, column, able, task: this.work?.task ?? likely(able, table, column) };
      this.#options();
      this.#form();
    } catch (error) {
      this.work = null;
      this.#fail(error);
    } finally {
      this.removeAttribute("aria-busy");
    }
  }

  /** The options of the chosen task, as they start out. */
  #options() {
    this.work.options = structuredClone(FILE_TASKS[this.work.task].options);
    const { options, column, table } = this.work;
    if ("template" in options) options.template = TEMPLATES[0];
    if ("pair" in options) options.pair = column + 1 < table.header.length ? column + 1 : 0;
  }

  #form() {
    const { file, how, table, column, task, able } = this.work;
    const reopen = (patch) => this.#open(file, { ...how, ...patch });
    const heads = table.header.map((name, i) => [String(i), name]);
    this.place = h("div", { class: "table-scroll", tabindex: 0, role: "region", "aria-label": t("files.preview") });
    this.go = button(t("files.start", { n: count(table.rows.length) }), { kind: "primary", icon: "play", onclick: () => this.#start() });
    this.word = h("p", { class: "small muted", role: "status" });
    const pick = (value) => {
      this.work.column = Number(value);
      this.#preview();
    };
    const turn = (value) => {
      this.work.task = value;
      this.#options();
      this.#form();
    };
    replace(
      this.#draft,
      h(
        "section",
        { class: "card", "aria-label": file.name },
        h(
          "div",
          { class: "row" },
          h("div", null, h("h2", null, file.name), h("p", { class: "small muted" }, t("files.shape", { rows: count(table.rows.length), columns: table.header.length, encoding: t(`encoding.${table.encoding}`) }))),
          iconButton(t("close"), "close", { class: "push", onclick: () => this.#close() }),
        ),
        h(
          "div",
          { class: "form" },
          table.sheets?.length > 1 && field(t("files.sheet"), select(table.sheets.map((n) => [n, n]), table.sheet, (sheet) => reopen({ sheet }))),
          field(t("files.column"), select(heads, String(column), pick)),
          field(t("files.task"), select(able.map((id) => [id, t(`task.${id}`)]), task, turn)),
          FILE_TASKS[task].fields.map((name) => this.#field(name)),
        ),
        ["csv", "xlsx"].includes(table.kind) && toggle(t("files.header"), how.header ?? true, (header) => reopen({ header })),
        this.place,
        h("div", { class: "row" }, this.word, h("span", { class: "push" }), this.go),
      ),
    );
    this.#preview();
  }

  #field(name) {
    const { options } = this.work;
    const change = (value) => {
      options[name] = value;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#preview(), PAUSE);
    };
    if (name === "top_k") return h("div", { class: "field" }, h("span", null, t("fill-mask.top_k")), h("div", null, segmented(t("fill-mask.top_k"), [[1, "1"], [5, "5"], [10, "10"]], options.top_k, change)));
    if (name === "pair") return field(t("files.pair"), select(this.work.table.header.map((n, i) => [String(i), n]), String(options.pair), (value) => change(Number(value))));
    if (name === "template") return templateField(options.template, change);
    if (name === "multi") return toggle(t("zero-shot.multi"), options.multi, change);
    const chips = h("qy-chips", { onchange: (e) => change(e.detail) });
    Object.assign(chips, { label: t("zero-shot.labels"), placeholder: t("zero-shot.add"), value: options.labels });
    return h("div", { class: "field" }, h("span", null, t("zero-shot.labels")), chips);
  }

  /** The first rows, and what the service makes of them. */
  async #preview() {
    const { table, column, task, options } = this.work;
    const wanting = FILE_TASKS[task].fields.includes("labels") && options.labels.length === 0;
    const rows = table.rows.slice(0, ROWS);
    this.#asked?.abort();
    const mine = (this.#asked = new AbortController());
    this.go.disabled = wanting;
    replace(this.word, wanting && t("files.labels"));
    this.#table(rows, null);
    if (wanting) return;
    try {
      const waiting = (error) => replace(this.word, error.text, t("job.waiting"));
      const out = await answer(task, options, rows.map((row) => input(row, column, options)), { signal: mine.signal, waiting });
      replace(this.word, t("files.previewed", { n: rows.length }));
      this.#table(rows, out);
    } catch (error) {
      if (error.name === "AbortError") return;
      replace(this.word, error.status === 401 ? keyForm(() => this.#preview()) : words(error));
    }
  }

  #table(rows, out) {
    const { table, column, task } = this.work;
    const { columns, row: cells } = FILE_TASKS[task];
    const picked = new Set([column, this.work.options.pair ?? column]);
    const others = table.header.map((_, i) => i).filter((i) => !picked.has(i));
    const shown = [...picked, ...others.slice(0, COLUMNS - picked.size)].sort((a, b) => a - b);
    const added = (result) => {
      if (!result) return columns.map(() => h("td", { class: "new" }, "…"));
      if (result.error) return [h("td", { class: "new bad", colSpan: columns.length }, either(result.error.zh, result.error.en))];
      return cells(result).map((cell) => h("td", { class: "new" }, cell));
    };
    replace(
      this.place,
      h(
        "table",
        { class: "table" },
        h("thead", null, h("tr", null, shown.map((i) => h("th", { scope: "col", class: picked.has(i) ? "picked" : "" }, table.header[i])), columns.map((c) => h("th", { scope: "col", class: "new" }, t(`column.${c}`))))),
        h("tbody", null, rows.map((row, n) => h("tr", null, shown.map((i) => h("td", { class: picked.has(i) ? "picked" : "" }, row[i].slice(0, 200))), added(out?.[n])))),
      ),
    );
  }

  #close() {
    this.#asked?.abort();
    this.work = null;
    replace(this.#draft);
  }

  async #start() {
    const { file, table, column, task, options } = this.work;
    this.go.disabled = true;
    try {
      const job = await jobs.create({ name: file.name, task, options, column, header: table.header, rows: table.rows });
      this.#close();
      start(job);
      await this.#show();
    } catch (error) {
      this.#fail(error.name === "QuotaExceededError" ? new FileError("file.quota") : error);
    }
  }
}

customElements.define("view-files", Files);

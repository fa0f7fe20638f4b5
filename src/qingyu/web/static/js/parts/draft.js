// @ts-check
// <qy-draft>: an opened file before its job: column, task and options to choose, first answers.
// Fires "start", "close", and "reopen" with how to read the file as the detail.
import * as api from "../api.js";
import { button, field, h, iconButton, replace, segmented, select, toggle } from "../dom.js";
import { answer } from "../files/run.js";
import { textColumn } from "../files/table.js";
import { MANY } from "../files/server.js";
import { FILE_TASKS, input } from "../files/tasks.js";
import { count } from "../format.js";
import { t } from "../i18n.js";
import { findBlanks } from "../text.js";
import "./chips.js";
import { headField } from "./heads.js";
import { keyForm } from "./notice.js";
import { previewTable } from "./preview.js";
import { TEMPLATES, templateField } from "./template.js";

const ROWS = 5; // previewed
const PAUSE = 350; // ms after the last change of an option

/** The task to begin with: filling blanks where the texts have some, else classifying. */
function likely(able, { rows }, column) {
  const blank = rows.slice(0, ROWS).some((row) => findBlanks(row[column]).length);
  return able.find((task) => (task === "fill-mask") === blank) ?? able[0];
}

class Draft extends HTMLElement {
  #asked = null;
  #timer = 0;

  /** `{file, how, table}` as opened; `task` and `head`: those to begin with, if they were chosen
   * before; `server`: whether the service takes jobs. */
  open({ file, how, table, task, head, server }) {
    const able = Object.keys(FILE_TASKS).filter(api.offers);
    const column = textColumn(table);
    /** @type {any} */
    this.work = { file, how, table, column, able, task: task ?? likely(able, table, column) };
    this.work.server = server;
    this.work.there = server && (table.partial || table.rows.length > MANY);
    this.#options();
    if (head && "head" in this.work.options) this.work.options.head = head;
    this.#form();
  }

  disconnectedCallback() {
    this.#asked?.abort();
    clearTimeout(this.#timer);
  }

  /** What `jobs.create` takes. */
  get job() {
    const { file, table, column, task, options } = this.work;
    return { name: file.name, task, options, column, header: table.header, rows: table.rows };
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
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
    const reopen = (patch) => this.#tell("reopen", { ...how, ...patch });
    const heads = table.header.map((name, i) => [String(i), name]);
    this.place = h("div", {
      class: "table-scroll",
      tabindex: 0,
      role: "region",
      "aria-label": t("files.preview"),
    });
    const words = table.partial ? t("files.start.all") : t("files.start", { n: count(table.rows.length) });
    this.go = button(words, {
      kind: "primary",
      icon: "play",
      onclick: () => this.#tell("start"),
    });
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
      this,
      h(
        "section",
        { class: "card", "aria-label": file.name },
        h(
          "div",
          { class: "row" },
          h(
            "div",
            null,
            h("h2", null, file.name),
            h(
              "p",
              { class: "small muted" },
              t(table.partial ? "files.beginning" : "files.shape", {
                rows: count(table.rows.length),
                columns: table.header.length,
                encoding: t(`encoding.${table.encoding}`),
              }),
            ),
          ),
          iconButton(t("close"), "close", { class: "push", onclick: () => this.#tell("close") }),
        ),
        h(
          "div",
          { class: "form" },
          table.sheets?.length > 1 &&
            field(
              t("files.sheet"),
              select(
                table.sheets.map((n) => [n, n]),
                table.sheet,
                (sheet) => reopen({ sheet }),
              ),
            ),
          field(t("files.column"), select(heads, String(column), pick)),
          field(
            t("files.task"),
            select(
              able.map((id) => [id, t(`task.${id}`)]),
              task,
              turn,
            ),
          ),
          FILE_TASKS[task].fields.map((name) => this.#field(name)),
        ),
        ["csv", "xlsx"].includes(table.kind) &&
          toggle(t("files.header"), how.header ?? true, (header) => reopen({ header })),
        this.place,
        this.#where(),
        h("div", { class: "row" }, this.word, h("span", { class: "push" }), this.go),
      ),
    );
    this.#preview();
  }

  /** Where the rows are worked through: said, and to choose where the service takes jobs. */
  #where() {
    const { work } = this;
    const said = h("small");
    const say = () => replace(said, t(work.there ? "files.there.note" : "files.here.note"));
    const choose = (there) => {
      work.there = there;
      say();
    };
    say();
    const name = t("files.where");
    return h(
      "div",
      { class: "field" },
      work.server &&
        !work.table.partial && [
          h("span", { class: "legend" }, name),
          segmented(
            name,
            [
              [false, t("files.here")],
              [true, t("files.there")],
            ],
            work.there,
            choose,
          ),
        ],
      said,
    );
  }

  #field(name) {
    const { options } = this.work;
    const change = (value) => {
      options[name] = value;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#preview(), PAUSE);
    };
    if (name === "top_k")
      return h(
        "div",
        { class: "field" },
        h("span", null, t("fill-mask.top_k")),
        h(
          "div",
          null,
          segmented(
            t("fill-mask.top_k"),
            [
              [1, "1"],
              [5, "5"],
              [10, "10"],
            ],
            options.top_k,
            change,
          ),
        ),
      );
    if (name === "pair")
      return field(
        t("files.pair"),
        select(
          this.work.table.header.map((n, i) => [String(i), n]),
          String(options.pair),
          (value) => change(Number(value)),
        ),
      );
    if (name === "head") return headField(options.head, change);
    if (name === "template") return templateField(options.template, change);
    if (name === "multi") return toggle(t("zero-shot.multi"), options.multi, change);
    const chips = h("qy-chips", { onchange: (e) => change(e.detail) });
    Object.assign(chips, {
      label: t("zero-shot.labels"),
      placeholder: t("zero-shot.add"),
      value: options.labels,
    });
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
    replace(this.place, previewTable(this.work, rows, null));
    if (wanting) return;
    try {
      const waiting = (error) => replace(this.word, error.text, t("job.waiting"));
      const out = await answer(
        task,
        options,
        rows.map((row) => input(row, column, options)),
        { signal: mine.signal, waiting },
      );
      replace(this.word, t("files.previewed", { n: rows.length }));
      replace(this.place, previewTable(this.work, rows, out));
    } catch (error) {
      if (error.name === "AbortError") return;
      replace(
        this.word,
        error.status === 401 ? keyForm(() => this.#preview()) : (error.text ?? String(error)),
      );
    }
  }
}

customElements.define("qy-draft", Draft);

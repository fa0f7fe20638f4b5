// @ts-check
// <qy-results>: the answers of a job to work with: counted, compared with right answers, filtered,
// sorted and changed.
import { button, field, h, replace, select } from "../dom.js";
import { added, change, kinds, load, sure } from "../files/answers.js";
import { crossed, tally } from "../files/summary.js";
import { FILE_TASKS } from "../files/tasks.js";
import { count, percent } from "../format.js";
import { either, t } from "../i18n.js";
import * as lessons from "../lessons.js";
import { comparison } from "./comparison.js";

const PAGE = 50; // rows drawn at first, and more at a time
const LISTED = 12; // kinds drawn
const VALUES = 6; // values of a second column
const BARS = [1, 0.9, 0.7, 0.5]; // confidence below which rows are kept
const TAUGHT = ["text-classification", "zero-shot-classification"];

class Results extends HTMLElement {
  /** @type {import("../files/answers.js").Row[]} */
  #rows = [];
  #kind = null;
  #below = 1;
  #order = "file";
  #by = -1;
  #right = -1;
  #shown = PAGE;
  #summary = h("div", { class: "stack" });
  #compared = h("div", { class: "stack" });
  #place = h("div", { class: "stack" });
  #learnt = h("div");

  /** Shows the job as it now is. */
  async open(job) {
    this.job = job;
    this.#rows = await load(job);
    const others = job.header.map((name, i) => [String(i), name]).filter(([i]) => Number(i) !== job.column);
    const pick = (name, act, none) =>
      others.length > 0 &&
      field(
        t(name),
        select([["-1", t(none)], ...others], "-1", (v) => act(Number(v))),
      );
    const told = FILE_TASKS[job.task].sure;
    const below = BARS.map((bar) => [
      String(bar),
      bar === 1 ? t("results.all") : t("results.below", { bar: percent(bar) }),
    ]);
    const orders = ["file", "unsure", "sure"].map((one) => [one, t(`results.order.${one}`)]);
    replace(
      this,
      h(
        "div",
        { class: "form" },
        pick("results.by", (i) => this.#set(() => (this.#by = i)), "results.none"),
        pick("results.right", (i) => this.#set(() => (this.#right = i)), "results.none"),
        told &&
          field(
            t("results.filter"),
            select(below, "1", (v) => this.#set(() => (this.#below = Number(v)))),
          ),
        told &&
          field(
            t("results.order"),
            select(orders, "file", (v) => this.#set(() => (this.#order = v))),
          ),
      ),
      this.#summary,
      this.#compared,
      h("p", { class: "small muted" }, t("results.edit")),
      this.#place,
      this.#learnt,
    );
    this.#set(() => {});
  }

  #set(change_) {
    change_();
    this.#shown = PAGE;
    this.#count();
    this.#draw();
  }

  /** How many rows of each kind; by a second column where one is chosen. */
  #count() {
    const { job } = this;
    const all = this.#rows.map((row) => ({ row, found: kinds(job, row) }));
    const counts = tally(all.flatMap(({ found }) => found));
    const most = counts[0]?.[1] ?? 1;
    const line = ([kind, n]) => {
      const chosen = kind === this.#kind;
      return h(
        "li",
        null,
        h(
          "button",
          {
            type: "button",
            class: "tally tally-act",
            "aria-pressed": String(chosen),
            onclick: () => this.#set(() => (this.#kind = chosen ? null : kind)),
          },
          h("span", { lang: "zh-CN" }, named(kind)),
          h("span", { class: "gauge", vars: { "--share": String(n / most) } }, h("span")),
          h("b", { class: "num" }, count(n)),
          h("small", { class: "num muted" }, percent(n / this.#rows.length)),
        ),
      );
    };
    const empty = this.#rows.filter(({ out }) => !out || out.error).length;
    replace(
      this.#summary,
      counts.length > 0 &&
        h("ul", { class: "tallies", "aria-label": t("results.counts") }, counts.slice(0, LISTED).map(line)),
      empty > 0 && h("p", { class: "small cut" }, t("results.empty", { n: count(empty) })),
      this.#by >= 0 &&
        this.#crossed(all.flatMap(({ row, found }) => found.map((kind) => [kind, row.cells[this.#by]]))),
    );
    const answered = this.#rows.filter(({ out }) => out && !out.error);
    replace(
      this.#compared,
      this.#right >= 0 &&
        comparison(
          answered.map((row) => [
            row.cells[this.#right].trim(),
            added(job.task, { ...row, put: undefined })[0].trim(),
          ]),
        ),
    );
  }

  #crossed(pairs) {
    const { values, rows } = crossed(pairs, VALUES);
    const most = Math.max(1, ...rows.flatMap(({ counts }) => counts));
    return h(
      "div",
      { class: "table-scroll", tabindex: 0, role: "region", "aria-label": this.job.header[this.#by] },
      h(
        "table",
        { class: "table grid" },
        h(
          "thead",
          null,
          h(
            "tr",
            null,
            h("th", { scope: "col" }, this.job.header[this.#by]),
            values.map((value) => h("th", { scope: "col" }, value || t("results.blank"))),
          ),
        ),
        h(
          "tbody",
          null,
          rows.slice(0, LISTED).map(({ kind, counts }) =>
            h(
              "tr",
              null,
              h("th", { scope: "row", lang: "zh-CN" }, named(kind)),
              counts.map((n) =>
                h("td", { class: "num heat-cell", vars: { "--heat": (n / most).toFixed(3) } }, count(n)),
              ),
            ),
          ),
        ),
      ),
    );
  }

  /** The rows that the filters leave, in the order chosen. */
  get #left() {
    const { job } = this;
    const left = this.#rows.filter(
      (row) =>
        (this.#kind === null || kinds(job, row).includes(this.#kind)) &&
        (this.#below === 1 || (sure(job, row) ?? 1) < this.#below),
    );
    if (this.#order === "file") return left;
    const sign = this.#order === "sure" ? -1 : 1;
    return left.sort((a, b) => sign * ((sure(job, a) ?? 0) - (sure(job, b) ?? 0)) || a.n - b.n);
  }

  #draw() {
    const { job } = this;
    const left = this.#left;
    const picked = [...new Set([job.column, job.options.pair ?? job.column, this.#by, this.#right])].filter(
      (i) => i >= 0,
    );
    const columns = FILE_TASKS[job.task].columns;
    replace(
      this.#place,
      h(
        "p",
        { class: "small num", role: "status" },
        t("results.rows", { n: count(left.length), all: count(this.#rows.length) }),
      ),
      h(
        "div",
        { class: "table-scroll tall", tabindex: 0, role: "region", "aria-label": t("results.table") },
        h(
          "table",
          { class: "table" },
          h(
            "thead",
            null,
            h(
              "tr",
              null,
              h("th", { scope: "col", class: "num" }, "#"),
              picked.map((i) => h("th", { scope: "col" }, job.header[i])),
              columns.map((name) => h("th", { scope: "col", class: "new" }, t(`column.${name}`))),
            ),
          ),
          h(
            "tbody",
            null,
            left.slice(0, this.#shown).map((row) => this.#line(row, picked, columns)),
          ),
        ),
      ),
      left.length > this.#shown &&
        button(t("results.more", { n: count(left.length - this.#shown) }), {
          kind: "quiet",
          onclick: () => {
            this.#shown += PAGE;
            this.#draw();
          },
        }),
    );
    this.#teach();
  }

  #line(row, picked, columns) {
    const own = picked.map((i) => h("td", { lang: "zh-CN" }, row.cells[i].slice(0, 300)));
    const number = h("td", { class: "num muted" }, String(row.n + 1));
    if (!row.out || row.out.error) {
      const why = row.out ? either(row.out.error.zh, row.out.error.en) : "";
      return h("tr", null, number, own, h("td", { class: "new bad", colSpan: columns.length }, why));
    }
    return h(
      "tr",
      null,
      number,
      own,
      added(this.job.task, row).map((cell, k) => this.#cell(row, k, cell)),
    );
  }

  /** A cell to write in; what is written is kept when it is left. */
  #cell(row, k, cell) {
    const name = t("results.cell", {
      n: row.n + 1,
      column: t(`column.${FILE_TASKS[this.job.task].columns[k]}`),
    });
    const box = h(
      "div",
      { class: "cell", role: "textbox", tabindex: 0, "aria-label": name, lang: "zh-CN" },
      cell,
    );
    box.setAttribute("contenteditable", "plaintext-only");
    const node = h("td", { class: row.put?.[k] === undefined ? "new" : "new edited" }, box);
    box.addEventListener("keydown", (event) => {
      if (event.key === "Escape") box.textContent = added(this.job.task, row)[k];
      if (event.key === "Enter" || event.key === "Escape") {
        event.preventDefault();
        box.blur();
      }
    });
    box.addEventListener("blur", async () => {
      const text = (box.textContent ?? "").trim();
      if (text === added(this.job.task, row)[k]) return;
      await change(this.job, row, k, text);
      node.className = row.put?.[k] === undefined ? "new" : "new edited";
      this.#count();
      this.#teach();
    });
    return node;
  }

  /** Changed labels are rows to teach with. */
  #teach() {
    const { job } = this;
    const changed = this.#rows.filter(({ put }) => put?.[0]);
    const take = () => {
      lessons.add(changed.map((row) => [row.cells[job.column], row.put[0]]));
      location.hash = "#/teach";
    };
    replace(
      this.#learnt,
      TAUGHT.includes(job.task) &&
        changed.length > 0 &&
        button(t("results.teach", { n: count(changed.length) }), { icon: "teach", onclick: take }),
    );
  }
}

/** Proofreading counts rows that were changed and rows that were not. */
const named = (kind) =>
  kind === "check.changed" || kind === "check.same" ? t(`results.${kind}`) : kind || t("results.blank");

customElements.define("qy-results", Results);

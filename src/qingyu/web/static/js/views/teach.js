// @ts-check
// Teach it: rows with labels become a head, whose score by cross-validation is told, and which is
// used at once: on a text here, on a file, in the view that classifies.
import * as api from "../api.js";
import { button, field, h, iconButton, replace, toggle } from "../dom.js";
import { FileError } from "../files/decode.js";
import { readTable, textColumn } from "../files/table.js";
import { count } from "../format.js";
import { t } from "../i18n.js";
import * as lessons from "../lessons.js";
import "../parts/bars.js";
import "../parts/columns.js";
import { confirm } from "../parts/confirm.js";
import "../parts/drop.js";
import { lessonCard } from "../parts/lesson.js";
import { hint, trouble, unreadable } from "../parts/notice.js";
import "../parts/rows.js";
import { link } from "../router.js";

const LABEL = /^(标签|类别|分类|label|category|class|tag|情感)$/i;
const LONGEST_NAME = 30; // characters: a name has at most 100 bytes
const LEAST = 5; // rows of a label, fewer than which are pointed out

/** The column that most looks like labels: by its name, else the one with the fewest different cells. */
function labelColumn({ header, rows }, text) {
  const named = header.findIndex((name, i) => i !== text && LABEL.test(name.trim()));
  if (named >= 0) return named;
  const different = (i) => new Set(rows.map((row) => row[i])).size;
  const others = header.map((_, i) => i).filter((i) => i !== text);
  return others.sort((a, b) => different(a) - different(b))[0] ?? text;
}

class Teach extends HTMLElement {
  #heads = [];
  #stop = new AbortController();
  #shelf = h("div");
  #draft = h("div");
  #said = h("div");
  #counts = h("div", { class: "stack" });
  #lesson = h("div", { class: "stack" });
  #name = h("input", { class: "input", maxLength: LONGEST_NAME, oninput: () => this.#paint() });
  #add = h("div");
  #more = false;

  connectedCallback() {
    this.#name.value = t("teach.mine");
    this.drop = h("qy-drop", { class: "slim", onfile: (e) => this.#open(e.detail) });
    this.drop.words = "teach.drop";
    this.drop.note = "files.kinds";
    const paste = h("textarea", {
      class: "input",
      rows: 3,
      lang: "zh-CN",
      placeholder: t("teach.placeholder"),
    });
    const take = () => {
      const rows = lessons.pasted(paste.value);
      if (rows.length === 0) return paste.focus();
      this.#take(rows);
      paste.value = "";
      return undefined;
    };
    this.rows = h("qy-rows", { onchange: () => this.#paint() });
    this.go = button("", { kind: "primary", onclick: () => this.#teach() });
    replace(
      this,
      h(
        "div",
        { class: "view-head" },
        h("div", null, h("h1", null, t("teach.title")), h("p", null, t("teach.about"))),
      ),
      h(
        "div",
        { class: "stack roomy" },
        this.#shelf,
        h(
          "section",
          { class: "card", "aria-label": t("teach.rows") },
          h("h2", null, t("teach.rows")),
          this.drop,
          this.#draft,
          field(t("teach.paste"), paste, t("teach.paste.note")),
          h("div", { class: "row" }, button(t("teach.take"), { onclick: take })),
          this.#counts,
          this.rows,
        ),
        h(
          "section",
          { class: "card", "aria-label": t("teach.run") },
          h("div", { class: "ask-line" }, field(t("teach.name"), this.#name), this.go),
          this.#add,
          this.#said,
          this.#lesson,
        ),
      ),
    );
    this.#paint();
    this.#load();
  }

  disconnectedCallback() {
    this.#stop.abort();
  }

  async #load() {
    this.setAttribute("aria-busy", "true");
    try {
      const { heads, enabled } = await api.json("v1/heads", { signal: this.#stop.signal });
      this.#heads = heads;
      this.enabled = enabled;
      if (!enabled) replace(this.#said, hint(t("teach.off")));
      const item = ({ name, labels, problem }) =>
        h(
          "li",
          { class: "shelf-item" },
          h(
            "a",
            { class: "shelf-name", href: link("classify", { head: name }) },
            h("b", null, name),
            h("small", { class: "muted" }, problem ?? labels.join("、")),
          ),
          iconButton(t("teach.remove", { name }), "close", { onclick: () => this.#remove(name) }),
        );
      replace(
        this.#shelf,
        heads.length > 0 && h("ul", { class: "shelf", "aria-label": t("teach.shelf") }, heads.map(item)),
      );
      this.#paint();
    } catch (error) {
      this.#fail(error, () => this.#load());
    } finally {
      this.removeAttribute("aria-busy");
    }
  }

  #fail(error, retry) {
    if (error.name === "AbortError") return;
    if (error instanceof FileError) replace(this.#draft, unreadable(error));
    else if (error instanceof api.ApiError) replace(this.#said, trouble(error, retry));
    else throw error;
  }

  #take(rows) {
    const all = lessons.add(rows);
    replace(this.#draft, !all && hint(t("teach.full", { n: count(lessons.MOST) })));
    this.rows.draw();
    this.#paint();
  }

  async #open(file, how = {}) {
    try {
      const table = await readTable(file, how);
      const first = textColumn(table);
      const columns = h("qy-columns", {
        onreopen: (e) => this.#open(file, e.detail),
        onclose: () => replace(this.#draft),
      });
      const take = () => this.#take(columns.rows);
      replace(
        this.#draft,
        h(
          "div",
          { class: "stack inset" },
          columns,
          h("div", { class: "row" }, button(t("teach.take"), { kind: "primary", onclick: take })),
        ),
      );
      columns.open({
        name: file.name,
        table,
        how,
        first,
        second: labelColumn(table, first),
        words: [t("teach.text"), t("teach.label")],
      });
    } catch (error) {
      this.#fail(error, () => this.#open(file, how));
    }
  }

  /** How many rows each label has, what is too few, and whether one can teach. */
  #paint() {
    const rows = lessons.rows();
    const labels = lessons.counts(rows);
    const most = labels[0]?.[1] ?? 1;
    const line = ([label, n]) =>
      h(
        "li",
        { class: "tally" },
        h("span", { lang: "zh-CN" }, label),
        h("span", { class: "gauge", vars: { "--share": String(n / most) } }, h("span")),
        h("b", { class: "num" }, count(n)),
        n < LEAST && h("small", { class: "cut" }, t("teach.few", { n: LEAST })),
      );
    replace(
      this.#counts,
      labels.length > 0 && h("ul", { class: "tallies", "aria-label": t("teach.counts") }, labels.map(line)),
      labels.length === 1 && h("p", { class: "small cut" }, t("teach.one")),
    );
    const known = this.#heads.some(({ name }) => name === this.#name.value.trim());
    replace(
      this.#add,
      known && toggle(t("teach.more"), this.#more, (on) => (this.#more = on)),
      known && !this.#more && h("p", { class: "small muted" }, t("teach.over")),
    );
    replace(this.go, t("teach.go", { n: count(rows.length) }));
    this.go.disabled = !this.enabled || labels.length < 2;
  }

  async #teach() {
    const name = this.#name.value.trim();
    if (!name) return this.#name.focus();
    const rows = lessons.rows();
    const known = this.#heads.some((one) => one.name === name);
    const body = {
      name,
      texts: rows.map(([text]) => text),
      labels: rows.map(([, label]) => label),
      ...(known && this.#more && { add: true }),
    };
    this.go.disabled = true;
    this.setAttribute("aria-busy", "true");
    replace(
      this.#said,
      h("p", { class: "muted", role: "status" }, t("teach.busy", { n: count(rows.length) })),
    );
    try {
      const told = await api.json("v1/heads", { method: "POST", body, signal: this.#stop.signal });
      replace(this.#said);
      replace(this.#lesson, lessonCard(told));
      await this.#load();
    } catch (error) {
      this.#fail(error, () => this.#teach());
    } finally {
      this.removeAttribute("aria-busy");
      this.#paint();
    }
    return undefined;
  }

  async #remove(name) {
    if (!(await confirm(t("teach.remove", { name }), t("teach.gone")))) return;
    try {
      await api.request(`v1/heads/${encodeURIComponent(name)}`, { method: "DELETE" });
    } catch (error) {
      this.#fail(error, () => this.#remove(name));
    }
    await this.#load();
  }
}

customElements.define("view-teach", Teach);

// @ts-check
// <qy-columns>: an opened table and two of its columns to choose, with its first rows beside them.
// Fires "reopen" with how to read the file, and "change" when the choice changes.
import { field, h, iconButton, replace, select, toggle } from "../dom.js";
import { count } from "../format.js";
import { t } from "../i18n.js";

const ROWS = 4; // shown
const LONGEST = 160; // characters of a cell

class Columns extends HTMLElement {
  #body = h("tbody");
  #heads = [h("th", { scope: "col" }), h("th", { scope: "col" })];

  /**
   * @param {{name: string, table: any, how: any, first: number, second: number,
   *   words: [string, string], optional?: string}} work `words` name the two columns; `optional`
   *   is what having no second column (-1) is called, where that is allowed.
   */
  open(work) {
    this.work = work;
    const { name, table, how, words, optional } = work;
    const heads = table.header.map((one, i) => [String(i), one]);
    const none = optional ? [["-1", optional]] : [];
    const tell = (kind, detail) => this.dispatchEvent(new CustomEvent(kind, { detail }));
    const pick = (which) => (value) => {
      work[which] = Number(value);
      this.#paint();
      tell("change");
    };
    replace(
      this,
      h(
        "div",
        { class: "row" },
        h(
          "div",
          null,
          h("h2", null, name),
          h(
            "p",
            { class: "small muted" },
            t("files.shape", {
              rows: count(table.rows.length),
              columns: table.header.length,
              encoding: t(`encoding.${table.encoding}`),
            }),
          ),
        ),
        iconButton(t("close"), "close", { class: "push", onclick: () => tell("close") }),
      ),
      h(
        "div",
        { class: "form" },
        table.sheets?.length > 1 &&
          field(
            t("files.sheet"),
            select(
              table.sheets.map((one) => [one, one]),
              table.sheet,
              (sheet) => tell("reopen", { ...how, sheet }),
            ),
          ),
        field(words[0], select(heads, String(work.first), pick("first"))),
        field(words[1], select([...none, ...heads], String(work.second), pick("second"))),
      ),
      ["csv", "xlsx"].includes(table.kind) &&
        toggle(t("files.header"), how.header ?? true, (header) => tell("reopen", { ...how, header })),
      h(
        "div",
        { class: "table-scroll", tabindex: 0, role: "region", "aria-label": t("columns.rows") },
        h("table", { class: "table" }, h("thead", null, h("tr", null, this.#heads)), this.#body),
      ),
    );
    this.#paint();
  }

  /** The two cells of every row that has the first: `[first, second]`. */
  get rows() {
    const { table, first, second } = this.work;
    return table.rows
      .map((row) => [row[first].trim(), second < 0 ? "" : row[second].trim()])
      .filter(([text]) => text !== "");
  }

  #paint() {
    const { words, second } = this.work;
    this.#heads.forEach((head, i) => replace(head, words[i]));
    this.#heads[1].hidden = second < 0;
    const line = (cells) =>
      h(
        "tr",
        null,
        cells.slice(0, second < 0 ? 1 : 2).map((cell) => h("td", null, cell.slice(0, LONGEST))),
      );
    replace(this.#body, this.rows.slice(0, ROWS).map(line));
  }
}

customElements.define("qy-columns", Columns);

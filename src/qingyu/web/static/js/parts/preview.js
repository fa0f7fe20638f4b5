// @ts-check
// The first rows of a table, and beside them what a task makes of each.
import { h } from "../dom.js";
import { FILE_TASKS } from "../files/tasks.js";
import { either, t } from "../i18n.js";

const COLUMNS = 6; // of the file that are shown

/** A table node; `out`: one answer or `{error}` a row, or null while they are awaited. */
export function previewTable({ table, column, task, options }, rows, out) {
  const { columns, row: cells } = FILE_TASKS[task];
  const picked = new Set([column, options.pair ?? column]);
  const others = table.header.map((_, i) => i).filter((i) => !picked.has(i));
  const shown = [...picked, ...others.slice(0, COLUMNS - picked.size)].sort((a, b) => a - b);
  const added = (result) => {
    if (!result) return columns.map(() => h("td", { class: "new" }, "…"));
    if (result.error)
      return [
        h("td", { class: "new bad", colSpan: columns.length }, either(result.error.zh, result.error.en)),
      ];
    return cells(result).map((cell) => h("td", { class: "new" }, cell));
  };
  return h(
    "table",
    { class: "table" },
    h(
      "thead",
      null,
      h(
        "tr",
        null,
        shown.map((i) => h("th", { scope: "col", class: picked.has(i) ? "picked" : "" }, table.header[i])),
        columns.map((c) => h("th", { scope: "col", class: "new" }, t(`column.${c}`))),
      ),
    ),
    h(
      "tbody",
      null,
      rows.map((row, n) =>
        h(
          "tr",
          null,
          shown.map((i) => h("td", { class: picked.has(i) ? "picked" : "" }, row[i].slice(0, 200))),
          added(out?.[n]),
        ),
      ),
    ),
  );
}

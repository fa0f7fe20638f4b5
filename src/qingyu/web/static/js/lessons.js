// @ts-check
// Texts with the labels a person gave them: pasted, read from a table, or put right anywhere on the
// page. In this browser only, until they are taught.
import { keep, kept } from "./lists.js";

const PLACE = "qingyu.lessons";
export const MOST = 5000; // rows

/** `[text, label]` of each, oldest first. @returns {[string, string][]} */
export const rows = () => kept(PLACE);

/** Whether there was room for them. @param {[string, string][]} list */
export const write = (list) => keep(PLACE, list.slice(-MOST)) && list.length <= MOST;

/** Adds rows; one whose text is there already changes its label. Returns whether all were kept. */
export function add(more) {
  const all = new Map(rows());
  for (const [text, label] of more) if (text.trim() && label.trim()) all.set(text.trim(), label.trim());
  return write([...all]);
}

/** Lines as people paste them: the label stands after the last tab, or else the last comma of either
 * width. @returns {[string, string][]} */
export function pasted(text) {
  return text.split(/\r?\n/).flatMap((line) => {
    const at = line.includes("\t")
      ? line.lastIndexOf("\t")
      : Math.max(line.lastIndexOf(","), line.lastIndexOf("，"));
    /** @type {[string, string]} */
    const row = [line.slice(0, Math.max(at, 0)).trim(), line.slice(at + 1).trim()];
    return row[0] && row[1] ? [row] : [];
  });
}

/** Rows a label, most first: `[label, count]`. */
export function counts(list) {
  const found = new Map();
  for (const [, label] of list) found.set(label, (found.get(label) ?? 0) + 1);
  return [...found].sort((a, b) => b[1] - a[1]);
}

// @ts-check
// CSV and TSV (RFC 4180): quotes, doubled quotes, line breaks inside quotes.
import { FileError } from "./decode.js";

/** The delimiter the first line speaks for. */
export function sniff(text) {
  let quoted = false;
  const seen = { ",": 0, "\t": 0, ";": 0 };
  for (const c of text) {
    if (c === '"') quoted = !quoted;
    else if (!quoted && (c === "\n" || c === "\r")) break;
    else if (!quoted && c in seen) seen[c] += 1;
  }
  return Object.entries(seen).sort((a, b) => b[1] - a[1])[0][0];
}

/** Rows of cells; blank lines are left out. TSV has no quotes: they are characters. Throws where a
 * quote is never closed. */
export function parse(text, delimiter, quoted = true) {
  const rows = [];
  let row = [];
  let line = 1;
  let at = 0;
  const end = () => {
    if (row.length > 1 || row[0] !== "") rows.push(row);
    row = [];
  };
  while (at < text.length) {
    let cell = "";
    if (quoted && text[at] === '"') {
      const from = line;
      for (;;) {
        const close = text.indexOf('"', at + 1);
        if (close < 0) throw new FileError("file.quote", { line: from });
        const part = text.slice(at + 1, close);
        line += part.split("\n").length - 1;
        cell += part;
        at = close + 1;
        if (text[at] !== '"') break;
        cell += '"';
      }
    }
    // What follows a closing quote, or a bare cell, runs to the delimiter or the line's end.
    let to = at;
    while (to < text.length && text[to] !== delimiter && text[to] !== "\n" && text[to] !== "\r") to += 1;
    row.push(cell + text.slice(at, to));
    at = to;
    if (text[at] === delimiter) {
      at += 1;
      if (at === text.length) row.push("");
      continue;
    }
    if (text[at] === "\r") at += 1;
    if (text[at] === "\n") at += 1;
    line += 1;
    end();
  }
  if (row.length) end();
  return rows;
}

/** A cell a spreadsheet would run as a formula gets an apostrophe; plain numbers stay numbers. */
export const harmless = (cell) =>
  /^[=+\-@\t\r]/.test(cell) && !/^[+-]?[\d.,]+(e[+-]?\d+)?%?$/i.test(cell) ? `'${cell}` : cell;

const quote = (cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);

/** CSV that Excel opens as UTF-8 and never runs. */
export const write = (rows) =>
  `\ufeff${rows.map((row) => row.map((c) => quote(harmless(c))).join(",")).join("\r\n")}\r\n`;

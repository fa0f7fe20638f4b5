// @ts-check
// A dropped file as a table: `{header, rows, encoding}`, rows all as wide as the header.
import { decode, FileError } from "./decode.js";
import { parse, sniff } from "./delimited.js";

const LARGEST = 64e6; // bytes: the page holds the file in memory; `qingyu batch` streams larger ones
const BEGINNING = 1e6; // bytes read of a larger file that the service will work through
const LINE_END = 10;

/**
 * Reads a File. The table also says its `sheets`. Of one that is too large for the page only the first
 * whole lines are read where `beginning` allows it; the table is then `partial`.
 * @param {File} file
 * @param {{header?: boolean, sheet?: string, beginning?: boolean}} [options]
 */
export async function readTable(file, { header = true, sheet, beginning = false } = {}) {
  const partial = file.size > LARGEST;
  const large = new FileError("file.large", { mb: LARGEST / 1e6 });
  if (partial && !beginning) throw large;
  let bytes = new Uint8Array(await (partial ? file.slice(0, BEGINNING) : file).arrayBuffer());
  if (partial) {
    if (bytes[0] === 0x50 && bytes[1] === 0x4b) throw large; // a workbook has its directory at its end
    bytes = bytes.subarray(0, bytes.lastIndexOf(LINE_END) + 1);
  }
  return { ...(await tableOf(file, bytes, header, sheet)), partial };
}

async function tableOf(file, bytes, header, sheet) {
  if (bytes.length === 0) throw new FileError("file.empty");
  const ending = file.name.toLowerCase().match(/\.(\w+)$/)?.[1] ?? "";
  if (bytes[0] === 0x50 && bytes[1] === 0x4b) {
    const { open } = await import("./xlsx.js");
    const book = await open(bytes);
    const name = sheet ?? book.sheets[0];
    return {
      ...square(await book.rows(name), header),
      kind: "xlsx",
      encoding: "xlsx",
      sheets: book.sheets,
      sheet: name,
    };
  }
  const { text, encoding } = decode(bytes);
  if (ending === "jsonl" || ending === "ndjson") return { ...objects(text), kind: "jsonl", encoding };
  if (ending === "txt" || ending === "text" || ending === "md")
    return { ...lines(text), kind: "txt", encoding };
  if (ending === "json") return { ...array(text), kind: "jsonl", encoding };
  if (ending === "tsv" || ending === "tab")
    return { ...square(parse(text, "\t", false), header), kind: "csv", encoding };
  const told = text.match(/^sep=(.)\r?\n/i); // a first line for Excel
  const body = told ? text.slice(told[0].length) : text;
  return { ...square(parse(body, told ? told[1] : sniff(body)), header), kind: "csv", encoding };
}

function square(rows, hasHeader) {
  const width = rows.reduce((most, row) => Math.max(most, row.length), 0);
  const head = hasHeader ? (rows[0] ?? []) : [];
  const header = Array.from({ length: width }, (_, i) => head[i]?.trim() || `#${i + 1}`);
  const body = (hasHeader ? rows.slice(1) : rows).map((row) =>
    row.length < width ? [...row, ...Array(width - row.length).fill("")] : row,
  );
  if (body.length === 0) throw new FileError("file.empty");
  return { header: unlike(header), rows: body };
}

/** Column names made different, so that a row can be an object. */
export function unlike(names) {
  const seen = new Set();
  return names.map((name) => {
    let fresh = name;
    for (let n = 2; seen.has(fresh); n += 1) fresh = `${name} (${n})`;
    seen.add(fresh);
    return fresh;
  });
}

function lines(text) {
  const rows = text
    .split(/\r\n|\n|\r/)
    .filter((line) => line.trim())
    .map((line) => [line]);
  if (rows.length === 0) throw new FileError("file.empty");
  return { header: ["text"], rows };
}

/** JSON that is one array, or else an object a line. */
function array(text) {
  if (!text.trimStart().startsWith("[")) return objects(text);
  try {
    return table(JSON.parse(text).map((item, i) => [item, i + 1]));
  } catch (error) {
    if (error instanceof FileError) throw error;
    throw new FileError("file.json", { line: 1 });
  }
}

function objects(text) {
  const items = [];
  text.split(/\r\n|\n|\r/).forEach((line, i) => {
    if (!line.trim()) return;
    try {
      items.push([JSON.parse(line), i + 1]);
    } catch {
      throw new FileError("file.json", { line: i + 1 });
    }
  });
  return table(items);
}

/** Objects and strings, each with its number in the file, as rows with all their columns. */
function table(items) {
  const header = [];
  const places = new Map();
  const rows = [];
  for (let [item, line] of items) {
    if (typeof item === "string") item = { text: item };
    if (item === null || typeof item !== "object" || Array.isArray(item))
      throw new FileError("file.json", { line });
    const row = [];
    for (const [name, value] of Object.entries(item)) {
      if (!places.has(name)) places.set(name, header.push(name) - 1);
      row[places.get(name)] = typeof value === "string" ? value : JSON.stringify(value);
    }
    rows.push(row);
  }
  if (rows.length === 0 || header.length === 0) throw new FileError("file.empty");
  return { header, rows: rows.map((row) => Array.from(header, (_, i) => row[i] ?? "")) };
}

/** The column that most looks like text: the longest cells among the first rows. */
export function textColumn({ header, rows }) {
  const named = header.findIndex((name) =>
    /^(text|sentence|content|question|文本|内容|句子|正文|评论|标题|问题|提问|留言)$/i.test(name),
  );
  if (named >= 0) return named;
  const length = (i) =>
    rows.slice(0, 50).reduce((sum, row) => sum + (/\D/.test(row[i]) ? row[i].length : 0), 0);
  return header.map((_, i) => [length(i), i]).sort((a, b) => b[0] - a[0] || a[1] - b[1])[0][1];
}

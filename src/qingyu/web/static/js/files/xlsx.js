// @ts-check
// XLSX: the first sheet, or a named one, to rows of text; and rows to a workbook of text cells.
import { FileError } from "./decode.js";
import * as zip from "./zip.js";

const parseXml = (bytes) => {
  const doc = new DOMParser().parseFromString(new TextDecoder().decode(bytes), "application/xml");
  if (doc.getElementsByTagName("parsererror").length) throw new FileError("file.zip");
  return doc;
};
const all = (node, name) => [...node.getElementsByTagNameNS("*", name)];
const text = (node) =>
  all(node, "t")
    .filter((x) => x.parentNode.localName !== "rPh")
    .map((x) => x.textContent)
    .join("");

/** Opens a workbook: `{sheets: [names], rows(name) -> rows}`. */
export async function open(bytes) {
  const entries = zip.read(bytes);
  const part = async (path) => (entries.has(path) ? parseXml(await entries.get(path)()) : null);
  const book = await part("xl/workbook.xml");
  if (!book) throw new FileError("file.workbook");
  const links = await part("xl/_rels/workbook.xml.rels");
  const target = new Map(
    all(links ?? book, "Relationship").map((r) => [r.getAttribute("Id"), r.getAttribute("Target")]),
  );
  const sheets = new Map();
  for (const sheet of all(book, "sheet")) {
    const id = [...sheet.attributes].find((a) => a.localName === "id" && a.name !== "id")?.value;
    const path = target.get(id);
    if (path) sheets.set(sheet.getAttribute("name"), path.startsWith("/") ? path.slice(1) : `xl/${path}`);
  }
  const strings = all((await part("xl/sharedStrings.xml")) ?? new Document(), "si").map(text);
  const dates = dateStyles(await part("xl/styles.xml"));
  const since = all(book, "workbookPr")[0]?.getAttribute("date1904") === "1" ? 24107 : 25569;
  const read = (c) => value(c, strings, dates, since);
  return {
    sheets: [...sheets.keys()],
    async rows(name) {
      const doc = await part(sheets.get(name));
      if (!doc) throw new FileError("file.workbook");
      return all(doc, "row")
        .map((row) => cells(row, read))
        .filter((row) => row.some((cell) => cell !== ""));
    },
  };
}

function cells(row, read) {
  const out = [];
  for (const c of all(row, "c")) {
    const column = c.getAttribute("r")?.match(/^[A-Z]+/)?.[0];
    const at = column
      ? [...column].reduce((n, letter) => n * 26 + letter.charCodeAt(0) - 64, 0) - 1
      : out.length;
    if (at > 16383) throw new FileError("file.workbook");
    while (out.length < at) out.push("");
    out[at] = read(c);
  }
  return out;
}

function value(c, strings, dates, since) {
  const type = c.getAttribute("t");
  if (type === "inlineStr") return text(c);
  const raw = all(c, "v")[0]?.textContent ?? "";
  if (type === "s") return strings[Number(raw)] ?? "";
  if (type === "b") return raw === "1" ? "TRUE" : "FALSE";
  if (raw !== "" && type !== "str" && type !== "e" && dates.has(Number(c.getAttribute("s") ?? 0))) {
    const iso = new Date(Math.round((Number(raw) - since) * 86400) * 1000).toISOString();
    return Number(raw) % 1 ? iso.slice(0, 19).replace("T", " ") : iso.slice(0, 10);
  }
  return raw;
}

/** The cell styles that show a number as a date: ECMA-376, built-in formats 14-22 and 45-47. */
function dateStyles(doc) {
  if (!doc) return new Set();
  const own = new Map(
    all(doc, "numFmt").map((f) => [
      f.getAttribute("numFmtId"),
      f.getAttribute("formatCode").replace(/"[^"]*"|\[[^\]]*\]/g, ""),
    ]),
  );
  const isDate = (id) =>
    (id >= 14 && id <= 22) || (id >= 45 && id <= 47) || /[ymdhs]/i.test(own.get(String(id)) ?? "");
  const formats = all(doc, "cellXfs")[0];
  const found = formats ? all(formats, "xf").map((xf, i) => [i, Number(xf.getAttribute("numFmtId"))]) : [];
  return new Set(found.filter(([, id]) => isDate(id)).map(([i]) => i));
}

const escape = (cell) =>
  cell
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "")
    .replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);

const XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n';
const MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const PACKAGE = "http://schemas.openxmlformats.org/package/2006";
const TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml";

/** A workbook of one sheet as a Blob; every cell is text, so nothing in it can be run. */
export function write(rows, sheet = "Sheet1") {
  const row = (cells) =>
    `<row>${cells.map((c) => `<c t="inlineStr"><is><t xml:space="preserve">${escape(c)}</t></is></c>`).join("")}</row>`;
  const parts = {
    "[Content_Types].xml": `<Types xmlns="${PACKAGE}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="${TYPE}.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="${TYPE}.worksheet+xml"/></Types>`,
    "_rels/.rels": `<Relationships xmlns="${PACKAGE}/relationships"><Relationship Id="rId1" Type="${OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
    "xl/workbook.xml": `<workbook xmlns="${MAIN}" xmlns:r="${OFFICE}"><sheets><sheet name="${escape(sheet)}" sheetId="1" r:id="rId1"/></sheets></workbook>`,
    "xl/_rels/workbook.xml.rels": `<Relationships xmlns="${PACKAGE}/relationships"><Relationship Id="rId1" Type="${OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>`,
    "xl/worksheets/sheet1.xml": `<worksheet xmlns="${MAIN}"><sheetData>${rows.map(row).join("")}</sheetData></worksheet>`,
  };
  const encoder = new TextEncoder();
  const entries = Object.entries(parts).map(([path, xml]) => [path, encoder.encode(XML + xml)]);
  return new Blob(zip.write(entries), { type: `${TYPE}.sheet` });
}

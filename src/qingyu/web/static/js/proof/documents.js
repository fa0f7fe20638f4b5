// @ts-check
// Documents: opened into lines, and saved as text or as a Word document with tracked changes.
import * as api from "../api.js";
import { decode, FileError } from "../files/decode.js";
import { read as unzip } from "../files/zip.js";
import { differences } from "./differences.js";

const WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";
const FALLBACK = "http://schemas.openxmlformats.org/markup-compatibility/2006";
export const KINDS = ".txt,.md,.docx";
const LARGEST = 16e6; // bytes
const FENCE = /^ {0,3}(`{3,}|~{3,})/;

/** A document: its `text`; `number` of the paragraph of each line and where in it the line begins;
 * `bytes` of a Word document, null for plain text; `fenced`, the lines that are code. */
export async function open(file) {
  if (file.size > LARGEST) throw new FileError("file.large", { mb: LARGEST / 1e6 });
  const bytes = new Uint8Array(await file.arrayBuffer());
  const name = file.name.replace(/\.\w+$/, "");
  if (!/\.docx$/i.test(file.name)) {
    const text = decode(bytes)
      .text.replace(/^\ufeff/, "")
      .replace(/\r\n?/g, "\n");
    return { ...plain(text, name), fenced: /\.(md|markdown)$/i.test(file.name) };
  }
  const main = unzip(bytes).get("word/document.xml");
  if (!main) throw new FileError("file.word");
  const xml = new DOMParser().parseFromString(new TextDecoder().decode(await main()), "text/xml");
  if (xml.querySelector("parsererror")) throw new FileError("file.word");
  const lines = [];
  [...xml.getElementsByTagNameNS(WORD, "p")].forEach((paragraph, i) => {
    let start = 0;
    for (const text of words(paragraph).split("\n")) {
      lines.push({ text, number: i + 1, start });
      start += [...text].length + 1;
    }
  });
  return { text: lines.map((one) => one.text).join("\n"), lines, bytes, name, fenced: false };
}

/** A text that is nobody's file yet. */
export function plain(text, name = "") {
  const lines = text.split("\n").map((line, i) => ({ text: line, number: i + 1, start: 0 }));
  return { text, lines, bytes: null, name, fenced: false };
}

/** What a paragraph says itself: not a text box inside it, nor what was deleted. */
function words(paragraph) {
  let text = "";
  for (const run of paragraph.getElementsByTagNameNS(WORD, "r")) {
    if (holder(run, WORD, "p") !== paragraph || holder(run, FALLBACK, "Fallback")) continue;
    for (const part of run.children) {
      if (part.namespaceURI !== WORD) continue;
      if (part.localName === "t") text += part.textContent;
      else if (part.localName === "tab") text += "\t";
      else if (part.localName === "br" || part.localName === "cr") text += "\n";
    }
  }
  return text;
}

/** The nearest element of a name around a node, or null. */
function holder(node, space, name) {
  let up = node.parentElement;
  while (up && !(up.namespaceURI === space && up.localName === name)) up = up.parentElement;
  return up;
}

/** Which lines are fenced code, as Markdown fences it. */
export function code(lines) {
  let fence = "";
  return lines.map((line) => {
    const mark = FENCE.exec(line)?.[1] ?? "";
    if (fence === "") {
      fence = mark;
      return mark !== "";
    }
    if (mark.startsWith(fence) && line.trim() === mark) fence = "";
    return true;
  });
}

/** Whether `text` still has the lines of `origin`, so that what changed can be told in each. */
export const follows = (origin, text) => origin.lines.length === text.split("\n").length;

/** The origin of a text that one writes oneself: what was typed since `before` counts as written
 * so, and what was accepted in other lines still as changed. */
export function written(origin, before, text) {
  const [was, now] = [before.split("\n"), text.split("\n")];
  if (origin.lines.length !== was.length) return plain(text);
  const most = Math.min(was.length, now.length);
  let head = 0;
  while (head < most && was[head] === now[head]) head += 1;
  let tail = 0;
  while (tail < most - head && was[was.length - 1 - tail] === now[now.length - 1 - tail]) tail += 1;
  const old = origin.lines.map((line) => line.text);
  const kept = [
    ...old.slice(0, head),
    ...now.slice(head, now.length - tail),
    ...old.slice(old.length - tail),
  ];
  return plain(kept.join("\n"));
}

/** Each line of `origin` that reads otherwise in `text`: `{line, now, changes}`. */
export function changed(origin, text) {
  if (!follows(origin, text)) return [];
  const now = text.split("\n");
  return origin.lines.flatMap((line, i) =>
    line.text === now[i] ? [] : [{ line, now: now[i], changes: differences([...line.text], [...now[i]]) }],
  );
}

/** The text as a Word document: what changed since it was opened stands there as tracked changes. */
export async function asWord(origin, text, signal) {
  const body = follows(origin, text) ? {} : { text };
  if (follows(origin, text)) {
    if (origin.bytes) body.document = base64(origin.bytes);
    else body.text = origin.text;
    body.changes = changed(origin, text).flatMap(({ line, changes }) =>
      changes.map((one) => ({
        paragraph: line.number,
        start: line.start + one.start,
        end: line.start + one.end,
        text: one.text,
      })),
    );
  }
  return (await api.request("v1/check/document/changed", { method: "POST", body, signal })).blob();
}

function base64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000)
    text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

/** Hands a file to the browser's downloads. */
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// @ts-check
// A job's answers as a file: CSV, JSONL or XLSX. Rows not yet answered are left blank.
import { either } from "../i18n.js";
import { write as csv } from "./delimited.js";
import * as jobs from "./jobs.js";
import { FILE_TASKS } from "./tasks.js";
import { unlike } from "./table.js";

async function* answered(job) {
  for (let n = 0; n < jobs.chunks(job); n += 1) {
    const part = await jobs.chunk(job, n);
    for (const [i, row] of part.rows.entries()) yield [row, part.out?.[i] ?? null];
  }
}

const message = (out) => (out?.error ? either(out.error.zh, out.error.en) : "");

/** Header and rows of text, the added columns at the end. */
export async function table(job) {
  const { columns, row } = FILE_TASKS[job.task];
  const rows = [unlike([...job.header, ...columns, "error"])];
  for await (const [cells, out] of answered(job)) {
    rows.push([...cells, ...(out && !out.error ? row(out) : columns.map(() => "")), message(out)]);
  }
  return rows;
}

async function jsonl(job) {
  const lines = [];
  for await (const [cells, out] of answered(job)) {
    const item = Object.fromEntries(job.header.map((name, i) => [name, cells[i]]));
    lines.push(JSON.stringify(out?.error ? { ...item, error: message(out) } : { ...item, result: out }));
  }
  return `${lines.join("\n")}\n`;
}

const MAKERS = {
  csv: async (job) => new Blob([csv(await table(job))], { type: "text/csv" }),
  jsonl: async (job) => new Blob([await jsonl(job)], { type: "application/x-ndjson" }),
  xlsx: async (job) => (await import("./xlsx.js")).write(await table(job)),
};
export const FORMATS = Object.keys(MAKERS);

/** Hands the browser a file to keep. */
export async function download(job, format) {
  const url = URL.createObjectURL(await MAKERS[format](job));
  const link = document.createElement("a");
  link.href = url;
  link.download = `${job.name.replace(/\.\w+$/, "")}-${job.task}.${format}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

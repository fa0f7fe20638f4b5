// @ts-check
// A job's answers as a file: CSV, JSONL, XLSX, or tasks for Label Studio. Rows not yet answered are
// left blank; what was changed by hand is told as it was changed.
import { either } from "../i18n.js";
import { added, load } from "./answers.js";
import { write as csv } from "./delimited.js";
import { FILE_TASKS } from "./tasks.js";
import { unlike } from "./table.js";

const message = (out) => (out?.error ? either(out.error.zh, out.error.en) : "");

/** Header and rows of text, the added columns at the end. */
export async function table(job) {
  const { columns } = FILE_TASKS[job.task];
  const rows = [unlike([...job.header, ...columns, "error"])];
  for (const row of await load(job)) rows.push([...row.cells, ...added(job.task, row), message(row.out)]);
  return rows;
}

const edited = (columns, put) =>
  Object.fromEntries(Object.entries(put).map(([k, text]) => [columns[k], text]));

async function jsonl(job) {
  const lines = [];
  const { columns } = FILE_TASKS[job.task];
  for (const { cells, out, put } of await load(job)) {
    const item = Object.fromEntries(job.header.map((name, i) => [name, cells[i]]));
    lines.push(
      JSON.stringify(
        out?.error
          ? { ...item, error: message(out) }
          : { ...item, result: out, ...(put && { edited: edited(columns, put) }) },
      ),
    );
  }
  return `${lines.join("\n")}\n`;
}

const MAKERS = {
  csv: async (job) => new Blob([csv(await table(job))], { type: "text/csv" }),
  jsonl: async (job) => new Blob([await jsonl(job)], { type: "application/x-ndjson" }),
  json: async (job) => {
    const { labelStudio } = await import("./label-studio.js");
    return new Blob([JSON.stringify((await labelStudio(job)).tasks, null, 1)], { type: "application/json" });
  },
  xlsx: async (job) => (await import("./xlsx.js")).write(await table(job)),
};
export const FORMATS = ["csv", "jsonl", "xlsx"];

/** Hands the browser a file to keep. */
export async function download(job, format) {
  const url = URL.createObjectURL(await MAKERS[format](job));
  const link = document.createElement("a");
  link.href = url;
  link.download = `${job.name.replace(/\.\w+$/, "")}-${job.task}.${format}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

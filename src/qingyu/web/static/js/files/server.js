// @ts-check
// Jobs that the service works on by itself: the file goes there whole, and the page may be closed.
import * as api from "../api.js";
import { FILE_TASKS } from "./tasks.js";

export const MANY = 5000; // rows from which on the service is offered first
const SPELLED_LIKE = 500; // rows looked at for how blanks are written

/** `{jobs, enabled}`, newest first. */
export const list = (signal) => api.json("v1/jobs", { signal });
export const one = (id, signal) => api.json(`v1/jobs/${id}`, { signal });
export const move = (id, act) => api.json(`v1/jobs/${id}/${act}`, { method: "POST" });
export const remove = (id) => api.request(`v1/jobs/${id}`, { method: "DELETE" });

/** A new job for a file, which is sent whole; answers with the job. */
export async function create({ file, how, table, column, task, options }) {
  const paired = options.pair !== undefined;
  const sample = table.rows.slice(0, SPELLED_LIKE).map((row) => row[column]);
  const asked = FILE_TASKS[task].body(paired ? sample.map((text) => [text, text]) : sample, options);
  const { text: _text, text_pair: _pair, ...rest } = asked;
  const made = await api.json("v1/jobs", {
    method: "POST",
    body: {
      task,
      name: file.name,
      ...(table.kind !== "txt" && { column: table.header[column] }),
      ...(paired && { pair: table.header[options.pair] }),
      ...(table.sheet && { sheet: table.sheet }),
      header: how.header ?? true,
      options: rest,
    },
  });
  try {
    return await api.json(`v1/jobs/${made.id}/input`, { method: "PUT", file });
  } catch (error) {
    await move(made.id, "cancel").catch(() => {});
    throw error;
  }
}

/** Hands the browser the answers of a job that is done. */
export async function download(job) {
  const answer = await api.request(`v1/jobs/${job.id}/output`);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = `${job.name.replace(/\..*$/, "")}-${job.task}.${job.output}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// @ts-check
// A job's answers as rows to look at: cells as text with what people changed in them, the kinds
// that are counted, and how sure each answer is.
import * as jobs from "./jobs.js";
import { FILE_TASKS } from "./tasks.js";

/**
 * One row: its number in the file, its own cells, and its answer.
 * @typedef {{n: number, cells: string[], out: any, put: Record<number, string> | undefined}} Row
 */

/** All rows of a job, in order. @returns {Promise<Row[]>} */
export async function load(job) {
  const rows = [];
  for (let k = 0; k < jobs.chunks(job); k += 1) {
    const part = await jobs.chunk(job, k);
    part.rows.forEach((cells, i) =>
      rows.push({ n: rows.length, cells, out: part.out?.[i] ?? null, put: part.put?.[i] }),
    );
  }
  return rows;
}

/** The cells that the task added to a row, with what was changed in them. */
export function added(task, { out, put }) {
  const { columns, row } = FILE_TASKS[task];
  const cells = out && !out.error ? row(out) : columns.map(() => "");
  return cells.map((cell, k) => put?.[k] ?? cell);
}

/** Keeps a changed cell; one that is again as it was counts as unchanged. */
export async function change(job, row, k, text) {
  const whole = added(job.task, { ...row, put: undefined });
  const put = { ...row.put, [k]: text };
  if (whole[k] === text) delete put[k];
  row.put = Object.keys(put).length ? put : undefined;
  const part = await jobs.chunk(job, Math.floor(row.n / jobs.SIZE));
  part.put = { ...part.put, [row.n % jobs.SIZE]: row.put };
  await jobs.commit(job, part);
}

/** What is counted of a row: labels, or the kinds of entities; none where it has no answer. */
export function kinds(job, row) {
  if (!row.out || row.out.error) return [];
  const { counted } = FILE_TASKS[job.task];
  return counted ? counted(added(job.task, row), row.cells[job.column]) : [];
}

/** From 0 to 1, null where the task does not tell or there is no answer. */
export function sure(job, row) {
  const { sure: told } = FILE_TASKS[job.task];
  return told && row.out && !row.out.error ? told(row.out) : null;
}

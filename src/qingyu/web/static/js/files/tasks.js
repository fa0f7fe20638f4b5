// @ts-check
// How each task reads a column of texts and what columns it adds.
// `fields`: options to ask for; `body(texts, options)`: the request; `row(result)`: added cells.
// `counted(cells, text)`: what a summary counts of the added cells; `sure(result)`: 0 to 1.
// `most`: characters of a request; a task that visits the model for every character takes fewer.
// A task with the field "pair" reads a second column; its texts are `[first, second]`.
import { spellings, surface } from "../text.js";

const digits = (score) => score.toFixed(4);
const ranked = {
  columns: ["label", "score", "all"],
  counted: ([label]) => [label],
  sure: (r) => r.scores[0],
  row: (r) => [
    r.labels[0],
    digits(r.scores[0]),
    r.labels.map((label, i) => `${label} ${digits(r.scores[i])}`).join("; "),
  ],
};

const MOST = 4000;
const FEWER = 800;

export const FILE_TASKS = {
  "fill-mask": {
    most: MOST,
    fields: ["top_k"],
    options: { top_k: 5 },
    body: (text, { top_k }) => {
      const mask = spellings([text].flat().join("\n"));
      return mask.length ? { text, top_k, mask } : { text, top_k };
    },
    columns: ["filled", "candidates"],
    sure: (r) => Math.min(1, ...r.masks.map((m) => m.candidates[0]?.score ?? 0)),
    row: (r) => [
      r.sequence,
      r.masks
        .map((m) => m.candidates.map((c) => `${surface(c.token)} ${digits(c.score)}`).join("; "))
        .join(" | "),
    ],
  },
  "text-classification": {
    most: MOST,
    fields: ["head"],
    options: { head: "" },
    body: (text, { head }) => (head ? { text, head } : { text }),
    ...ranked,
  },
  "zero-shot-classification": {
    most: MOST,
    fields: ["labels", "template", "multi"],
    options: { labels: [], template: "", multi: false },
    body: (text, { labels, template, multi }) => ({
      text,
      candidate_labels: labels,
      hypothesis_template: template,
      multi_label: multi,
    }),
    ...ranked,
  },
  "token-classification": {
    most: MOST,
    fields: [],
    options: {},
    body: (text) => ({ text }),
    columns: ["entities"],
    counted: ([cell]) => [...new Set(cell.split("; ").flatMap((one) => one.match(/[^/]+$/) ?? []))],
    sure: (r) => Math.min(1, ...r.entities.map((e) => e.score)),
    row: (r) => [r.entities.map((e) => `${e.text}/${e.label}`).join("; ")],
  },
  "sentence-similarity": {
    most: MOST,
    fields: ["pair"],
    options: { pair: 0 },
    body: (text) =>
      typeof text[0] === "string"
        ? { text: text[0], text_pair: text[1] }
        : { text: text.map((x) => x[0]), text_pair: text.map((x) => x[1]) },
    columns: ["label", "score"],
    counted: ([label]) => [label],
    sure: (r) => Math.max(r.score, 1 - r.score),
    row: (r) => [r.label, digits(r.score)],
  },
  check: {
    most: FEWER,
    fields: [],
    options: {},
    body: (text) => ({ text }),
    columns: ["corrected", "suspects"],
    counted: ([corrected], text) => [corrected === text ? "check.same" : "check.changed"],
    sure: (r) => Math.min(1, ...r.suspects.map((x) => x.confidence)),
    row: (r) => [
      r.corrected,
      r.suspects.map((x) => `${x.start} ${x.text}→${surface(x.candidates[0]?.token ?? "")}`).join("; "),
    ],
  },
  score: {
    most: FEWER,
    fields: [],
    options: {},
    body: (text) => ({ text }),
    columns: ["perplexity"],
    row: (r) => [r.perplexity.toFixed(2)],
  },
};

/** What a task reads of a row: one cell, or two. */
export const input = (row, column, { pair }) => (pair === undefined ? row[column] : [row[column], row[pair]]);

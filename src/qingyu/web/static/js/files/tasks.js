// How each task reads a column of texts and what columns it adds.
// `fields`: options to ask for; `body(texts, options)`: the request; `row(result)`: added cells.
import { surface } from "../text.js";

const digits = (score) => score.toFixed(4);
const ranked = {
  columns: ["label", "score", "all"],
  row: (r) => [r.labels[0], digits(r.scores[0]), r.labels.map((label, i) => `${label} ${digits(r.scores[i])}`).join("; ")],
};

export const FILE_TASKS = {
  "fill-mask": {
    fields: ["top_k"],
    options: { top_k: 5 },
    body: (text, { top_k }) => ({ text, top_k }),
    columns: ["filled", "candidates"],
    row: (r) => [r.sequence, r.masks.map((m) => m.candidates.map((c) => `${surface(c.token)} ${digits(c.score)}`).join("; ")).join(" | ")],
  },
  "zero-shot-classification": {
    fields: ["labels", "template", "multi"],
    options: { labels: [], template: "", multi: false },
    body: (text, { labels, template, multi }) => ({ text, candidate_labels: labels, hypothesis_template: template, multi_label: multi }),
    ...ranked,
  },
  "text-classification": { fields: [], options: {}, body: (text) => ({ text }), ...ranked },
  "token-classification": {
    fields: [],
    options: {},
    body: (text) => ({ text }),
    columns: ["entities"],
    row: (r) => [r.entities.map((e) => `${e.text}/${e.label}`).join("; ")],
  },
  score: {
    fields: [],
    options: {},
    body: (text) => ({ text }),
    columns: ["perplexity"],
    row: (r) => [r.perplexity.toFixed(2)],
  },
};

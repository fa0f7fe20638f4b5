// @ts-check
// The views of the page, in the order of the navigation; one with a `task` is shown where a
// model offers it.
const view = (group, id, task) => ({ group, id, task, load: () => import(`./${id}.js`) });

export const VIEWS = [
  view("first", "start"),
  view("tasks", "fill-mask", "fill-mask"),
  view("tasks", "check", "check"),
  view("tasks", "exercise", "exercise"),
  view("tasks", "zero-shot", "zero-shot-classification"),
  view("tasks", "classify", "text-classification"),
  view("tasks", "teach", "feature-extraction"),
  view("tasks", "similarity", "sentence-similarity"),
  view("tasks", "library", "search"),
  view("tasks", "entities", "token-classification"),
  view("tasks", "score", "score"),
  view("tasks", "generate", "text2text-generation"),
  view("desk", "files"),
  view("desk", "models"),
  view("desk", "live"),
];

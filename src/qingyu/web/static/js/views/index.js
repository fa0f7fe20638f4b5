// The views of the page: where each lives, and the task a model must offer for it to be shown.
export const VIEWS = [
  { id: "fill-mask", task: "fill-mask", group: "tasks", load: () => import("./fill-mask.js") },
];

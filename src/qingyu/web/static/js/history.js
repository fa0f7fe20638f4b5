// @ts-check
// One's own inputs, in this browser only.
import { keep, kept } from "./lists.js";
import { get } from "./store.js";

const PLACE = "qingyu.history";
const MOST = 60;

/** Entries `{view, state, title, at}`, newest first. */
export const entries = () => kept(PLACE);

const write = (list) => keep(PLACE, list);

/** Adds one, moving an equal one to the top. */
export function add(view, state, title) {
  if (!get("remember")) return;
  const same = JSON.stringify(state);
  const rest = entries().filter((e) => !(e.view === view && JSON.stringify(e.state) === same));
  write([{ view, state, title, at: Date.now() }, ...rest].slice(0, MOST));
}

export const remove = (index) => write(entries().filter((_, i) => i !== index));
export const clear = () => write([]);

// @ts-check
// One's own inputs, in this browser only.
import { get } from "./store.js";

const PLACE = "qingyu.history";
const MOST = 60;

/** Entries `{view, state, title, at}`, newest first. */
export function entries() {
  try {
    const list = JSON.parse(localStorage.getItem(PLACE) ?? "[]");
    return Array.isArray(list) ? list : [];
  } catch {
    return [];
  }
}

function write(list) {
  try {
    if (list.length) localStorage.setItem(PLACE, JSON.stringify(list));
    else localStorage.removeItem(PLACE);
  } catch {
    // Full or forbidden: history is a convenience.
  }
}

/** Adds one, moving an equal one to the top. */
export function add(view, state, title) {
  if (!get("remember")) return;
  const same = JSON.stringify(state);
  const rest = entries().filter((e) => !(e.view === view && JSON.stringify(e.state) === same));
  write([{ view, state, title, at: Date.now() }, ...rest].slice(0, MOST));
}

export const remove = (index) => write(entries().filter((_, i) => i !== index));
export const clear = () => write([]);

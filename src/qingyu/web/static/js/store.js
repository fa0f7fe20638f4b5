// @ts-check
// What the whole page shares, in one small observable object. Lasting choices go to localStorage.

// Chinese for a browser that lists any Chinese before it lists any English; English for all others.
const first = navigator.languages.find((one) => /^(zh|en)\b/i.test(one)) ?? "en";
const LASTING = { lang: /^zh/i.test(first) ? "zh" : "en", theme: "auto", remember: true };

function recall(name, fallback) {
  try {
    const text = localStorage.getItem(`qingyu.${name}`);
    return text === null ? fallback : typeof fallback === "boolean" ? text === "true" : text;
  } catch {
    return fallback;
  }
}

const state = {
  ...Object.fromEntries(Object.entries(LASTING).map(([k, v]) => [k, recall(k, v)])),
  key: recall("key", "") || sessionKey(),
  models: [], // as GET v1/models lists them
  connected: true, // false while the service cannot be reached
};
const listeners = new Set();

function sessionKey() {
  try {
    return sessionStorage.getItem("qingyu.key") ?? "";
  } catch {
    return "";
  }
}

export const get = (name) => state[name];

export function set(name, value) {
  if (Object.is(state[name], value)) return;
  state[name] = value;
  if (name in LASTING) keep(name, value);
  for (const listener of [...listeners]) listener(name, value);
}

/** Calls `listener(name, value)` at each change; returns the function that ends it. */
export function watch(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Writes to localStorage where the browser allows it; the page works without. */
export function keep(name, value) {
  try {
    if (value === "" || value === null) localStorage.removeItem(`qingyu.${name}`);
    else localStorage.setItem(`qingyu.${name}`, String(value));
  } catch {
    // Full or forbidden: nothing here is worth stopping for.
  }
}

/** The API key: for this tab, or on this device when asked to remember it. */
export function setKey(key, lasting) {
  keep("key", lasting ? key : "");
  try {
    sessionStorage.setItem("qingyu.key", key);
  } catch {
    // The key then lives as long as the page.
  }
  set("key", key);
}

// @ts-check
// State lives in the fragment of the address: shareable, and never sent to a server.

const LONGEST = 4000; // characters of a link that browsers and chats still carry

/** `{view, params}` of the present address. */
export function here() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { view: path, params: Object.fromEntries(new URLSearchParams(query)) };
}

/** The fragment for a view in a state; null where it would be too long to share. */
export function link(view, params = {}) {
  const query = new URLSearchParams(params).toString();
  const hash = query ? `#/${view}?${query}` : `#/${view}`;
  return hash.length > LONGEST ? null : hash;
}

/** Notes the state in the address without adding to the browser's history. */
export function note(view, params) {
  const hash = link(view, params) ?? `#/${view}`;
  if (hash !== location.hash) history.replaceState(null, "", hash);
}

export function go(view, params) {
  location.hash = link(view, params) ?? `#/${view}`;
}

/** Calls `listener(here())` at each change of view or state made by a link, back or forward. */
export function onmove(listener) {
  addEventListener("hashchange", () => {
    if (location.hash.startsWith("#/") || location.hash === "") listener(here());
  });
}

// @ts-check
// Lists kept in this browser under a name; where it forbids that, or is full, there are none.

/** @param {string} place @returns {any[]} */
export function kept(place) {
  try {
    const list = JSON.parse(localStorage.getItem(place) ?? "[]");
    return Array.isArray(list) ? list : [];
  } catch {
    return [];
  }
}

/** Whether it is kept now; an empty list takes no room. @param {string} place @param {any[]} list */
export function keep(place, list) {
  try {
    if (list.length) localStorage.setItem(place, JSON.stringify(list));
    else localStorage.removeItem(place);
    return true;
  } catch {
    return false;
  }
}

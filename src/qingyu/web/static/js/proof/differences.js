// @ts-check
// Where two versions of a line differ, as few characters as can be said to have changed.

const MOST = 2_000_000; // cells of the table; longer lines count as changed from end to end

/** `[{start, end, text}]`: replace `[start, end)` of `old` (by index of `old`) to get `now`; both
 * are arrays of characters. */
export function differences(old, now) {
  let head = 0;
  while (head < old.length && head < now.length && old[head] === now[head]) head += 1;
  let tail = 0;
  while (
    tail < old.length - head &&
    tail < now.length - head &&
    old[old.length - 1 - tail] === now[now.length - 1 - tail]
  )
    tail += 1;
  const [a, b] = [old.slice(head, old.length - tail), now.slice(head, now.length - tail)];
  if (a.length === 0 && b.length === 0) return [];
  if (a.length * b.length > MOST || a.length === 0 || b.length === 0)
    return [{ start: head, end: head + a.length, text: b.join("") }];
  return changes(a, b).map((one) => ({ ...one, start: one.start + head, end: one.end + head }));
}

/** By the longest common subsequence, read off from the front. */
function changes(a, b) {
  const width = b.length + 1;
  const common = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1)
    for (let j = b.length - 1; j >= 0; j -= 1)
      common[i * width + j] =
        a[i] === b[j]
          ? common[(i + 1) * width + j + 1] + 1
          : Math.max(common[(i + 1) * width + j], common[i * width + j + 1]);
  const found = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      i += 1;
      j += 1;
      continue;
    }
    const [start, from] = [i, j];
    while ((i < a.length || j < b.length) && !(i < a.length && j < b.length && a[i] === b[j])) {
      const down = i < a.length ? common[(i + 1) * width + j] : -1;
      const right = j < b.length ? common[i * width + j + 1] : -1;
      if (down >= right) i += 1;
      else j += 1;
    }
    found.push({ start, end: i, text: b.slice(from, j).join("") });
  }
  return found;
}

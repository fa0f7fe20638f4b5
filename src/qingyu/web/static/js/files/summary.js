// @ts-check
// Figures about answered rows: counts, counts by another column, agreement with right answers.

const Z = 1.96; // standard deviations of a 95 % interval

/** `[name, count]` of names, most first. */
export function tally(names) {
  const found = new Map();
  for (const name of names) found.set(name, (found.get(name) ?? 0) + 1);
  return [...found].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}

/**
 * Pairs `[kind, value]` counted both ways: the `most` commonest values, and for each kind its counts.
 * @param {[string, string][]} pairs
 * @param {number} most
 */
export function crossed(pairs, most) {
  const values = tally(pairs.map(([, value]) => value))
    .slice(0, most)
    .map(([value]) => value);
  const rows = tally(pairs.map(([kind]) => kind)).map(([kind]) => ({
    kind,
    counts: values.map((value) => pairs.filter(([k, v]) => k === kind && v === value).length),
  }));
  return { values, rows };
}

/**
 * Answers `[right, told]` compared: how many agree, the 95 % interval of that share (Wilson 1927),
 * and how often each right answer got each answer.
 * @param {[string, string][]} pairs
 */
export function compared(pairs) {
  const agree = pairs.filter(([right, told]) => right === told).length;
  const n = pairs.length;
  const share = n ? agree / n : 0;
  const base = 1 + Z ** 2 / (n || 1);
  const middle = (share + Z ** 2 / (2 * (n || 1))) / base;
  const half = (Z / base) * Math.sqrt((share * (1 - share)) / (n || 1) + Z ** 2 / (4 * (n || 1) ** 2));
  const labels = tally(pairs.flat()).map(([label]) => label);
  const place = new Map(labels.map((label, i) => [label, i]));
  const matrix = labels.map(() => labels.map(() => 0));
  for (const [right, told] of pairs) matrix[place.get(right)][place.get(told)] += 1;
  return {
    n,
    agree,
    share,
    low: Math.max(0, middle - half),
    high: Math.min(1, middle + half),
    labels,
    matrix,
  };
}

// @ts-check
// The service's Prometheus text, read: totals, rates between two readings, quantiles.

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/** Metric name -> `[{labels, value}]`. */
export function parse(text) {
  const out = new Map();
  for (const line of text.split("\n")) {
    const match = LINE.exec(line);
    if (!match) continue;
    const labels = Object.fromEntries([...(match[2] ?? "").matchAll(LABEL)].map((m) => [m[1], m[2]]));
    if (!out.has(match[1])) out.set(match[1], []);
    out.get(match[1]).push({ labels, value: Number(match[3]) });
  }
  return out;
}

/**
 * The sum over all labels that `keep` lets through.
 * @param {Map<string, {labels: Record<string, string>, value: number}[]>} reading
 * @param {string} name
 * @param {(labels: Record<string, string>) => boolean} [keep]
 */
export const total = (reading, name, keep = () => true) =>
  (reading.get(name) ?? []).reduce((sum, x) => (keep(x.labels) ? sum + x.value : sum), 0);

/** How much a counter grew; a counter that fell was restarted. */
export function grown(before, after, name, keep) {
  const change = total(after, name, keep) - total(before, name, keep);
  return change >= 0 ? change : total(after, name, keep);
}

/** The q-quantile of a histogram between two readings, linear within a bucket; null without data. */
export function quantile(before, after, name, q) {
  const bounds = new Map();
  for (const [reading, sign] of [
    [before, -1],
    [after, 1],
  ]) {
    for (const { labels, value } of reading.get(`${name}_bucket`) ?? []) {
      const le = labels.le === "+Inf" ? Infinity : Number(labels.le);
      bounds.set(le, (bounds.get(le) ?? 0) + sign * value);
    }
  }
  const steps = [...bounds].sort((a, b) => a[0] - b[0]);
  const all = steps.at(-1)?.[1] ?? 0;
  if (all <= 0) return null;
  let [low, under] = [0, 0];
  for (const [bound, n] of steps) {
    if (n >= q * all)
      return bound === Infinity ? low : low + ((q * all - under) / (n - under)) * (bound - low);
    [low, under] = [bound, n];
  }
  return low;
}

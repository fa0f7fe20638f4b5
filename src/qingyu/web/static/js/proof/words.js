// @ts-check
// One's own dictionary: words that are never suspected, kept in this browser.
const PLACE = "qingyu.words";
const MOST = 1000;

export function keptWords() {
  try {
    const list = JSON.parse(localStorage.getItem(PLACE) ?? "[]");
    return Array.isArray(list) ? list.filter((one) => typeof one === "string") : [];
  } catch {
    return [];
  }
}

export function keepWords(list) {
  try {
    const words = [...new Set(list.map((one) => one.trim()).filter(Boolean))];
    localStorage.setItem(PLACE, JSON.stringify(words.slice(-MOST)));
  } catch {
    // Full or forbidden: the words then last as long as nothing does.
  }
}

/** The word that a stretch of a line belongs to, as far as the browser can tell. */
export function wordAround(line, start, end) {
  const parts = Intl.Segmenter ? [...new Intl.Segmenter("zh", { granularity: "word" }).segment(line)] : [];
  const own = parts.filter((one) => one.index < end && one.index + one.segment.length > start);
  return own.map((one) => one.segment).join("") || line.slice(start, end);
}

// @ts-check
// One's own dictionary: words that are never suspected, kept in this browser.
import { keep, kept } from "../lists.js";

const PLACE = "qingyu.words";
const MOST = 1000;

export const keptWords = () => kept(PLACE).filter((one) => typeof one === "string");

export function keepWords(list) {
  const words = [...new Set(list.map((one) => one.trim()).filter(Boolean))];
  keep(PLACE, words.slice(-MOST));
}

/** The word that a stretch of a line belongs to, as far as the browser can tell. */
export function wordAround(line, start, end) {
  const parts = Intl.Segmenter ? [...new Intl.Segmenter("zh", { granularity: "word" }).segment(line)] : [];
  const own = parts.filter((one) => one.index < end && one.index + one.segment.length > start);
  return own.map((one) => one.segment).join("") || line.slice(start, end);
}

// @ts-check
// The service counts in Unicode code points, JavaScript in UTF-16 units; here they meet.

/** The code points `[start, end)` of `text`. */
export const slice = (text, start, end) => [...text].slice(start, end).join("");

/** `text` with the code points `[start, end)` replaced. */
export const splice = (text, start, end, put) => {
  const points = [...text];
  return points.slice(0, start).join("") + put + points.slice(end).join("");
};

/** A vocabulary token as it stands in running text: `##` marks the inside of a word. */
export const surface = (token) => token.replace(/^##/, "");

export const MASK = "[MASK]";
// As the service finds them: [MASK] and <mask> always, what people draw a blank with when asked to.
const ALWAYS = "[\\[［]mask[\\]］]|<mask>";
const COMMON = { ___: "_{2,}", "（ ）": "[（(][ \\u3000]*[)）]", "□": "[□▢]" };
const BLANKS = new RegExp([ALWAYS, ...Object.values(COMMON)].join("|"), "gi");

/** Where the blanks stand, in UTF-16 units: for the editor's highlight, not for the service. */
export const findBlanks = (text) =>
  [...text.matchAll(BLANKS)].map((m) => ({ start: m.index, end: m.index + m[0].length }));

/** The spellings besides [MASK] that a text uses, as the service names them. */
export const spellings = (text) => Object.keys(COMMON).filter((name) => new RegExp(COMMON[name]).test(text));

/** Splits `text` at spans (code points, in order, apart) into `[piece, span or null]` pairs. */
export function pieces(text, spans) {
  const points = [...text];
  const out = [];
  let at = 0;
  for (const span of spans) {
    if (span.start > at) out.push([points.slice(at, span.start).join(""), null]);
    out.push([points.slice(span.start, span.end).join(""), span]);
    at = span.end;
  }
  if (at < points.length) out.push([points.slice(at).join(""), null]);
  return out;
}

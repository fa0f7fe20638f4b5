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
const MASKS = /\[mask\]/gi;

/** Where the masks stand, in UTF-16 units: for the editor's highlight, not for the service. */
export const findMasks = (text) =>
  [...text.matchAll(MASKS)].map((m) => ({ start: m.index, end: m.index + m[0].length }));

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

// @ts-check
// Bytes of a file to text: UTF-8 with or without BOM, UTF-16 with BOM, GB18030 (and so GBK), Big5.
// The last two read each other's bytes without complaint: the characters that come out tell.

/** A file that cannot be used; `name` is a text of the page, `values` its details. */
export class FileError extends Error {
  /** @param {string} name @param {object} [values] */
  constructor(name, values) {
    super(name);
    this.text = { name, values };
  }
}

/** @type {[string, number[]][]} */
const BOMS = [
  ["utf-8", [0xef, 0xbb, 0xbf]],
  ["utf-16le", [0xff, 0xfe]],
  ["utf-16be", [0xfe, 0xff]],
];

/** `{text, encoding}`; throws FileError where no known encoding fits. */
export function decode(bytes) {
  const bom = BOMS.find(([, mark]) => mark.every((byte, i) => bytes[i] === byte));
  const sure = read(bom ? bom[0] : "utf-8", bytes);
  if (sure !== null)
    return { text: sure, encoding: bom?.[0] === "utf-8" ? "utf-8-bom" : (bom?.[0] ?? "utf-8") };
  const found = ["gb18030", "big5"]
    .map((encoding) => ({ encoding, text: bom ? null : read(encoding, bytes) }))
    .filter(({ text }) => text !== null)
    .map((one) => ({ ...one, score: plausible(one.text) }))
    .sort((a, b) => b.score - a.score)[0];
  if (!found || found.score < LEAST) throw new FileError("file.encoding");
  return { text: found.text, encoding: found.encoding };
}

/** The text in an encoding, or null where the bytes are not in it. */
function read(encoding, bytes) {
  let text;
  try {
    text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
  if (text.includes("\0")) throw new FileError("file.binary");
  return text;
}

const LEAST = 0.5;
const NO_CHARACTERS = 0.75; // of a text with punctuation alone
const LOOKED_AT = 65536;

/** The share of ideographs in common use. */
function plausible(text) {
  let all = 0;
  let usual = 0;
  for (const char of text) {
    if (char < "\u3400" || (char >= "\uff00" && char <= "\uffef")) continue;
    all += 1;
    if (common().has(char)) usual += 1;
    if (all === LOOKED_AT) break;
  }
  return all ? usual / all : NO_CHARACTERS;
}

let known = null;

/** The first levels of GB 2312 (3,755 simplified) and of Big5 (5,401 traditional characters). */
function common() {
  if (known) return known;
  known = new Set();
  const simplified = new TextDecoder("gbk");
  const traditional = new TextDecoder("big5");
  for (let lead = 0xa4; lead < 0xd8; lead += 1)
    for (let trail = 0x40; trail < 0xff; trail += 1) {
      const pair = new Uint8Array([lead, trail]);
      if (lead >= 0xb0 && trail >= 0xa1) known.add(simplified.decode(pair));
      if (lead < 0xc6 || (lead === 0xc6 && trail < 0x7f)) known.add(traditional.decode(pair));
    }
  return known;
}

// Bytes of a file to text: UTF-8 with or without BOM, UTF-16 with BOM, GB18030 (and so GBK).

/** A file that cannot be used; `name` is a text of the page, `values` its details. */
export class FileError extends Error {
  constructor(name, values) {
    super(name);
    this.text = { name, values };
  }
}

const BOMS = [
  ["utf-8", [0xef, 0xbb, 0xbf]],
  ["utf-16le", [0xff, 0xfe]],
  ["utf-16be", [0xfe, 0xff]],
];

/** `{text, encoding}`; throws FileError where no known encoding fits. */
export function decode(bytes) {
  const bom = BOMS.find(([, mark]) => mark.every((byte, i) => bytes[i] === byte));
  const tries = bom ? [bom[0]] : ["utf-8", "gb18030"];
  for (const encoding of tries) {
    try {
      const text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
      if (text.includes("\0")) throw new FileError("file.binary");
      return { text, encoding: bom && encoding === "utf-8" ? "utf-8-bom" : encoding };
    } catch (error) {
      if (error instanceof FileError) throw error;
    }
  }
  throw new FileError("file.encoding");
}

// @ts-check
// ZIP as XLSX needs it: read stored and deflated entries, write stored ones.
import { FileError } from "./decode.js";

const MOST = 256e6; // bytes of one unpacked entry: more is a trap, or no table for a browser

/** Entry name -> function that unpacks it to bytes. */
export function read(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = bytes.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end -= 1;
  if (end < 0) throw new FileError("file.zip");
  const entries = new Map();
  try {
    let at = view.getUint32(end + 16, true);
    for (let left = view.getUint16(end + 10, true); left > 0; left -= 1) {
      if (view.getUint32(at, true) !== 0x02014b50) throw new RangeError("no directory entry");
      const [method, size] = [view.getUint16(at + 10, true), view.getUint32(at + 20, true)];
      const name = view.getUint16(at + 28, true);
      const local = view.getUint32(at + 42, true);
      const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
      const path = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + name));
      entries.set(path, () => unpack(bytes.subarray(start, start + size), method));
      at += 46 + name + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    }
  } catch (error) {
    if (error instanceof RangeError) throw new FileError("file.zip");
    throw error;
  }
  return entries;
}

async function unpack(packed, method) {
  if (method === 0) return packed;
  if (method !== 8) throw new FileError("file.zip");
  const parts = [];
  let total = 0;
  try {
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    const reader = stream.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      total += part.value.length;
      if (total > MOST) throw new FileError("file.huge");
      parts.push(part.value);
    }
  } catch (error) {
    throw error instanceof FileError ? error : new FileError("file.zip");
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k += 1) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

export function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** A ZIP of `[path, bytes]` entries, stored, as an array of parts for a Blob. */
export function write(entries) {
  const parts = [];
  const directory = [];
  let at = 0;
  for (const [path, bytes] of entries) {
    const name = new TextEncoder().encode(path);
    // version 2.0, names in UTF-8, stored, 1980-01-01, check sum, sizes, name length, no extra
    const common = [
      [2, 20],
      [2, 0x800],
      [2, 0],
      [2, 0],
      [2, 33],
      [4, crc32(bytes)],
      [4, bytes.length],
      [4, bytes.length],
      [2, name.length],
      [2, 0],
    ];
    const head = pack([[4, 0x04034b50], ...common]);
    parts.push(head, name, bytes);
    directory.push(
      pack([[4, 0x02014b50], [2, 20], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, at]]),
      name,
    );
    at += head.length + name.length + bytes.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const n = directory.length / 2;
  return [
    ...parts,
    ...directory,
    pack([
      [4, 0x06054b50],
      [2, 0],
      [2, 0],
      [2, n],
      [2, n],
      [4, size],
      [4, at],
      [2, 0],
    ]),
  ];
}

/** Little-endian fields `[bytes, value]`. */
function pack(fields) {
  const view = new DataView(new ArrayBuffer(fields.reduce((sum, [size]) => sum + size, 0)));
  let at = 0;
  for (const [size, value] of fields) {
    if (size === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += size;
  }
  return new Uint8Array(view.buffer);
}

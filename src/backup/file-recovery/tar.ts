// A tar archive (POSIX pax) as it is read, in constant memory. Whatever a name holds, it arrives as it
// is: names, sizes and links that do not fit into the old header go into a pax record before it.

import type { Entry } from "./entries.ts";

export type ReadEntry = (entry: Entry) => AsyncIterable<Uint8Array>;

const block = 512;
const types = { file: "0", link: "2", folder: "5" } as const;

export async function* tarArchive(entries: readonly Entry[], read: ReadEntry): AsyncGenerator<Uint8Array> {
  for (const entry of entries) {
    if (entry.kind === "other") continue; // devices and sockets are not carried out of a point
    const size = entry.kind === "file" ? entry.sizeBytes : 0;
    const name = entry.kind === "folder" ? Buffer.concat([entry.rawPath, Buffer.from("/")]) : entry.rawPath;
    const link = Buffer.from(entry.linkTarget ?? "");
    const records = Buffer.concat([
      ...(name.length > 100 ? [paxRecord("path", name)] : []),
      ...(link.length > 100 ? [paxRecord("linkpath", link)] : []),
      ...(size > 0o77777777777 ? [paxRecord("size", Buffer.from(String(size)))] : []),
    ]);
    if (records.length > 0) {
      yield header({ ...entry, kind: "file" }, Buffer.from("pax"), Buffer.alloc(0), records.length, "x");
      yield padded(records);
    }
    yield header(entry, name, link, size, types[entry.kind]);
    if (size === 0) continue;
    for await (const piece of read(entry)) yield piece;
    yield Buffer.alloc((block - (size % block)) % block);
  }
  yield Buffer.alloc(2 * block);
}

function header(entry: Entry, name: Buffer, link: Buffer, size: number, type: string): Buffer {
  const bytes = Buffer.alloc(block);
  const octal = (value: number, length: number): string =>
    Math.min(Math.max(0, Math.floor(value)), 8 ** (length - 1) - 1)
      .toString(8)
      .padStart(length - 1, "0");
  bytes.set(name.subarray(0, 100), 0);
  bytes.write(octal(entry.mode, 8), 100);
  bytes.write(octal(entry.owner, 8), 108);
  bytes.write(octal(entry.group, 8), 116);
  bytes.write(octal(size, 12), 124);
  bytes.write(octal(entry.modifiedAt / 1000, 12), 136);
  bytes.fill(" ", 148, 156);
  bytes.write(type, 156);
  bytes.set(link.subarray(0, 100), 157);
  bytes.write("ustar\x0000", 257);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return bytes;
}

/** `LENGTH KEY=VALUE\n`, where the length counts itself. */
function paxRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from("\n")]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((block - (bytes.length % block)) % block)]);
}

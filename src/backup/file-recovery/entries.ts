// Entries of a folder as the helper guest lists them. Names are bytes of a hostile file system: they
// are shown as text, and asked for by the bytes that they were.

import { isoTime } from "../../lib/clock.ts";
import { fileRecoveryErrors } from "./errors.ts";

export type EntryKind = "file" | "folder" | "link" | "other";

export interface Entry {
  /** Below the folder that was listed; `/` between the parts. Bytes that are no UTF-8 become `%XX`. */
  readonly path: string;
  readonly rawPath: Buffer;
  readonly kind: EntryKind;
  readonly sizeBytes: number;
  readonly modifiedAt: number;
  readonly mode: number;
  readonly owner: number;
  readonly group: number;
  readonly linkTarget: string | undefined;
}

/** As the wire tells it. */
export function shownEntry({ rawPath: _bytes, modifiedAt, mode, ...entry }: Entry): ShownEntry {
  return { ...entry, modifiedAt: isoTime(modifiedAt), mode: mode.toString(8).padStart(4, "0") };
}

export interface ShownEntry extends Omit<Entry, "rawPath" | "modifiedAt" | "mode"> {
  readonly modifiedAt: string;
  readonly mode: string;
}

const kinds: Readonly<Record<string, EntryKind>> = { f: "file", d: "folder", l: "link" };

/** Records of `find -printf '%y %m %s %T@ %U %G %P\0%l\0'`. A record that was cut off is left out. */
export function parseEntries(answer: Buffer): Entry[] {
  const entries: Entry[] = [];
  for (let at = 0; at < answer.length;) {
    const middle = answer.indexOf(0, at);
    const end = middle < 0 ? -1 : answer.indexOf(0, middle + 1);
    if (end < 0) break;
    entries.push(parseEntry(answer.subarray(at, middle), answer.subarray(middle + 1, end)));
    at = end + 1;
  }
  return entries;
}

function parseEntry(record: Buffer, link: Buffer): Entry {
  const match = /^(\S) (\d{1,5}) (\d{1,20}) (-?\d{1,15})(?:\.\d*)? (\d{1,10}) (\d{1,10}) /.exec(
    record.subarray(0, 100).toString("latin1"),
  );
  if (match === null) throw fileRecoveryErrors.FileRecoverySessionFailed("The helper guest listed what is no entry.");
  const [whole, kind = "", mode = "", size = "", seconds = "", owner = "", group = ""] = match;
  const rawPath = Buffer.from(record.subarray(whole.length));
  return {
    path: shownText(rawPath),
    rawPath,
    kind: kinds[kind] ?? "other",
    sizeBytes: Number(size),
    // A hostile file system says any time it likes; what no calendar knows is shown as the epoch.
    modifiedAt: Math.abs(Number(seconds)) > 8e12 ? 0 : Number(seconds) * 1000,
    mode: Number.parseInt(mode, 8) & 0o7777,
    owner: Number(owner),
    group: Number(group),
    linkTarget: kind === "l" ? shownText(link) : undefined,
  };
}

/** Reads back what `shownText` wrote. */
export function rawPathOf(path: string): Buffer {
  const parts = path.split("/");
  if (path === "" || parts.some((part) => part === "" || part === "." || part === "..") || path.includes("\0")) {
    throw fileRecoveryErrors.FileRecoveryPathInvalid(
      `The path "${path.slice(0, 200)}" is no path below a recovery point's volumes: VOLUME/FOLDER/FILE.`,
    );
  }
  const pieces: Buffer[] = [];
  let from = 0;
  for (const match of path.matchAll(/%([0-9A-F]{2})/g)) {
    pieces.push(Buffer.from(path.slice(from, match.index)), Buffer.from(match[1] ?? "", "hex"));
    from = match.index + 3;
  }
  const raw = Buffer.concat([...pieces, Buffer.from(path.slice(from))]);
  if (
    raw.includes(0) ||
    raw
      .toString("latin1")
      .split("/")
      .some((part) => part === ".." || part === "." || part === "")
  )
    throw fileRecoveryErrors.FileRecoveryPathInvalid("The path holds a part that is no name.");
  return raw;
}

/** `%` and what is no UTF-8 as `%XX`; the rest as it is. */
function shownText(bytes: Buffer): string {
  const text = bytes.toString("utf8");
  if (Buffer.from(text).equals(bytes)) return text.replaceAll("%", "%25");
  return [...bytes]
    .map((byte) =>
      byte < 0x80 && byte !== 0x25 ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`,
    )
    .join("");
}

// Where things are in a vault. Item names come from outside: whatever they hold, the object name
// that is made of them is one plain segment.

import { storeErrors } from "../errors.ts";
import { maxItemBytes } from "./layout.ts";

export const prefixes = {
  config: "config/",
  packs: "packs/",
  index: "index/",
  points: "points/",
  deleted: "deleted/",
  sessions: "sessions/",
  collect: "collect/",
  quarantine: "quarantine/",
  kept: "kept/",
} as const;

export const packName = (hash: string): string => `packs/${hash.slice(0, 2)}/${hash}`;
export const indexName = (hash: string): string => `index/${hash}`;
export const quarantineName = (hash: string): string => `quarantine/${hash}`;
export const configName = (number: number): string => `config/${String(number).padStart(8, "0")}`;
export const keptDocumentName = (number: number): string => `kept/${String(number).padStart(8, "0")}`;

const hashPattern = /^[0-9a-f]{64}$/;

/** The hash in the name of a pack, an index object or a quarantine record; undefined for foreign names. */
export function hashOfName(name: string): string | undefined {
  const last = name.slice(name.lastIndexOf("/") + 1);
  return hashPattern.test(last) ? last : undefined;
}

const plainByte = /[a-z0-9-]/;

export function itemSegment(item: string): string {
  const bytes = Buffer.from(item, "utf8");
  if (bytes.length === 0 || bytes.length > maxItemBytes || bytes.toString("utf8") !== item) {
    throw storeErrors.ItemNameInvalid(
      `The item name ${JSON.stringify(item.slice(0, 100))} has ${bytes.length} bytes; 1 to ${maxItemBytes} bytes of UTF-8 are allowed.`,
    );
  }
  let segment = "";
  for (const byte of bytes) {
    const character = String.fromCharCode(byte);
    segment += plainByte.test(character) ? character : `_${byte.toString(16).padStart(2, "0")}`;
  }
  return segment;
}

/** `<item>/<time>-<id>`: the same in points/ and deleted/, and what the seal binds. */
export type PointName = string & { readonly brand: "PointName" };

const pointNamePattern = /^(?:[a-z0-9-]|_[0-9a-f]{2})+\/\d{15}-[0-9a-f]{16}$/;

export function pointName(item: string, time: number, id: string): PointName {
  return parsePointName(`${itemSegment(item)}/${String(time).padStart(15, "0")}-${id}`);
}

export function parsePointName(text: string): PointName {
  if (!isPointName(text)) {
    throw storeErrors.PointMissing(`${JSON.stringify(text.slice(0, 300))} is not the name of a recovery point.`);
  }
  return text;
}

export function isPointName(text: string): text is PointName {
  return pointNamePattern.test(text);
}

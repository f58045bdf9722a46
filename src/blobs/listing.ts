// Blobs of a container in the order of their names, in pages, optionally as folders. A folder costs
// one row to find, however many blobs are in it: the search goes on behind it.

import { blobErrors } from "./errors.ts";
import type { ContainerAddress } from "./names.ts";
import { blobFromRow, noSnapshot, type Blob } from "./rows/blob.ts";
import type { Reader } from "./rows/account.ts";

export interface ListQuery {
  readonly prefix: string;
  readonly delimiter: string | undefined;
  readonly marker: string | undefined;
  readonly limit: number;
  readonly snapshots: boolean;
}

export type ListEntry = { readonly blob: Blob } | { readonly folder: string };

export interface ListPage {
  readonly entries: readonly ListEntry[];
  readonly nextMarker: string | undefined;
}

interface Position {
  readonly name: string;
  /** Absent: at the name itself. */
  readonly afterSnapshot?: string;
}

export async function listBlobs(reader: Reader, address: ContainerAddress, query: ListQuery): Promise<ListPage> {
  const entries: ListEntry[] = [];
  let position: Position = query.marker === undefined ? { name: query.prefix } : readMarker(query.marker);
  for (;;) {
    const rows = await fetch(reader, address, query, position);
    let jump: Position | undefined;
    for (const blob of rows) {
      if (!blob.name.startsWith(query.prefix)) return { entries, nextMarker: undefined };
      if (entries.length === query.limit) {
        return { entries, nextMarker: Buffer.from(JSON.stringify(position)).toString("base64url") };
      }
      const cut = query.delimiter === undefined ? -1 : blob.name.indexOf(query.delimiter, query.prefix.length);
      if (cut === -1 || query.delimiter === undefined) {
        entries.push({ blob });
        position = { name: blob.name, afterSnapshot: blob.snapshot ?? noSnapshot };
      } else {
        const folder = blob.name.slice(0, cut + query.delimiter.length);
        entries.push({ folder });
        jump = behind(folder);
        if (jump === undefined) return { entries, nextMarker: undefined };
        position = jump;
        break;
      }
    }
    if (jump === undefined && rows.length <= query.limit) return { entries, nextMarker: undefined };
  }
}

async function fetch(
  reader: Reader,
  { account, container }: ContainerAddress,
  query: ListQuery,
  { name, afterSnapshot }: Position,
): Promise<Blob[]> {
  let select = reader.selectFrom("blobs").selectAll().where("account", "=", account).where("container", "=", container);
  select =
    afterSnapshot === undefined
      ? select.where("name", ">=", name)
      : select.where(({ eb, or, and }) =>
          or([eb("name", ">", name), and([eb("name", "=", name), eb("snapshot", ">", afterSnapshot)])]),
        );
  if (!query.snapshots) select = select.where("snapshot", "=", noSnapshot);
  const rows = await select
    .orderBy("name")
    .orderBy("snapshot")
    .limit(query.limit + 1)
    .execute();
  return rows.map(blobFromRow);
}

/** The first name that does not begin with `folder` and sorts behind all that do. */
function behind(folder: string): Position | undefined {
  const points = [...folder];
  for (;;) {
    const last = points.pop()?.codePointAt(0);
    if (last === undefined) return undefined;
    // Surrogates are no characters: the next one behind them is U+E000.
    if (last < 0x10ffff)
      return { name: points.join("") + String.fromCodePoint(last + 1 === 0xd800 ? 0xe000 : last + 1) };
  }
}

function readMarker(marker: string): Position {
  try {
    const value: unknown = JSON.parse(Buffer.from(marker, "base64url").toString("utf8"));
    if (typeof value === "object" && value !== null && "name" in value && typeof value.name === "string") {
      const afterSnapshot =
        "afterSnapshot" in value && typeof value.afterSnapshot === "string" ? value.afterSnapshot : undefined;
      return { name: value.name, afterSnapshot };
    }
  } catch {
    // said below
  }
  throw blobErrors.OutOfRangeInput("The marker is not one that this list gave out.");
}

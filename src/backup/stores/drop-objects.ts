// Deletes all of a store, and nothing that others put beside it. Points go first, so that none is
// ever listed whose bytes are gone; the keys go last, so that a deletion that broke off is still a vault.

import { prefixes } from "../../store/format/object-names.ts";
import type { ObjectStore } from "../../store/index.ts";

const order = ["points", "deleted", "sessions", "collect", "quarantine", "index", "packs", "kept", "config"] as const;

export async function dropObjects(place: ObjectStore, signal?: AbortSignal): Promise<void> {
  for (const kind of order) {
    const names: string[] = [];
    for await (const { name } of place.list(prefixes[kind], signal)) names.push(name);
    for (const name of names) await place.delete(name, signal);
  }
}

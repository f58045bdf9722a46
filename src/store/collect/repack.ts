// Writing what is still needed of mostly dead packs again, in packs of its own. The old packs are
// condemned by the caller: their blobs have a better copy now.

import { kindOf, plainLength } from "../format/pack.ts";
import { blobKinds, type BlobKind } from "../format/layout.ts";
import { randomBytes } from "../../lib/random.ts";
import { PackBuilder, appendAllowance } from "../pipeline/pack-builder.ts";
import { isDamage } from "../damage.ts";
import { groupByPack, type LocatedBlob } from "../read/blob-reader.ts";
import { rangeOpener } from "../pipeline/open-range.ts";
import { packUploads } from "../session/pack-uploads.ts";
import { removeSession, writeOpen } from "../session/session-records.ts";
import { withFreshIndex, type Vault } from "../vault.ts";
import { findReferences } from "./references.ts";

/** Gives the packs whose needed blobs are all in other packs now. */
export async function repackPacks(vault: Vault, hashes: readonly string[], signal?: AbortSignal): Promise<string[]> {
  const session = randomBytes(8).toString("hex");
  await writeOpen(vault.store, vault.keys, session, [], vault.clock.now(), signal);
  const uploads = packUploads(vault, undefined, () => {}, signal);
  const opener = rangeOpener(vault.keys);
  // Map nodes stay apart from data, so that walking maps touches few packs.
  const builders = new Map<boolean, PackBuilder>();
  try {
    const view = withFreshIndex(vault);
    await view.index.refresh(signal);
    const { table, marked } = await findReferences(view, signal);
    const wanted = new Map<number, string>();
    for (const hash of hashes) {
      const number = view.index.packNumber(hash);
      if (number !== undefined) wanted.set(number, hash);
    }
    const live: LocatedBlob[] = [];
    marked.forEach((mark, slot) => {
      if (mark === 0) return;
      const location = table.location(slot);
      const id = wanted.has(location.pack) ? table.idAt(slot) : undefined;
      if (id !== undefined) live.push({ id, ...location });
    });
    const failed = new Set<number>();
    for (const group of groupByPack(live, ({ shape }) => plainLength(shape))) {
      try {
        const range = await view.blobs.fetch(group, 0, signal);
        for (const blob of range.blobs) {
          const content = opener.open(range, blob);
          opener.checkId(blob, content);
          add(Buffer.from(blob.id), kindOf(blob.shape) as BlobKind, content);
        }
      } catch (error) {
        if (!isDamage(error)) throw error;
        failed.add(group.pack);
      }
    }
    for (const isMap of builders.keys()) finish(isMap);
    await uploads.drain();
    return [...wanted].filter(([number]) => !failed.has(number)).map(([, hash]) => hash);
  } finally {
    uploads.stop();
    vault.pool().closeSession(uploads.session);
    await removeSession(vault.store, session);
  }

  function add(id: Buffer, kind: BlobKind, content: Buffer): void {
    const isMap = kind !== blobKinds.data;
    const builder =
      builders.get(isMap) ??
      new PackBuilder(vault.keys, vault.index.startPack(uploads.session), new ArrayBuffer(1 << 20), vault.packHash);
    builders.set(isMap, builder);
    builder.append(id, kind, content);
    if (builder.size + appendAllowance > vault.config.packTarget) finish(isMap);
  }

  function finish(isMap: boolean): void {
    const full = builders.get(isMap);
    if (full === undefined) return;
    builders.delete(isMap);
    const pack = full.finish();
    uploads.add(full.packNumber, pack, full.memory);
  }
}

// Many small index objects into few, without the packs that may be forgotten. What they say of a lost
// pack is kept: it is how the loss is noticed. A reader that comes in between sees the old ones, the
// new ones or both: their union is the same.

import { decodeIndex, type IndexedPackEntries } from "../format/index-object.ts";
import { maxIndexSize, objectKinds } from "../format/layout.ts";
import { hashOfName, indexName } from "../format/object-names.ts";
import { decodeEntries } from "../format/pack.ts";
import { unseal } from "../format/sealed.ts";
import { isDamage } from "../damage.ts";
import { putIndex } from "../session/put-index.ts";
import type { Vault } from "../vault.ts";

const entriesPerIndex = 100_000;

export async function mergeIndexes(
  vault: Vault,
  names: readonly string[],
  forget: ReadonlySet<string>,
  signal?: AbortSignal,
): Promise<void> {
  const seen = new Set<string>();
  const small: string[] = [];
  let packs: IndexedPackEntries[] = [];
  let entries = 0;
  const replaced: string[] = [];
  for (const name of names) {
    const hash = hashOfName(name);
    if (hash === undefined) continue;
    let content: Buffer;
    try {
      content = unseal(vault.keys, objectKinds.index, "", await vault.store.get(name, { signal }), maxIndexSize, name);
    } catch (error) {
      if (!isDamage(error)) throw error;
      continue; // verify tells about it; packs speak for themselves
    }
    small.push(hash);
    decodeIndex(content, name, {
      replaces: () => {},
      pack: (pack, stored) => {
        if (seen.has(pack.hash) || forget.has(pack.hash)) return;
        seen.add(pack.hash);
        const own = decodeEntries(Buffer.from(stored));
        packs.push({ ...pack, entries: own });
        entries += own.length;
      },
    });
    if (entries >= entriesPerIndex) await flush();
  }
  await flush();
  // Only now: each of them is contained in the merged ones.
  for (const hash of replaced) await vault.store.delete(indexName(hash), signal);

  async function flush(): Promise<void> {
    if (small.length === 0) return;
    if (packs.length > 0) await putIndex(vault, small, packs, { signal });
    replaced.push(...small.splice(0));
    packs = [];
    entries = 0;
  }
}

// A writer that has the keys and stores under a blob's id what is not its content: everything opens, and
// every object is what its name says. Only a look at each content finds it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryStore } from "../backends/memory.ts";
import type { ObjectStore } from "../backends/object-store.ts";
import { packKinds } from "../format/content-name.ts";
import { blobKinds, type BlobKind } from "../format/layout.ts";
import { packName } from "../format/object-names.ts";
import { kindOf, openBlob, openDirectory } from "../format/pack.ts";
import { readHeader } from "../format/sealed.ts";
import { packKey, type VaultKeys } from "../keys/vault-keys.ts";
import { PackBuilder } from "../pipeline/pack-builder.ts";
import { backUp, bufferSource, gathered, newTestVault, openTestVault, patterned } from "../testing/vaults.ts";
import { scrub } from "./scrub.ts";
import { verify } from "./verify.ts";

/** Every pack once more, as a writer makes it, with another first byte in each piece of a disk. */
async function writeOthers(store: ObjectStore, keys: VaultKeys): Promise<void> {
  for (const { name } of await gathered(store.list("packs/"))) {
    const bytes = await store.get(name);
    const header = readHeader(bytes, Object.values(packKinds), keys.vaultId, name);
    const key = packKey(keys, header.epoch, header.salt);
    const end = bytes.length - 4;
    const at = end - bytes.readUInt32LE(end);
    const builder = new PackBuilder(keys, 1, new ArrayBuffer(bytes.length), keys.nameHash);
    for (const entry of openDirectory(key, header, at, bytes.subarray(at, end), name)) {
      const stored = bytes.subarray(entry.offset, entry.offset + entry.storedLength);
      const content = Buffer.from(openBlob(key, entry, stored));
      const kind = kindOf(entry.shape) as BlobKind;
      if (kind === blobKinds.data) content[0] = (content[0] ?? 0) ^ 1;
      builder.append(Buffer.from(entry.id), kind, content);
    }
    const { hash, size } = builder.finish();
    await store.delete(name);
    await store.put(packName(hash), Buffer.from(builder.memory, 0, size));
  }
  for (const { name } of await gathered(store.list("index/"))) await store.delete(name);
}

test("a content that is not what its id names is found by a deep look, and by no other", async () => {
  const store = memoryStore();
  {
    await using vault = await newTestVault(store);
    await backUp(vault, { item: "vm" }, { os: bufferSource(patterned(1 << 16, 1)) });
    await writeOthers(store, vault.keys);
  }
  assert.deepEqual(await scrub(store), []);
  await using vault = await openTestVault(store);
  const { broken } = await verify(vault);
  assert.equal(broken.length, 1);
});

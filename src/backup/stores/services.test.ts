// Stores whose places are services: what the contract of the backends promises holds for a vault's store
// that is made, opened, filled, given another key and dropped.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Database } from "../../db/database.ts";
import { temporaryDatabase } from "../../db/testing/temporary-database.ts";
import { newGuid, randomBytes } from "../../lib/random.ts";
import { secretBox } from "../../lib/secret-box.ts";
import { startAzurite, type Azurite } from "../../store/backends/testing/azurite.ts";
import { startS3Server, type S3Server } from "../../store/backends/testing/s3rver.ts";
import { copyPoint, listPoints, verify } from "../../store/index.ts";
import { backUp, bufferSource, patterned, restore } from "../../store/testing/vaults.ts";
import { strictPlaces, type PlaceRules } from "./place-rules.ts";
import { platformKeyOf } from "./store-key.ts";
import { vaultStore } from "./store-name.ts";
import { openStores, type StoreDraft, type Stores } from "./stores.ts";

const platformKey = randomBytes(32);
const content = patterned(700_000, 3);
const onThisMachine: PlaceRules = { ...strictPlaces, allowLoopback: true };

let azurite: Azurite;
let s3: S3Server;
let folder: string;
let database: Database;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-services-"));
  [azurite, s3, database] = await Promise.all([startAzurite(), startS3Server(), temporaryDatabase()]);
  await Promise.all([azurite.newContainer("vaults"), s3.newBucket("vaults")]);
});
after(async () => {
  await Promise.all([azurite?.close(), s3?.close(), database?.close()]);
  rmSync(folder, { recursive: true, force: true });
});

function storesWith(places: PlaceRules): Stores {
  const keyOf = platformKeyOf(platformKey);
  return openStores({ folder, database, secretBox: secretBox(platformKey), keyOf, workers: 1, places });
}

const drafts: Readonly<Record<string, (prefix: string) => StoreDraft>> = {
  s3: (prefix) => ({
    location: {
      kind: "s3",
      url: `s3://vaults/${prefix}?endpoint=${encodeURIComponent(s3.endpoint)}&checksums=md5&conditionalPut=emulated`,
    },
    credential: {
      kind: "s3",
      accessKeyId: s3.credentials.accessKeyId,
      secretAccessKey: s3.credentials.secretAccessKey,
    },
  }),
  azblob: (prefix) => ({
    location: {
      kind: "azblob",
      url: `azblob://${azurite.account}/vaults/${prefix}?endpoint=${encodeURIComponent(azurite.endpoint)}`,
    },
    credential: { kind: "azureKey", key: azurite.key },
  }),
};

for (const [kind, draftOf] of Object.entries(drafts)) {
  describe(`a store in ${kind}`, () => {
    test("is made twice without harm, filled through its snapshot tier, opened again and dropped", async () => {
      const name = vaultStore(newGuid());
      const draft = { ...draftOf("whole"), hot: { kind: "folder" } as const };
      {
        await using stores = storesWith(onThisMachine);
        await stores.create(name, draft);
        await stores.create(name, draft);
        await using opened = await stores.open(name);
        assert.ok(opened.hot !== undefined);
        const point = await backUp(opened.hot, { item: "vm" }, { os: bufferSource(content) });
        await copyPoint(opened.hot, opened.vault, point.name);
      }
      await using stores = storesWith(onThisMachine);
      {
        await using opened = await stores.open(name);
        const { points } = await listPoints(opened.vault, "vm");
        assert.ok(points[0] !== undefined && (await restore(opened.vault, points[0], "os")).equals(content));
        assert.deepEqual((await verify(opened.vault)).broken, []);
      }
      await stores.drop(name);
      await stores.create(name, draft);
      await using again = await stores.open(name);
      assert.deepEqual((await listPoints(again.vault)).points, []);
    });

    test("a wrong credential is named before anything is kept, and is not in the message", async () => {
      await using stores = storesWith(onThisMachine);
      const draft = draftOf("refused");
      const wrong = {
        ...draft,
        credential:
          draft.credential?.kind === "s3"
            ? ({ kind: "s3", accessKeyId: "NOBODY", secretAccessKey: "wrong-secret" } as const)
            : ({ kind: "azureKey", key: Buffer.from("wrong-secret").toString("base64") } as const),
      };
      await assert.rejects(stores.create(vaultStore(newGuid()), wrong), (error: Error & { code?: string }) => {
        assert.match(String(error.code), /^(?:StoreRefused|StoreFailed)$/);
        assert.doesNotMatch(`${error.message} ${String(error.cause)}`, /wrong-secret|d3Jvbmct/);
        return true;
      });
    });

    test("is refused on this machine unless the server allows it, also when it was made before", async () => {
      const name = vaultStore(newGuid());
      {
        await using stores = storesWith(onThisMachine);
        await stores.create(name, draftOf("before"));
      }
      await using strict = storesWith(strictPlaces);
      await assert.rejects(strict.create(vaultStore(newGuid()), draftOf("new")), { code: "PlaceNotAllowed" });
      await assert.rejects(strict.open(name), (error: Error) => /address of this server/.test(fullMessage(error)));
    });
  });
}

function fullMessage(error: unknown): string {
  return error instanceof Error ? `${error.message} ${fullMessage(error.cause)}` : "";
}

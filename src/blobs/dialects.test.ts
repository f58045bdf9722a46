// The blob store's rows on both databases.

import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openDatabase, type Database } from "../db/database.ts";
import { describeEachDialect } from "../db/testing/each-dialect.ts";
import { systemClock } from "../lib/clock.ts";
import { randomBytes } from "../lib/random.ts";
import { secretBox } from "../lib/secret-box.ts";
import { waitFor } from "../lib/time.ts";
import { blockLists, commitBlocks, putBlock } from "./block-blobs.ts";
import { openBlobs, type Blobs } from "./blobs.ts";
import { copyBlob } from "./copy.ts";
import { unguarded } from "./guard.ts";
import { listBlobs } from "./listing.ts";
import { createPageBlob, writePages } from "./page-blobs.ts";
import { insertAccount } from "./rows/account.ts";
import { takeSnapshot } from "./snapshots.ts";

const never = new AbortController().signal;

describeEachDialect("blobs", ({ newPlace }) => {
  let folder: string;
  let database: Database;
  let blobs: Blobs;
  const box = { account: "account", container: "box" };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "holdfast-blobs-"));
    database = await openDatabase({ ...(await newPlace()), clock: systemClock });
    const keys = secretBox(randomBytes(32));
    blobs = await openBlobs({
      database,
      secretBox: keys,
      folder,
      origin: () => "https://localhost",
      report: (error) => assert.fail(String(error)),
    });
    await database.transaction((trx) =>
      insertAccount(trx, keys, { name: "account", scope: "/a", allowsSharedKey: true, admitted: "all" }),
    );
    await blobs.ensureContainer(box);
  });
  after(async () => {
    await blobs[Symbol.asyncDispose]();
    await database.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function* bytes(text: string): AsyncGenerator<Uint8Array> {
    yield Buffer.from(text);
  }
  const read = async (name: string): Promise<string> => {
    let text = "";
    for await (const piece of (await blobs.read({ ...box, name }, never)).body) text += Buffer.from(piece).toString();
    return text;
  };
  const write = { settings: {}, metadata: {}, guard: unguarded };

  test("an account's name is taken once", async () => {
    const again = database.transaction((trx) =>
      insertAccount(trx, blobs.store.secretBox, {
        name: "account",
        scope: "/b",
        allowsSharedKey: true,
        admitted: "all",
      }),
    );
    await assert.rejects(again, { code: "AccountAlreadyExists" });
  });

  test("blocks, pages, snapshots, copies and lists, and nothing is left when the account goes", async () => {
    const { store } = blobs;
    const blocks = { ...box, name: "blocks" };
    for (const [id, text] of [
      ["AAAA", "one "],
      ["BBBB", "two "],
      ["CCCC", "never"],
    ] as const) {
      await putBlock(store, blocks, id, unguarded, bytes(text), { limit: 100 }, never);
    }
    assert.equal((await blockLists(store, blocks)).uncommitted.length, 3);
    await commitBlocks(store, blocks, write, [
      { from: "Latest", id: "BBBB" },
      { from: "Uncommitted", id: "AAAA" },
    ]);
    assert.equal(await read("blocks"), "two one ");
    await copyBlob(store, blocks, { ...box, name: "folder/copy" }, write, "https://x", undefined, never);
    assert.equal(await read("folder/copy"), "two one ");

    const pages = { ...box, name: "pages" };
    await createPageBlob(store, pages, 2048, write);
    await writePages(store, pages, { start: 0, end: 512 }, Buffer.alloc(512, 1), unguarded);
    await takeSnapshot(store, pages, undefined, unguarded);
    await writePages(store, pages, { start: 512, end: 1024 }, Buffer.alloc(512, 2), unguarded);
    const listed = await listBlobs(database.kysely, box, {
      prefix: "",
      delimiter: "/",
      marker: undefined,
      limit: 10,
      snapshots: true,
    });
    const names = listed.entries.map((entry) =>
      "folder" in entry ? entry.folder : `${entry.blob.name}${entry.blob.snapshot === undefined ? "" : "@"}`,
    );
    assert.deepEqual(names, ["blocks", "folder/", "pages@", "pages"]);

    await database.transaction((trx) => blobs.removeAccount(trx, "account"));
    for (const table of ["blobs", "blob_parts", "blob_uncommitted", "blob_page_ranges", "blob_containers"] as const) {
      assert.deepEqual(await database.kysely.selectFrom(table).selectAll().execute(), [], table);
    }
    const files = async (): Promise<number> =>
      (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).length;
    await waitFor("no file", async () => ((await files()) === 0 ? true : undefined), 120_000);
  });
});

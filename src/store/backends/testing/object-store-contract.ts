// The contract of object-store.ts as tests. Every backend and every decorator passes the same suite.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { HoldfastError } from "../../../lib/errors.ts";
import type { ObjectInfo, ObjectStore, ObjectStoreSupport } from "../object-store.ts";

export interface ContractSubject {
  readonly store: ObjectStore;
  /** The same place through another door: another process's or machine's view. */
  readonly again: ObjectStore;
  readonly close: () => Promise<void>;
}

export interface ContractOptions {
  /** What the subject claims; a claim is tested, what is not claimed is not. */
  readonly supports: ObjectStoreSupport;
  /** False where the server in the test answers a range of an empty object with a broken connection. */
  readonly emptyRanges?: boolean;
  /** Bytes of the object that is large for this backend. */
  readonly largeSize?: number;
}

export const code =
  (expected: string) =>
  (error: unknown): boolean =>
    error instanceof HoldfastError ? error.code === expected : false;

export async function collect(listing: AsyncIterable<ObjectInfo>): Promise<ObjectInfo[]> {
  const infos: ObjectInfo[] = [];
  for await (const info of listing) infos.push(info);
  return infos;
}

const names = (infos: readonly ObjectInfo[]): string[] => infos.map((info) => info.name);
const sha256 = (content: Uint8Array): Buffer => createHash("sha256").update(content).digest();

export function objectStoreContract(
  name: string,
  open: () => Promise<ContractSubject>,
  { supports, emptyRanges = true, largeSize = 9 * 1024 * 1024 + 17 }: ContractOptions,
): void {
  describe(`object store contract: ${name}`, () => {
    let subject: ContractSubject;
    let store: ObjectStore;
    let again: ObjectStore;
    before(async () => {
      subject = await open();
      ({ store, again } = subject);
    });
    after(async () => {
      await subject?.close();
    });

    it("claims what it keeps", () => {
      assert.deepEqual(store.supports, supports);
    });

    it("gives back what was put, whole and in parts", async () => {
      const content = randomBytes(70_000);
      await store.put("basic/object", content);
      assert.equal((await again.head("basic/object"))?.size, content.length);
      assert.deepEqual(await again.get("basic/object"), content);
      assert.deepEqual(await store.get("basic/object", { offset: 1000, length: 17 }), content.subarray(1000, 1017));
      assert.deepEqual(await store.get("basic/object", { offset: 69_990 }), content.subarray(69_990));
      assert.equal((await store.get("basic/object", { offset: 70_000 })).length, 0);
      assert.equal((await store.get("basic/object", { offset: 3, length: 0 })).length, 0);
    });

    it("joins the pieces of a content", async () => {
      await store.put("pieces", [Buffer.from("one "), Buffer.alloc(0), Buffer.from("two")]);
      assert.equal((await again.get("pieces")).toString(), "one two");
    });

    it("keeps an empty object", async () => {
      await store.put("empty", Buffer.alloc(0));
      assert.equal((await again.get("empty")).length, 0);
      assert.equal((await again.head("empty"))?.size, 0);
      if (emptyRanges) await assert.rejects(store.get("empty", { length: 1 }), code("ObjectTooShort"));
    });

    it("keeps a large object, sent in many pieces", async () => {
      const pieces = Array.from({ length: 7 }, () => randomBytes(Math.ceil(largeSize / 7)));
      const content = Buffer.concat(pieces);
      await store.put("large/object", pieces, { sha256: sha256(content), onlyIfAbsent: true });
      assert.equal((await again.head("large/object"))?.size, content.length);
      assert.ok((await again.get("large/object")).equals(content));
      const middle = await store.get("large/object", { offset: 5_000_001, length: 4097 });
      assert.ok(middle.equals(content.subarray(5_000_001, 5_004_098)));
      await assert.rejects(store.put("large/object", pieces, { onlyIfAbsent: true }), code("ObjectExists"));
    });

    it("copies the content before it returns or not at all: later changes of the buffer do not show", async () => {
      const content = Buffer.from("as it was");
      await store.put("buffer", content);
      content.fill(0);
      assert.equal((await store.get("buffer")).toString(), "as it was");
      (await store.get("buffer")).fill(0);
      assert.equal((await store.get("buffer")).toString(), "as it was");
    });

    it("names a missing object", async () => {
      await assert.rejects(store.get("basic/nowhere"), code("ObjectMissing"));
      await assert.rejects(store.get("nowhere/at/all", { offset: 5, length: 5 }), code("ObjectMissing"));
      assert.equal(await store.head("basic/nowhere"), undefined);
      await store.delete("basic/nowhere");
      await store.delete("never/was/a/folder");
    });

    it("says when fewer bytes are there than were asked for", async () => {
      await store.put("short", Buffer.from("12345"));
      await assert.rejects(store.get("short", { offset: 2, length: 4 }), code("ObjectTooShort"));
      await assert.rejects(store.get("short", { offset: 6 }), code("ObjectTooShort"));
      await assert.rejects(store.get("short", { offset: 100, length: 1 }), code("ObjectTooShort"));
    });

    it("creates only if absent, and tells the loser", async () => {
      await store.put("once", Buffer.from("first"), { onlyIfAbsent: true });
      await assert.rejects(again.put("once", Buffer.from("second"), { onlyIfAbsent: true }), code("ObjectExists"));
      assert.equal((await store.get("once")).toString(), "first");
    });

    if (supports.atomicCreate)
      it("has one winner among many who create at the same moment", async () => {
        const attempts = await Promise.allSettled(
          Array.from({ length: 8 }, (_, index) =>
            (index % 2 === 0 ? store : again).put("race", Buffer.from(`writer ${index}`), { onlyIfAbsent: true }),
          ),
        );
        const winners = attempts.flatMap((attempt, index) => (attempt.status === "fulfilled" ? [index] : []));
        assert.equal(winners.length, 1);
        for (const attempt of attempts) {
          if (attempt.status === "rejected") assert.equal((attempt.reason as HoldfastError).code, "ObjectExists");
        }
        assert.equal((await store.get("race")).toString(), `writer ${winners[0]}`);
      });

    it("replaces without a condition", async () => {
      await store.put("replaced", Buffer.from("old"));
      await store.put("replaced", Buffer.from("new, longer"));
      assert.equal((await again.head("replaced"))?.size, 11);
      assert.equal((await again.get("replaced")).toString(), "new, longer");
    });

    it("lists by prefix in name order", async () => {
      const wanted = ["list/a", "list/a-b", "list/a.c", "list/a0", "list/ab/x", "list/ab/y/z", "list/b"];
      for (const listed of [...wanted].reverse()) await store.put(listed, Buffer.from(listed));
      const infos = await collect(again.list("list/"));
      assert.deepEqual(names(infos), [...wanted].sort());
      assert.deepEqual(
        infos.map((info) => info.size),
        infos.map((info) => info.name.length),
      );
      for (const info of infos) assert.deepEqual(await store.head(info.name), info);
      assert.deepEqual(names(await collect(store.list("list/a"))), [...wanted].sort().slice(0, -1));
      assert.deepEqual(names(await collect(store.list("list/ab/y"))), ["list/ab/y/z"]);
      assert.deepEqual(await collect(store.list("list/nothing/")), []);
      assert.ok(names(await collect(store.list(""))).includes("list/ab/y/z"));
    });

    it("deletes", async () => {
      await store.put("gone/soon", Buffer.from("x"));
      await again.delete("gone/soon");
      await assert.rejects(store.get("gone/soon"), code("ObjectMissing"));
      assert.deepEqual(await collect(store.list("gone/")), []);
      await store.put("gone/soon", Buffer.from("back"), { onlyIfAbsent: true });
      assert.equal((await again.get("gone/soon")).toString(), "back");
    });

    it("refuses names that could lead elsewhere", async () => {
      const hostile = ["", "/", "/etc/passwd", "../x", "a/../b", "a/./b", "a//b", "a/", ".hidden", "a/.b"];
      for (const bad of [...hostile, "A", "a b", "a\0b", "ä", `${"x".repeat(201)}`, `${"a/".repeat(400)}a`]) {
        await assert.rejects(store.put(bad, Buffer.from("x")), code("ObjectNameInvalid"), bad);
        await assert.rejects(store.get(bad), code("ObjectNameInvalid"), bad);
        await assert.rejects(store.head(bad), code("ObjectNameInvalid"), bad);
        await assert.rejects(store.delete(bad), code("ObjectNameInvalid"), bad);
      }
      for (const bad of ["/", "../", "a/..", "A", ".h"]) {
        await assert.rejects(collect(store.list(bad)), code("ObjectNameInvalid"), bad);
      }
    });

    if (supports.contentCheck)
      it("notices content that changed on its way", async () => {
        const content = randomBytes(100_000);
        const wrong = sha256(Buffer.from("something else"));
        await assert.rejects(store.put("wrong", content, { sha256: wrong }), code("ObjectCorrupted"));
        assert.equal(await store.head("wrong"), undefined);
        await store.put("right", content, { sha256: sha256(content) });
        assert.equal((await store.head("right"))?.size, content.length);
      });

    it("ends when it is told to", async () => {
      const reason = new Error("enough");
      const signal = AbortSignal.abort(reason);
      await assert.rejects(store.put("aborted", Buffer.from("x"), { signal }));
      await assert.rejects(store.get("basic/object", { signal }));
      await assert.rejects(collect(store.list("", signal)));
      assert.equal(await store.head("aborted"), undefined);
    });

    if (supports.objectLock)
      it("keeps a locked object", async () => {
        await store.put("locked", Buffer.from("stays"), { lockedUntil: Date.now() + 60_000 });
        await assert.rejects(store.delete("locked"), code("ObjectLocked"));
        assert.equal((await again.get("locked")).toString(), "stays");
      });
  });
}

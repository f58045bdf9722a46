import assert from "node:assert/strict";
import { test } from "node:test";
import { parseGuestWrites } from "./guest-writes.ts";

const statistics = (disk: number, writes: number, flushes: number): string =>
  [
    `  block.${disk}.name=vda`,
    `  block.${disk}.path=/images/block.0.wr.reqs=7`,
    `  block.${disk}.rd.reqs=1000`,
    `  block.${disk}.rd.times=9000`,
    `  block.${disk}.wr.reqs=${writes}`,
    `  block.${disk}.wr.bytes=4096`,
    `  block.${disk}.wr.times=${writes * 100}`,
    `  block.${disk}.fl.reqs=${flushes}`,
    `  block.${disk}.fl.times=${flushes * 10}`,
  ].join("\n");

test("writes and flushes of all disks are added up, and nothing else", () => {
  const text = `Domain: 'web'\n  block.count=2\n${statistics(0, 5, 2)}\n${statistics(1, 3, 1)}\n\n`;
  assert.deepEqual(parseGuestWrites(text), { operations: 11, nanoseconds: 830 });
});

test("a machine that is not counted is told apart from one that writes nothing", () => {
  assert.throws(() => parseGuestWrites("Domain: 'web'\n  block.count=1\n  block.0.name=vda\n"), {
    code: "LibvirtRefused",
  });
  assert.deepEqual(parseGuestWrites(statistics(0, 0, 0)), { operations: 0, nanoseconds: 0 });
});

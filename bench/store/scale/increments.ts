// A disk is backed up hundreds of times, with scattered pages changed in between: what the last point
// costs to restore, beside the first.

import { openFsStore } from "../../../src/store/backends/fs.ts";
import {
  beginSession,
  createVault,
  keyFromBytes,
  openVault,
  readDisk,
  type DiskSource,
  type Point,
  type Vault,
} from "../../../src/store/index.ts";
import { seededRandom } from "../../../src/lib/random.ts";
import { costOf, costText, ratioText, type Cost } from "./clock.ts";
import { diskBytes } from "./disk-bytes.ts";

const page = 4096;
const bitmapRun = 64 * 1024;
const pagesEachTime = 655;

export async function measureIncrements(folder: string, mebibytes: number, count: number): Promise<string[][]> {
  const store = await openFsStore(folder, { create: true, trustFileSystem: true });
  const key = keyFromBytes(Buffer.alloc(32, 1));
  await createVault(store, key);
  const content = diskBytes(mebibytes * 2 ** 20);
  const random = seededRandom(3);
  let first: Point;
  let last: Point;
  {
    await using vault = await openVault(store, key);
    first = last = await backUp(vault, sourceOf(content));
    for (let round = 0; round < count; round += 1) {
      const dirty = changePages(content, random);
      last = await backUp(vault, sourceOf(content, dirty));
    }
  }
  const before = await restoreCost(() => openVault(store, key), first);
  const after = await restoreCost(() => openVault(store, key), last, content);
  return [
    [`restore of ${mebibytes} MiB after the first backup`, costText(before), ""],
    [`restore after ${count} increments of ${pagesEachTime} pages`, costText(after), ""],
    ["the last of the first", ratioText(after, before), "< 1.5"],
  ];
}

/** The better of two; the first one's content is known by its seals, the last one's is compared. */
async function restoreCost(open: () => Promise<Vault>, point: Point, expected?: Buffer): Promise<Cost> {
  const costs: Cost[] = [];
  const restored = Buffer.alloc(point.disks[0]?.size ?? 0);
  for (let round = 0; round < 2; round += 1) {
    await using vault = await open();
    const write = async (bytes: Uint8Array, offset: number): Promise<void> => void restored.set(bytes, offset);
    costs.push(await costOf(async () => void (await readDisk(vault, point, "os", { write }))));
  }
  if (expected !== undefined && !restored.equals(expected)) throw new Error("the restored disk is another one");
  return costs.reduce((best, other) => (other.processor < best.processor ? other : best));
}

async function backUp(vault: Vault, source: DiskSource): Promise<Point> {
  await using session = await beginSession(vault, { item: "a", parent: "latest" });
  await session.addDisk("os", source);
  return await session.commit();
}

function sourceOf(content: Buffer, dirty?: DiskSource["dirty"]): DiskSource {
  return {
    size: content.length,
    dirty,
    read: async (into, offset) => into.set(content.subarray(offset, offset + into.length)),
  };
}

function changePages(content: Buffer, random: () => number): { offset: number; length: number }[] {
  const runs = new Set<number>();
  for (let index = 0; index < pagesEachTime; index += 1) {
    const at = Math.floor((random() * content.length) / page) * page;
    for (let word = 0; word < page; word += 4) content.writeUInt32LE(Math.floor(random() * 2 ** 32), at + word);
    runs.add(Math.floor(at / bitmapRun));
  }
  return [...runs].sort((one, other) => one - other).map((run) => ({ offset: run * bitmapRun, length: bitmapRun }));
}

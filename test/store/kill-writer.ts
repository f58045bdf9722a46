// The process that kill.test.ts kills: it adds, deletes and collects for ever, and prints a line for
// each thing that is done for good.

import { openFsStore } from "../../src/store/backends/fs.ts";
import { collect, defaultLimits, deletePoint, keyFromBytes, listPoints, openVault } from "../../src/store/index.ts";
import { backUp, bufferSource, patterned } from "../../src/store/testing/vaults.ts";

const [folder, first] = process.argv.slice(2);
const store = await openFsStore(folder ?? "", { trustFileSystem: true });
await using vault = await openVault(store, keyFromBytes(Buffer.alloc(32, 7)), { workers: 1 });
process.stdout.write("ready\n");
for (let round = Number(first); ; round += 1) {
  const item = `item-${round % 3}`;
  const content = patterned(1_200_000, round % 5);
  content.writeUInt32LE(round, 4096);
  const point = await backUp(vault, { item, parent: "latest" }, { os: bufferSource(content) });
  process.stdout.write(`added ${point.name} ${round}\n`);
  const { points } = await listPoints(vault, item);
  if (points.length > 3) {
    process.stdout.write(`deleting ${points[0]!.name} 0\n`);
    await deletePoint(vault, points[0]!.name);
    await collect(vault, {
      limits: { ...defaultLimits, windowMilliseconds: 0, patienceMilliseconds: 0, mergeFrom: 4 },
    });
  }
}

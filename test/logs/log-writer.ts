// The victim of the kill campaign: `log-writer.ts FOLDER ROUND`. Appends records, several at a time,
// while it seals and compacts, and says each record's name once it is acknowledged.

import { writeSync } from "node:fs";
import { systemClock } from "../../src/lib/clock.ts";
import { disk } from "../../src/lib/files.ts";
import { openLogStore } from "../../src/logs/store/log-store.ts";

const [folder = "", round = ""] = process.argv.slice(2);
const workspace = "11111111-2222-3333-4444-555555555555";
const report = (error: unknown): void => {
  throw error;
};
const store = await openLogStore({
  folder,
  disk,
  clock: systemClock,
  memoryLimitMiB: 256,
  sealBytes: 3_000,
  compactFrom: 3,
  report,
});

const write = async (worker: number): Promise<void> => {
  for (let number = 0; ; number += 1) {
    const name = `${round}-${worker}-${number}`;
    await store.append([
      { workspace, table: "AddonAzureBackupJobs", records: [{ JobUniqueId: name }] },
      { workspace, table: "AzureDiagnostics", records: [{ CorrelationId: name, [`Column${worker}_s`]: name }] },
    ]);
    writeSync(1, `${name}\n`);
    if (number % 10 === 9) await store.compact();
  }
};
await Promise.all([1, 2, 3].map(write));

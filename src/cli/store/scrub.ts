// `store scrub`: packs and index objects against the hashes in their names. Needs no key.

import { monotonicMilliseconds } from "../../lib/clock.ts";
import { scrub } from "../../store/index.ts";
import { exitCodes } from "../exit-codes.ts";
import { amount, duration } from "./amounts.ts";
import { interruptible, openPlace, print, type StoreOptions } from "./context.ts";
import { openProgress } from "./progress.ts";

export function scrubVault(options: StoreOptions): Promise<void> {
  return interruptible(async (signal) => {
    const start = monotonicMilliseconds();
    await using store = await openPlace(options, "read");
    using progress = openProgress("scrubbing", options);
    const sum = { objects: 0, bytes: 0 };
    const findings = await scrub(store, {
      signal,
      onProgress: ({ packs, bytes, totalBytes }) => {
        sum.objects = packs;
        sum.bytes = bytes;
        progress.show(bytes, totalBytes);
      },
    });
    const seconds = (monotonicMilliseconds() - start) / 1000;
    const damaged = findings.filter(({ problem }) => problem !== "foreign");
    const text = [
      `Scrubbed ${sum.objects} objects with ${amount(sum.bytes)} in ${duration(seconds)}: ${damaged.length === 0 ? "all are as they were written" : `${damaged.length} ARE DAMAGED`}.`,
      ...damaged.map(({ message }) => `DAMAGED ${message}`),
      ...findings.filter(({ problem }) => problem === "foreign").map(({ message }) => `FOREIGN ${message}`),
    ].join("\n");
    print(options, { ...sum, findings, seconds }, text);
    if (damaged.length > 0) process.exitCode = exitCodes.damaged;
  });
}

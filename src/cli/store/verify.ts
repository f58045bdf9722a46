// `store verify`: every blob that the points need is opened and compared with its id.

import { monotonicMilliseconds } from "../../lib/clock.ts";
import { verify, type PointName } from "../../store/index.ts";
import { exitCodes } from "../exit-codes.ts";
import { duration } from "./amounts.ts";
import { print, withVault, type VaultAccess } from "./context.ts";
import { findPoint } from "./find-point.ts";
import { openProgress } from "./progress.ts";

interface VerifyOptions extends VaultAccess {
  readonly point?: readonly string[];
  readonly quarantine?: boolean;
}

export function verifyVault(options: VerifyOptions): Promise<void> {
  return withVault(options, options.quarantine === false ? "read" : "write", async (vault, signal) => {
    const start = monotonicMilliseconds();
    const chosen: PointName[] = [];
    for (const text of options.point ?? []) chosen.push((await findPoint(vault, text, signal)).name);
    using progress = openProgress("verifying", options, "blobs");
    const outcome = await verify(vault, {
      points: options.point === undefined ? undefined : chosen,
      quarantine: options.quarantine,
      signal,
      onProgress: ({ blobs, totalBlobs }) => progress.show(blobs, totalBlobs),
    });
    const seconds = (monotonicMilliseconds() - start) / 1000;
    const { broken, badPacks, indexProblems } = outcome;
    const consequence =
      options.quarantine === false
        ? "not quarantined, as was asked for"
        : "quarantined; the next backup stores its content again";
    const text = [
      `Checked ${outcome.pointsChecked} recovery points with ${outcome.blobsChecked} blobs in ${duration(seconds)}: ${
        broken.length === 0 ? "all of them can be restored" : `${broken.length} CANNOT BE RESTORED WHOLE`
      }.`,
      ...broken.map(({ name, problems }) => `BROKEN ${name}: ${problems[0]}${more(problems.length - 1)}`),
      ...badPacks.map((hash) => `BAD PACK ${hash}: ${consequence}`),
      ...indexProblems.map((problem) => `INDEX: ${problem}`),
    ].join("\n");
    print(options, { ...outcome, seconds }, text);
    if (broken.length > 0 || badPacks.length > 0) process.exitCode = exitCodes.damaged;
  });
}

const more = (count: number): string => (count > 0 ? ` (and ${count} more)` : "");

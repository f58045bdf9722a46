// `store diff`: where two points of a disk differ, from their maps alone.

import { diffDisks, type ChangedRange } from "../../store/index.ts";
import { exitCodes } from "../exit-codes.ts";
import { amount } from "./amounts.ts";
import { print, withVault, type VaultAccess } from "./context.ts";
import { findPoint } from "./find-point.ts";

interface DiffOptions extends VaultAccess {
  readonly from: string;
  readonly to: string;
  readonly disk?: string;
}

/** What is printed as text; --json prints all. */
const shownRanges = 20;

export function diffPoints(options: DiffOptions): Promise<void> {
  return withVault(options, "read", async (vault, signal) => {
    const from = await findPoint(vault, options.from, signal);
    const to = await findPoint(vault, options.to, signal);
    const names = options.disk === undefined ? to.disks.map(({ name }) => name) : [options.disk];
    const disks: { disk: string; bytes: number; ranges: ChangedRange[] }[] = [];
    for (const name of names) {
      const ranges: ChangedRange[] = [];
      for await (const range of diffDisks(vault, from, to, name, signal)) ranges.push(range);
      disks.push({ disk: name, bytes: ranges.reduce((sum, { length }) => sum + length, 0), ranges });
    }
    const text = disks
      .flatMap(({ disk, bytes, ranges }) => [
        ranges.length === 0 ? `${disk}: equal` : `${disk}: ${amount(bytes)} in ${ranges.length} ranges may differ`,
        ...ranges.slice(0, shownRanges).map(({ offset, length }) => `  ${length} bytes at ${offset}`),
        ...(ranges.length > shownRanges ? [`  … ${ranges.length - shownRanges} more (--json shows all)`] : []),
      ])
      .join("\n");
    print(options, { from: from.name, to: to.name, disks }, text);
    if (disks.some(({ ranges }) => ranges.length > 0)) process.exitCode = exitCodes.damaged;
  });
}

// `store collect`: says what would go; deletes only what the plan says.

import { defaultLimits, executeCollection, planCollection } from "../../store/index.ts";
import { amount } from "./amounts.ts";
import { print, wholeNumber, withVault, type VaultAccess } from "./context.ts";

interface CollectCommandOptions extends VaultAccess {
  readonly dryRun?: boolean;
  readonly windowDays?: string;
  readonly allowAbnormal?: boolean;
}

const dayMilliseconds = 24 * 60 * 60 * 1000;

export function collectVault(options: CollectCommandOptions): Promise<void> {
  const days = wholeNumber("--window-days", options.windowDays, 0);
  const limits = days === undefined ? defaultLimits : { ...defaultLimits, windowMilliseconds: days * dayMilliseconds };
  return withVault(options, "write", async (vault, signal) => {
    const plan = await planCollection(vault, limits, signal);
    const planned = [
      `Collection ${plan.generation}: ${amount(plan.bytesInPacks)} in packs, ${amount(plan.bytesToDelete)} to delete.`,
      `  ${plan.purgePoints.length} deleted points to purge, ${plan.finishSessions.length} sessions to finish, ${plan.evictSessions.length} to give up`,
      `  packs: ${plan.newlyCondemned.length} newly condemned, ${plan.rescued.length} rescued, ${plan.doom.length} doomed, ${plan.repack.length} to repack; ${plan.mergeIndexes.length} index objects to merge`,
      ...plan.problems.map((problem) => `PROBLEM, so nothing is deleted: ${problem}`),
    ];
    if (options.dryRun === true) {
      print(options, { plan }, planned.join("\n"));
      return;
    }
    if (options.json !== true) process.stdout.write(`${planned.join("\n")}\n`);
    const outcome = await executeCollection(vault, plan, { limits, allowAbnormal: options.allowAbnormal, signal });
    const waiting =
      outcome.waitingFor.length === 0 ? "" : ` ${outcome.waitingFor.length} open sessions are waited for.`;
    const text = `Deleted ${outcome.deletedPacks.length} packs with ${amount(outcome.deletedBytes)}; ${outcome.releasedPacks.length} turned out to be needed.${waiting}`;
    print(options, outcome, text);
  });
}

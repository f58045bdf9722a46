// `store copy`: to another tier or another site. Needs no key.

import { monotonicMilliseconds } from "../../lib/clock.ts";
import { copyObjects, planCopy } from "../../store/backends/copy-objects.ts";
import { amount, duration } from "./amounts.ts";
import { interruptible, openPlace, print, wholeNumber, type StoreOptions } from "./context.ts";
import { toolErrors } from "./errors.ts";
import { openProgress } from "./progress.ts";

interface CopyVaultOptions extends StoreOptions {
  readonly to: string;
  readonly readBack?: boolean;
  readonly parallel?: string;
  readonly dryRun?: boolean;
}

export function copyVault(options: CopyVaultOptions): Promise<void> {
  const parallel = wholeNumber("--parallel", options.parallel, 1);
  return interruptible(async (signal) => {
    const start = monotonicMilliseconds();
    await using from = await openPlace({ ...options, limit: undefined }, "read");
    await using to = await openPlace(options, options.dryRun === true ? "read" : "create", options.to);
    if (from.location === to.location) {
      throw toolErrors.UsageInvalid(`--to ${options.to} is the place of the vault itself; a copy needs another one.`);
    }
    const plan = await planCopy(from, to, signal);
    const points = plan.missing.points.length;
    if (options.dryRun === true) {
      const text = `${plan.objects} objects with ${amount(plan.bytes)} would be copied, ${points} recovery points among them; ${plan.present} are there already.`;
      print(options, { objects: plan.objects, bytes: plan.bytes, points, present: plan.present }, text);
      return;
    }
    using progress = openProgress("copying", options);
    const result = await copyObjects(from, to, plan, {
      parallel,
      readBack: options.readBack,
      signal,
      onProgress: ({ bytes, totalBytes, stage }) => progress.show(bytes, totalBytes, stage),
    });
    const seconds = (monotonicMilliseconds() - start) / 1000;
    const text = `Copied ${result.copied} objects with ${amount(result.bytes)} to ${to.location} in ${duration(seconds)}, ${points} recovery points among them; ${plan.present} were there already.`;
    print(options, { ...result, present: plan.present, points, seconds }, text);
  });
}

// From the snapshot tier to the vault: both tiers are one vault with the same keys, so a point moves by
// copying immutable objects. What the vault has already is not sent again, and the point itself goes last.

import { copyObjects, planCopy } from "../../store/backends/copy-objects.ts";
import { prefixes } from "../../store/format/object-names.ts";
import type { OpenVaults } from "../stores/stores.ts";

export async function transferPoint(
  opened: OpenVaults,
  storePoint: string,
  onPercent: (percent: number) => void,
  signal: AbortSignal,
): Promise<void> {
  if (opened.hot === undefined) return;
  const from = opened.hot.store;
  const to = opened.vault.store;
  const plan = await planCopy(from, to, signal);
  const name = `${prefixes.points}${storePoint}`;
  const points = plan.missing.points.filter((info) => info.name === name);
  await copyObjects(
    from,
    to,
    { ...plan, missing: { ...plan.missing, points } },
    { onProgress: ({ bytes, totalBytes }) => onPercent(totalBytes === 0 ? 100 : (bytes / totalBytes) * 100), signal },
  );
  await opened.vault.index.refresh(signal);
}

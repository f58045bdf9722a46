// `store info`: everything that can be said without a key.

import { isoTime } from "../../lib/clock.ts";
import { isPointName, prefixes } from "../../store/format/object-names.ts";
import { readConfig } from "../../store/keys/config-store.ts";
import { amount, table } from "./amounts.ts";
import { interruptible, openPlace, print, type StoreOptions } from "./context.ts";

export function showInfo(options: StoreOptions): Promise<void> {
  return interruptible(async (signal) => {
    await using store = await openPlace(options, "read");
    const { config, number } = await readConfig(store, signal);
    const kinds: Record<string, { objects: number; bytes: number }> = {};
    const items = new Map<string, number>();
    for (const [kind, prefix] of Object.entries(prefixes)) {
      const sum = { objects: 0, bytes: 0 };
      for await (const { name, size } of store.list(prefix, signal)) {
        sum.objects += 1;
        sum.bytes += size;
        const point = name.slice(prefix.length);
        if (kind !== "points" || !isPointName(point)) continue;
        const item = point.slice(0, point.indexOf("/"));
        items.set(item, (items.get(item) ?? 0) + 1);
      }
      kinds[kind] = sum;
    }
    const keys = config.slots.map(({ name, kind, keyId }) => ({ name, kind, keyId }));
    const bytes = Object.values(kinds).reduce((sum, kind) => sum + kind.bytes, 0);
    const document = {
      store: store.location,
      vaultId: config.vaultId,
      format: config.format,
      createdAt: isoTime(config.createdAt),
      config: number,
      epochs: config.epochs.length,
      keys,
      bytes,
      objects: kinds,
      items: [...items].map(([item, points]) => ({ item, points })),
    };
    const text = [
      `${store.location}: vault ${config.vaultId}, format ${config.format}, made ${document.createdAt}`,
      `${amount(bytes)} in all, ${kinds["points"]?.objects ?? 0} recovery points of ${items.size} items, ${config.epochs.length} key epochs`,
      "",
      table(
        ["opens with", "kind", "id"],
        keys.map(({ name, kind, keyId }) => [name, kind, keyId ?? ""]),
      ),
      "",
      table(
        ["objects", "number", "size"],
        Object.entries(kinds).map(([kind, sum]) => [kind, String(sum.objects), amount(sum.bytes)]),
      ),
    ].join("\n");
    print(options, document, text);
  });
}

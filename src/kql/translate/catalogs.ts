// The catalogues that the thread has loaded, the ones used last.

import { globalsFor, withMemory } from "../syntax/analyze.ts";
import type { GlobalState } from "../syntax/kusto.ts";
import type { DatabaseSchema } from "../types.ts";
import type { TranslateRequest } from "./messages.ts";

export interface LoadedCatalog {
  readonly databases: readonly DatabaseSchema[];
  readonly globals: GlobalState;
}

export interface CatalogLimits {
  readonly kept: number;
  /** The analyser's memory only grows (each new union of tables stays in it): it begins anew after so many queries. */
  readonly queriesOfMemory: number;
}

export type CatalogRequest = Pick<TranslateRequest, "catalogKey" | "databases">;

export function keepCatalogs(
  limits: CatalogLimits = { kept: 8, queriesOfMemory: 500 },
): (request: CatalogRequest) => LoadedCatalog {
  const loaded = new Map<string, { catalog: LoadedCatalog; readonly fresh: GlobalState; queries: number }>();
  return ({ catalogKey, databases = [] }) => {
    const known = loaded.get(catalogKey);
    if (known !== undefined) {
      loaded.delete(catalogKey);
      loaded.set(catalogKey, known);
      known.queries += 1;
      if (known.queries % limits.queriesOfMemory === 0)
        known.catalog = { ...known.catalog, globals: withMemory(known.fresh) };
      return known.catalog;
    }
    const fresh = globalsFor(databases);
    const catalog = { databases, globals: withMemory(fresh) };
    const [oldest] = loaded.size >= limits.kept ? loaded.keys() : [];
    if (oldest !== undefined) loaded.delete(oldest);
    loaded.set(catalogKey, { catalog, fresh, queries: 1 });
    return catalog;
  };
}

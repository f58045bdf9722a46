// What is in the store at this moment. Only the intake adds to the newest generation; only upkeep
// replaces the manifest and drops generations.

import type { Generation } from "./recent.ts";
import type { Manifest } from "./manifest.ts";
import type { TableColumns } from "./table-columns.ts";
import type { Usage } from "./usage.ts";

export interface StoreState {
  manifest: Manifest;
  /** In order; rows go into the last. */
  generations: readonly Generation[];
  /** Up to which position each source has been taken in. */
  readonly positions: Map<string, number>;
  readonly columns: TableColumns;
  readonly usage: Usage;
}

// The table of an open vault, in whose place a larger or an emptier one may come at any time.

import { BlobTable } from "./blob-table.ts";

export class CurrentTable {
  readonly #onTable: (table: BlobTable) => Promise<void>;
  #table = BlobTable.create(1024);

  /** `onTable` is told, and waited for, whenever another table takes the place of the present one. */
  constructor(onTable: (table: BlobTable) => Promise<void>) {
    this.#onTable = onTable;
  }

  get blobs(): BlobTable {
    return this.#table;
  }

  /** Makes room for that many more blobs. What a worker records while the table grows may be lost until its pack is added. */
  async ensureRoom(blobs: number): Promise<void> {
    if (this.#table.room >= blobs) return;
    await this.#replace(this.#table.grownTo(this.#table.count + blobs + this.#table.count / 4));
  }

  /** Forgets all blobs; the states of the packs stay. */
  async empty(): Promise<void> {
    await this.#replace(BlobTable.create(this.#table.count + 1024, this.#table.shared.packs));
  }

  async #replace(table: BlobTable): Promise<void> {
    this.#table = table;
    await this.#onTable(table);
  }
}

// A DuckDB that queries may be let loose on: bounded memory, its own spill folder, nothing from outside.

import { DuckDBInstance } from "@duckdb/node-api";
import { quoteText } from "./sql.ts";

export interface DuckDbSettings {
  /** A file, or nothing for a database in memory. */
  readonly path?: string;
  readonly memoryLimitMiB?: number;
  readonly threads?: number;
  /** Where DuckDB puts what does not fit into memory. */
  readonly spillFolder?: string;
  readonly maxSpillMiB?: number;
  /** Folders and files that table sources may read; nothing else on the disk can be reached. */
  readonly readable?: readonly string[];
}

export async function openDuckDb(settings: DuckDbSettings = {}): Promise<DuckDBInstance> {
  const instance = await DuckDBInstance.create(settings.path ?? ":memory:", {
    memory_limit: `${settings.memoryLimitMiB ?? 1024}MiB`,
    ...(settings.threads === undefined ? {} : { threads: String(settings.threads) }),
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
  });
  const connection = await instance.connect();
  try {
    await connection.run("SET GLOBAL TimeZone = 'UTC'");
    if (settings.spillFolder !== undefined) {
      await connection.run(`SET GLOBAL temp_directory = ${quoteText(settings.spillFolder)}`);
      await connection.run(`SET GLOBAL max_temp_directory_size = ${quoteText(`${settings.maxSpillMiB ?? 4096}MiB`)}`);
    }
    const readable = settings.readable ?? [];
    if (readable.length > 0) {
      await connection.run(`SET GLOBAL allowed_directories = [${readable.map(quoteText).join(", ")}]`);
    }
    // What a Parquet file says of itself is read once; DuckDB looks whether the file is still the same.
    await connection.run("SET GLOBAL parquet_metadata_cache = true");
    await connection.run("SET GLOBAL enable_external_access = false");
    await connection.run("SET GLOBAL lock_configuration = true");
  } finally {
    connection.closeSync();
  }
  return instance;
}

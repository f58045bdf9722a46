// The control data of a data folder, for commands that work on it apart from the service.

import { resolve } from "node:path";
import type { Database } from "../db/database.ts";
import { systemClock } from "../lib/clock.ts";
import { disk } from "../lib/files.ts";
import { dataFolder } from "../server/data-folder.ts";

export interface ControlDataOptions {
  readonly data: string;
  readonly databaseUrl?: string;
}

export function placeOfControlData(options: ControlDataOptions): { file: string; url: string | undefined } {
  return {
    file: dataFolder(resolve(options.data)).database,
    url: options.databaseUrl ?? process.env["HOLDFAST_DATABASE_URL"],
  };
}

export async function openControlData(options: ControlDataOptions): Promise<Database> {
  const place = placeOfControlData(options);
  if (place.url === undefined && (await disk.status(place.file)) === undefined) {
    throw new Error(
      `${place.file} is not there: name the service's folder with --data DIR, or its database with --database-url.`,
    );
  }
  const { connectDatabase } = await import("../db/database.ts");
  return connectDatabase({ ...place, clock: systemClock });
}

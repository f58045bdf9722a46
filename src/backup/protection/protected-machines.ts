import type { Reader } from "../vaults/vaults.ts";

/** Lower-case ids of the machines that are in some vault. */
export async function protectedMachines(reader: Reader): Promise<ReadonlySet<string>> {
  const rows = await reader.selectFrom("protected_items").select("machine_key").execute();
  return new Set(rows.map(({ machine_key }) => machine_key));
}

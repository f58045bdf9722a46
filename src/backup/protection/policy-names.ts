import type { Reader, Vault } from "../vaults/vaults.ts";

/** Names of a vault's policies as they are written, by their lower-case names. */
export async function policyNames(reader: Reader, vault: Pick<Vault, "key">): Promise<ReadonlyMap<string, string>> {
  const rows = await reader
    .selectFrom("policies")
    .select(["name_key", "name"])
    .where("vault_key", "=", vault.key)
    .execute();
  return new Map(rows.map(({ name_key, name }) => [name_key, name]));
}

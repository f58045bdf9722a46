// A vault as it is kept in its own store, and what of that is brought back where the store is taken over.
// It comes back through the one dispatcher, with the rights of whoever attaches, as if they had typed it.

import * as z from "zod";
import { findResource } from "../../../arm/resources/resource-store.ts";
import type { ArmRequest } from "../../../arm/request.ts";
import { findVault, type Vault } from "../../../backup/vaults/vaults.ts";
import type { Database } from "../../../db/database.ts";
import type { InProcessClient } from "../../resources/deployments/in-process-client.ts";
import { apiVersions } from "./vault-paths.ts";

const json = z.record(z.string(), z.unknown());
const documentSchema = z.object({
  v: z.literal(1),
  tags: z.record(z.string(), z.string()).optional(),
  identity: json.optional(),
  properties: json,
  verification: json,
});
type VaultDocument = z.output<typeof documentSchema>;

export async function describeVault(
  { kysely }: Database,
  { id }: Pick<Vault, "id">,
): Promise<VaultDocument | undefined> {
  const resource = await findResource(kysely, id);
  const vault = await findVault(kysely, id);
  if (resource === undefined || vault === undefined) return undefined;
  const { tags, identity } = resource.envelope;
  return {
    v: 1,
    ...(tags === undefined ? {} : { tags: { ...tags } }),
    ...(identity === undefined ? {} : { identity: { ...identity } }),
    properties: { ...resource.properties },
    verification: { ...vault.settings.verification },
  };
}

export interface BroughtBack {
  readonly settings: readonly string[];
  /** What was not, and what to do about it. */
  readonly problems: readonly string[];
}

export async function bringVaultBack(
  inProcess: InProcessClient,
  request: ArmRequest,
  vault: Vault,
  content: Buffer,
): Promise<BroughtBack> {
  const parsed = documentSchema.safeParse(parseJson(content));
  if (!parsed.success)
    return { settings: [], problems: ["What the store says of the vault's settings is not usable."] };
  const { tags, identity, properties, verification } = parsed.data;
  const settings: string[] = [];
  const problems: string[] = [];
  const own = `?api-version=${apiVersions[0]}`;
  const send = async (name: string, method: "PATCH" | "PUT", target: string, body: object): Promise<void> => {
    const reply = await inProcess.send({
      method,
      target,
      body,
      caller: request.caller,
      correlationId: request.correlationId,
      origin: request.origin,
      signal: request.signal,
    });
    if (reply.status < 300) settings.push(name);
    else problems.push(`The vault's ${name} did not come back: ${messageIn(reply.body)}`);
  };
  if (tags !== undefined) await send("tags", "PATCH", vault.id + own, { tags });
  for (const [name, members] of Object.entries(broughtBack)) {
    const kept = Object.fromEntries(
      members.flatMap((member) => (member in properties ? [[member, properties[member]]] : [])),
    );
    if (Object.keys(kept).length > 0) await send(name, "PATCH", vault.id + own, { properties: kept });
  }
  const holdfast = `${vault.id}/providers/Microsoft.Holdfast/vaultSettings/default?api-version=2026-01-01`;
  await send("verification", "PUT", holdfast, { properties: { verification } });
  return { settings, problems: [...problems, ...leftToDo(identity, properties)] };
}

/** By what a person calls them. */
const broughtBack = {
  redundancy: ["redundancySettings"],
  "soft delete and immutability": ["securitySettings"],
  "restores to other subscriptions": ["restoreSettings"],
  alerts: ["monitoringSettings"],
} as const;

/** References to what belongs to the tenant of the lost server: they are told, not followed. */
function leftToDo(identity: VaultDocument["identity"], properties: VaultDocument["properties"]): string[] {
  const said: string[] = [];
  const users = Object.keys((identity?.["userAssignedIdentities"] ?? {}) as object);
  if (identity?.["type"] !== undefined && identity["type"] !== "None") {
    const which = users.length === 0 ? "" : ` (${users.join(", ")})`;
    said.push(`The vault had the identity ${String(identity["type"])}${which}: az backup vault identity assign.`);
  }
  const encryption = z
    .object({ keyVaultProperties: z.object({ keyUri: z.string() }) })
    .safeParse(properties["encryption"]);
  if (encryption.success) {
    const { keyUri } = encryption.data.keyVaultProperties;
    said.push(
      `The vault was encrypted with the key ${keyUri}; now the platform's key opens it: az backup vault encryption update.`,
    );
  }
  const security = z.object({ multiUserAuthorization: z.string() }).safeParse(properties["securitySettings"]);
  if (security.success && security.data.multiUserAuthorization === "Enabled")
    said.push("A resource guard stood before the vault: az backup vault resource-guard-mapping update.");
  return said;
}

function parseJson(content: Buffer): unknown {
  try {
    return JSON.parse(content.toString("utf8"));
  } catch {
    return undefined;
  }
}

function messageIn(body: unknown): string {
  const parsed = z
    .object({ error: z.object({ message: z.string() }) })
    .safeParse(parseJson(Buffer.from(String(body ?? ""))));
  return parsed.success ? parsed.data.error.message : "the service did not say why.";
}

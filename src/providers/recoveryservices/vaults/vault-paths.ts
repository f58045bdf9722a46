// Paths and versions that the routes of a vault have in common, and how a request finds its vault.

import type { ArmRequest } from "../../../arm/request.ts";
import { resourceNotFound } from "../../../arm/resources/resource-store.ts";
import type { Doer } from "../../../backup/vaults/policies.ts";
import { findVault, type Reader, type Vault } from "../../../backup/vaults/vaults.ts";

export const namespace = "Microsoft.RecoveryServices";
export const vaultPath = `/subscriptions/{subscriptionId}/resourceGroups/{resourceGroup}/providers/${namespace}/vaults/{vault}`;
export const locationPath = `/subscriptions/{subscriptionId}/providers/${namespace}/locations/{location}`;

/** Of the backup service and of vaults; clients send what they were built with. */
export const apiVersions = [
  "2026-07-01",
  "2025-08-01",
  "2025-02-01",
  "2024-10-01",
  "2024-04-01",
  "2023-06-01",
  "2022-10-01",
  "2022-09-01-preview",
  "2021-11-15",
  "2016-06-01",
];

/** The id of the vault that a path leads into. */
export function vaultIdOf(request: ArmRequest): string {
  return request.resourceId.split("/").slice(0, 9).join("/");
}

export async function vaultOf(reader: Reader, request: ArmRequest): Promise<Vault> {
  const id = vaultIdOf(request);
  const vault = await findVault(reader, id);
  if (vault === undefined) throw resourceNotFound(id);
  return vault;
}

export function doerOf(request: ArmRequest): Doer {
  return { actor: request.caller.principalId, correlationId: request.correlationId };
}

// Cross-region restore. Azure keeps a copy of a geo-redundant vault in the paired region; here a vault's
// bytes are in one place, and a copy of them is a store of its own that another server attaches. So what
// clients ask of "the secondary region" is answered, and a restore from there is refused with the way to
// have one.

import * as z from "zod";
import type { Provider } from "../../../arm/provider.ts";
import { ok, param, parseBody, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import { resourceNotFound } from "../../../arm/resources/resource-store.ts";
import { getJob } from "../../../backup/jobs/read-jobs.ts";
import { getPoint } from "../../../backup/points/point.ts";
import { restoreErrors } from "../../../backup/restore/errors.ts";
import { findVault, type Vault } from "../../../backup/vaults/vaults.ts";
import { listPage } from "../jobs/jobs.ts";
import { renderJob } from "../jobs/jobs-shape.ts";
import { itemOf, pointPath } from "../protection/item-paths.ts";
import { mayDo } from "../may-do.ts";
import type { RecoveryServices } from "../services.ts";
import { apiVersions, locationPath, namespace, vaultOf } from "../vaults/vault-paths.ts";

export function crossRegionPart(services: RecoveryServices): Provider {
  const at = (name: string): string => `${locationPath}/${name}`;
  return {
    namespace,
    resourceTypes: [{ name: "locations/backupAadProperties", apiVersions, isGlobal: true }],
    routes: [
      { method: "GET", path: at("backupAadProperties"), handle: async (request) => aadProperties(services, request) },
      { method: "POST", path: `${pointPath}/accessToken`, handle: (request) => accessToken(services, request) },
      { method: "POST", path: at("backupCrossRegionRestore"), handle: (request) => restore(services, request) },
      { method: "POST", path: at("backupCrrJobs"), effect: "read", handle: (request) => jobs(services, request) },
      { method: "POST", path: at("backupCrrJob"), effect: "read", handle: (request) => job(services, request) },
    ],
  };
}

/** By whom the secondary region would be entered: this service's own directory. */
function aadProperties({ tenantId }: RecoveryServices, request: ArmRequest): ArmReply {
  return ok({
    id: request.resourceId,
    name: "backupAadProperties",
    type: `${namespace}/locations/backupAadProperties`,
    properties: {
      tenantId,
      authority: request.origin,
      audience: request.origin,
      servicePrincipalClientId: request.caller.applicationId,
      servicePrincipalObjectId: request.caller.principalId,
    },
  });
}

async function accessToken({ database }: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const vault = await vaultOf(database.kysely, request);
  const item = await itemOf(database.kysely, vault, request);
  const point = await getPoint(database.kysely, item.key, param(request, "point"));
  throw notThere(vault, `the recovery point ${point.id}`);
}

const restoreBody = z.looseObject({
  restoreRequest: z.looseObject({ sourceResourceId: z.string().max(2048).nullish() }),
  crossRegionRestoreAccessDetails: z.looseObject({}).nullish(),
});

/** No access to a secondary region is ever given, so a request with one is not ours. */
async function restore(_: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  parseBody(request, restoreBody);
  throw restoreErrors.UserErrorRestoreNotSupported(
    "crossRegionRestoreAccessDetails: no access to a secondary region has been given out by this service.",
    {
      target: "crossRegionRestoreAccessDetails",
      remedy: "Restore from the vault itself: leave --use-secondary-region out.",
    },
  );
}

const jobBody = z.object({ resourceId: z.string().max(2048), jobName: z.string().max(100).nullish() });

/** Restores across regions that this vault has seen. */
async function jobs(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const { resourceId } = parseBody(request, jobBody);
  const vault = await vaultIn(services, request, resourceId);
  return listPage(services, request, vault, { operation: "CrossRegionRestore" });
}

async function job(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const { resourceId, jobName } = parseBody(request, jobBody);
  const vault = await vaultIn(services, request, resourceId);
  const { kysely, clock } = services.database;
  return ok(renderJob(vault, await getJob(kysely, vault, jobName ?? ""), clock.now()));
}

async function vaultIn(services: RecoveryServices, request: ArmRequest, resourceId: string): Promise<Vault> {
  await mayDo(services, request, `${namespace}/vaults/backupJobs/read`, resourceId);
  const vault = await findVault(services.database.kysely, resourceId);
  if (vault === undefined) throw resourceNotFound(resourceId);
  return vault;
}

function notThere(vault: Vault, what: string): Error {
  if (!vault.settings.redundancy.crossRegionRestore) {
    return restoreErrors.UserErrorCrossRegionRestoreNotEnabled(
      `The vault '${vault.name}' has no cross-region restore, so ${what} is in no secondary region.`,
      { target: vault.id },
    );
  }
  return restoreErrors.UserErrorSecondaryRegionNotAvailable(
    `The bytes of the vault '${vault.name}' are in one place, so ${what} is in no secondary region.`,
    { target: vault.id },
  );
}

// Files out of a recovery point. Azure's way: `provisionInstantItemRecovery` gives a script that mounts
// its disks, `revokeInstantItemRecovery` ends that. Beyond Azure, below `providers/Microsoft.Holdfast`:
// volumes, folders and downloads, read in a helper guest.

import * as z from "zod";
import { armErrors } from "../../../arm/errors.ts";
import type { Provider } from "../../../arm/provider.ts";
import { ok, param, parseBody, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import { downloadFormats } from "../../../backup/file-recovery/download.ts";
import { shownEntry } from "../../../backup/file-recovery/entries.ts";
import type { SessionOf } from "../../../backup/file-recovery/file-sessions.ts";
import { getPoint, type RecoveryPoint } from "../../../backup/points/point.ts";
import { openVaultStore } from "../../../backup/points/tiers.ts";
import type { ProtectedItem } from "../../../backup/protection/item.ts";
import { restoreErrors } from "../../../backup/restore/errors.ts";
import { vaultStore } from "../../../backup/stores/store-name.ts";
import type { Vault } from "../../../backup/vaults/vaults.ts";
import { appendEvent } from "../../../events/append.ts";
import { isoTime } from "../../../lib/clock.ts";
import { parsePointName } from "../../../store/index.ts";
import { itemOf, pointPath } from "../protection/item-paths.ts";
import { endedReply } from "../jobs/operations.ts";
import type { RestoreServices } from "./restore-services.ts";
import { doerOf, namespace, vaultOf } from "../vaults/vault-paths.ts";

const files = `${pointPath}/providers/Microsoft.Holdfast`;
/** Whoever may mount a point may look into it: it is the same content. */
const action =
  "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems/recoveryPoints/provisionInstantItemRecovery/action";

export function fileRecoveryPart(services: RestoreServices): Provider {
  const look = { action, effect: "read" as const };
  return {
    namespace,
    resourceTypes: [],
    routes: [
      {
        method: "POST",
        path: `${pointPath}/provisionInstantItemRecovery`,
        handle: (request) => provision(services, request),
      },
      {
        method: "POST",
        path: `${pointPath}/revokeInstantItemRecovery`,
        handle: (request) => revoke(services, request),
      },
      { ...look, method: "GET", path: `${files}/volumes`, handle: (request) => volumes(services, request) },
      {
        ...look,
        method: "POST",
        path: `${files}/volumes/{volume}/unlock`,
        handle: (request) => unlock(services, request),
      },
      { ...look, method: "GET", path: `${files}/files`, handle: (request) => list(services, request) },
      { ...look, method: "POST", path: `${files}/downloads`, handle: (request) => offer(services, request) },
    ],
  };
}

interface Subject {
  readonly vault: Vault;
  readonly item: ProtectedItem;
  readonly point: RecoveryPoint;
}

async function subjectOf({ database }: RestoreServices, request: ArmRequest): Promise<Subject> {
  const vault = await vaultOf(database.kysely, request);
  const item = await itemOf(database.kysely, vault, request);
  const point = await getPoint(database.kysely, item.key, param(request, "point"));
  if (point.problems !== undefined) {
    throw restoreErrors.UserErrorRecoveryPointBroken(
      `The recovery point ${point.id} cannot be read: ${point.problems[0] ?? ""}`,
    );
  }
  return { vault, item, point };
}

const provisionBody = z.object({
  properties: z.looseObject({
    objectType: z.literal("IaasVMILRRegistrationRequest"),
    recoveryPointId: z.string().nullish(),
    virtualMachineId: z.string().nullish(),
  }),
});

async function provision(services: RestoreServices, request: ArmRequest): Promise<ArmReply> {
  const { database } = services;
  parseBody(request, provisionBody);
  const { vault, item, point } = await subjectOf(services, request);
  const session = await services.recoveryExports.begin(
    {
      point: point.id,
      tiered: point,
      open: () => openVaultStore(services.stores, vault),
      host: hostIn(request.origin),
    },
    request.signal,
  );
  const script = {
    osType: "Linux",
    scriptContent: Buffer.from(session.script).toString("base64"),
    scriptExtension: ".sh",
    scriptNameSuffix: suffixOf(item, vault, session),
    url: null,
  };
  return database.transaction(async (trx) => {
    await trx
      .updateTable("recovery_points")
      .set({ recovery_session_until: session.until })
      .where("id", "=", point.id)
      .execute();
    appendEvent(trx, {
      type: "point.mounted",
      subject: `${item.key}/recoverypoints/${point.id}`,
      subjects: [vault.key, item.key],
      data: { until: session.until },
      ...doerOf(request),
    });
    return endedReply(services, trx, request, item.id, {
      objectType: "OperationStatusProvisionILRExtendedInfo",
      recoveryTarget: { clientScripts: [script] },
    });
  });
}

/** It comes from a header and goes into a script. */
function hostIn(origin: string): string {
  const host = URL.parse(origin)?.hostname ?? "";
  if (/^([\w.-]+|\[[\da-f:.]+\])$/i.test(host)) return host;
  throw armErrors.BadRequest(
    `The Host header is '${origin.replace("https://", "").slice(0, 100)}': the script connects to it, so it must be a name or an address.`,
    { target: "Host" },
  );
}

/** `VM_REGION_ID_`, 32 characters, then the 15 of the password: az cuts it out by these positions. */
function suffixOf(
  item: ProtectedItem,
  vault: Vault,
  { id, password }: { readonly id: string; readonly password: string },
): string {
  const plain = (text: string): string => text.replace(/[^A-Za-z0-9.-]/g, "-");
  const filler = `${id}${"0".repeat(32)}`.slice(0, 32);
  return `${plain(item.friendlyName)}_${plain(vault.location)}_${plain(item.itemId)}_${filler}${password}`;
}

async function revoke(services: RestoreServices, request: ArmRequest): Promise<ArmReply> {
  const { vault, item, point } = await subjectOf(services, request);
  await services.recoveryExports.end(point.id);
  return services.database.transaction(async (trx) => {
    await trx.updateTable("recovery_points").set({ recovery_session_until: null }).where("id", "=", point.id).execute();
    appendEvent(trx, {
      type: "point.unmounted",
      subject: `${item.key}/recoverypoints/${point.id}`,
      subjects: [vault.key, item.key],
      data: {},
      ...doerOf(request),
    });
    return endedReply(services, trx, request, item.id, undefined);
  });
}

async function sessionOf(services: RestoreServices, request: ArmRequest): Promise<SessionOf> {
  const { vault, point } = await subjectOf(services, request);
  const { storePoint, isInSnapshotTier, isInVaultTier } = point;
  return {
    store: vaultStore(vault.guid),
    point: parsePointName(storePoint),
    isInSnapshotTier,
    isInVaultTier,
    owner: request.caller.principalId,
  };
}

async function volumes(services: RestoreServices, request: ArmRequest): Promise<ArmReply> {
  const of = await sessionOf(services, request);
  const found = await services.fileSessions.use(of, (session) => session.volumes(request.signal), request.signal);
  return ok({ value: found });
}

const unlockBody = z.object({ key: z.string().min(1).max(4096) });

async function unlock(services: RestoreServices, request: ArmRequest): Promise<ArmReply> {
  const { key } = parseBody(request, unlockBody);
  const of = await sessionOf(services, request);
  const volume = param(request, "volume");
  const found = await services.fileSessions.use(
    of,
    (session) => session.unlock(volume, Buffer.from(key), request.signal),
    request.signal,
  );
  return ok({ value: found });
}

async function list(services: RestoreServices, request: ArmRequest): Promise<ArmReply> {
  const of = await sessionOf(services, request);
  const path = request.query.get("path") ?? "";
  const entries = await services.fileSessions.use(
    of,
    (session) => session.list(path, 1, request.signal),
    request.signal,
  );
  const shown = entries.map(shownEntry).toSorted((one, other) => (one.path < other.path ? -1 : 1));
  return ok({ path, value: shown });
}

const offerBody = z.object({ path: z.string().min(1).max(16_384), format: z.enum(downloadFormats).default("file") });

async function offer(services: RestoreServices, request: ArmRequest): Promise<ArmReply> {
  const { path, format } = parseBody(request, offerBody);
  const of = await sessionOf(services, request);
  const { token, until } = services.downloads.offer({ of, path, format });
  return ok({ url: `${request.origin}/api/filerecovery/${token}`, expiresAt: isoTime(until) });
}

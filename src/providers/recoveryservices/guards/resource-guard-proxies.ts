// A vault's side of multi-user authorisation: which guard it obeys, the unlocking of a deletion, and the
// security PIN.

import * as z from "zod";
import type { Provider } from "../../../arm/provider.ts";
import { ok, param, parseBody, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import { findResource, getResource, resourceNotFound, type Writer } from "../../../arm/resources/resource-store.ts";
import { vaultErrors } from "../../../backup/vaults/errors.ts";
import {
  defaultRequest,
  guardedOperations,
  unlockDeletion,
  type GuardedOperation,
} from "../../../backup/vaults/guard.ts";
import type { Reader, Vault } from "../../../backup/vaults/vaults.ts";
import { isoTime } from "../../../lib/clock.ts";
import { randomBelow, randomBytes } from "../../../lib/random.ts";
import { isGuarded, mayUseGuard, requireGuard } from "./guard-check.ts";
import { mayDo } from "../may-do.ts";
import type { RecoveryServices } from "../services.ts";
import { changeSettings } from "../vaults/vault-changes.ts";
import { apiVersions, namespace, vaultIdOf, vaultOf, vaultPath } from "../vaults/vault-paths.ts";

const proxies = `${vaultPath}/backupResourceGuardProxies`;
const onlyName = "VaultProxy";
const operations = Object.keys(guardedOperations) as GuardedOperation[];

export function resourceGuardProxiesPart(services: RecoveryServices): Provider {
  return {
    namespace,
    resourceTypes: [{ name: "vaults/backupResourceGuardProxies", apiVersions }],
    routes: [
      { method: "GET", path: proxies, handle: (request) => list(services, request) },
      { method: "GET", path: `${proxies}/{proxy}`, handle: (request) => show(services, request) },
      {
        method: "PUT",
        path: `${proxies}/{proxy}`,
        check: (draft) => parseBody(draft, proxyBody),
        handle: (request) => put(services, request),
      },
      { method: "DELETE", path: `${proxies}/{proxy}`, handle: (request) => remove(services, request) },
      { method: "POST", path: `${proxies}/{proxy}/unlockDelete`, handle: (request) => unlock(services, request) },
      { method: "POST", path: `${vaultPath}/backupSecurityPIN`, handle: (request) => securityPin(services, request) },
    ],
  };
}

async function list({ database }: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const vault = await vaultOf(database.kysely, request);
  return ok({ value: vault.settings.guard === undefined ? [] : [await render(database.kysely, vault)] });
}

async function show({ database }: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const vault = await vaultOf(database.kysely, request);
  if (vault.settings.guard === undefined || !isProxy(request)) throw resourceNotFound(request.resourceId);
  return ok(await render(database.kysely, vault));
}

const proxyBody = z.object({
  properties: z.object({ resourceGuardResourceId: z.string().max(2048), description: z.string().max(1024).nullish() }),
});

async function put(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const { properties } = parseBody(request, proxyBody);
  if (!isProxy(request)) {
    throw vaultErrors.BMSUserErrorInvalidInput(
      `The proxy '${param(request, "proxy")}' is not known. Its name is always ${onlyName}.`,
      { target: "name" },
    );
  }
  const guardId = properties.resourceGuardResourceId;
  // Who obeys a guard must be able to see it.
  await mayDo(services, request, "Microsoft.DataProtection/resourceGuards/read", guardId);
  const vault = await changeSettings(services, request, async (before, trx) => {
    const guard = await guardOf(trx, guardId);
    const known = before.settings.guard?.resourceGuardResourceId;
    if (known !== undefined && known.toLowerCase() !== guard.toLowerCase())
      await requireGuard(services, trx, before, "deleteGuardMapping", request);
    const lastUpdatedTime = isoTime(services.database.clock.now());
    return {
      ...before.settings,
      guard: { resourceGuardResourceId: guard, description: properties.description ?? undefined, lastUpdatedTime },
    };
  });
  return ok(await render(services.database.kysely, vault));
}

async function guardOf(trx: Writer, id: string): Promise<string> {
  const guard = await findResource(trx, id);
  if (guard?.type.toLowerCase() === "microsoft.dataprotection/resourceguards") return guard.id;
  throw vaultErrors.BMSUserErrorInvalidInput(`There is no resource guard '${id.slice(0, 300)}'.`, {
    target: "properties.resourceGuardResourceId",
  });
}

async function remove(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const found = await vaultOf(services.database.kysely, request);
  if (found.settings.guard === undefined || !isProxy(request)) return { status: 204 };
  await changeSettings(services, request, async (vault, trx) => {
    await requireGuard(services, trx, vault, "deleteGuardMapping", request);
    const { guard: _, ...settings } = vault.settings;
    return settings;
  });
  return { status: 200 };
}

const unlockBody = z.object({
  resourceGuardOperationRequests: z.array(z.string().max(2048)).min(1).max(20),
  resourceToBeDeleted: z.string().max(2048).nullish(),
});

async function unlock(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const body = parseBody(request, unlockBody);
  const vault = await vaultOf(services.database.kysely, request);
  const guardId = vault.settings.guard?.resourceGuardResourceId;
  if (guardId === undefined) throw resourceNotFound(`${vaultIdOf(request)}/backupResourceGuardProxies/${onlyName}`);
  const asked = body.resourceGuardOperationRequests.map((one) => one.toLowerCase());
  const wanted = operations.filter((operation) => asked.includes(defaultRequest(guardId, operation).toLowerCase()));
  if (wanted.length === 0) {
    throw vaultErrors.BMSUserErrorInvalidInput(
      `None of the requests belongs to the resource guard ${guardId}. Use the defaultResourceRequest that the proxy shows.`,
      { target: "resourceGuardOperationRequests" },
    );
  }
  for (const operation of wanted) await mayUseGuard(services, request, guardId, operation);
  const until = await services.database.transaction((trx) =>
    unlockDeletion(trx, vault, request.caller.principalId, wanted),
  );
  return ok({ unlockDeleteExpiryTime: isoTime(until) });
}

const pinMinutes = 5;
/** .NET counts from the year 1 in steps of 100 ns. */
const ticksAtEpoch = 621_355_968_000_000_000n;

async function securityPin(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  await services.database.transaction(async (trx) => {
    const vault = await vaultOf(trx, request);
    await requireGuard(services, trx, vault, "getSecurityPin", request);
  });
  const expiry = services.database.clock.now() + pinMinutes * 60_000;
  return ok({
    token: randomBytes(32).toString("base64"),
    // Beyond what a double holds exactly; clients read it as a number all the same.
    expiryTimeInUtcTicks: Number(ticksAtEpoch + BigInt(expiry) * 10_000n),
    securityPIN: String(randomBelow(1_000_000)).padStart(6, "0"),
  });
}

function isProxy(request: ArmRequest): boolean {
  return param(request, "proxy").toLowerCase() === onlyName.toLowerCase();
}

async function render(reader: Reader, vault: Vault): Promise<object> {
  const { resourceGuardResourceId = "", description, lastUpdatedTime } = vault.settings.guard ?? {};
  const guarded: GuardedOperation[] = [];
  for (const operation of operations)
    if (await isGuarded(reader, resourceGuardResourceId, operation)) guarded.push(operation);
  const { location } = await getResource(reader, vault.id);
  return {
    id: `${vault.id}/backupResourceGuardProxies/${onlyName}`,
    name: onlyName,
    type: `${namespace}/vaults/backupResourceGuardProxies`,
    location,
    properties: {
      resourceGuardResourceId,
      resourceGuardOperationDetails: guarded.map((operation) => ({
        vaultCriticalOperation: guardedOperations[operation].operation,
        defaultResourceRequest: defaultRequest(resourceGuardResourceId, operation),
      })),
      lastUpdatedTime,
      description: description ?? "",
    },
  };
}

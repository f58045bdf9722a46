// `backupPolicies`: the policies of a vault on the wire. A change holds for the points that are there
// already, so an immutable vault refuses what would let any of them go earlier.

import * as z from "zod";
import { allowOnly, filterPredicate, parseFilter } from "../../../arm/filter.ts";
import type { Provider } from "../../../arm/provider.ts";
import { noContent, ok, param, parseBody, type ArmReply, type ArmRequest, type Draft } from "../../../arm/request.ts";
import { fillPage } from "../../../arm/paging.ts";
import { checkPreconditions, preconditionsOf } from "../../../arm/preconditions.ts";
import { policyErrors } from "../../../backup/policy/errors.ts";
import { parsePolicy } from "../../../backup/policy/parse-policy.ts";
import type { Policy } from "../../../backup/policy/policy.ts";
import { invalidPolicy } from "../../../backup/policy/problems.ts";
import { renderPolicy } from "../../../backup/policy/render-policy.ts";
import { shortenings } from "../../../backup/retention/shortening.ts";
import { vaultErrors } from "../../../backup/vaults/errors.ts";
import {
  findPolicy,
  getPolicy,
  listPolicies,
  removePolicy,
  savePolicy,
  type StoredPolicy,
} from "../../../backup/vaults/policies.ts";
import type { Vault, Writer } from "../../../backup/vaults/vaults.ts";
import { operationRoutes } from "../jobs/operation-routes.ts";
import { requireGuard } from "../guards/guard-check.ts";
import type { RecoveryServices } from "../services.ts";
import { itemsByPolicy } from "../vaults/vault-changes.ts";
import { apiVersions, doerOf, namespace, vaultOf, vaultPath } from "../vaults/vault-paths.ts";

const policies = `${vaultPath}/backupPolicies`;
const one = `${policies}/{policy}`;

export function policiesPart(services: RecoveryServices): Provider {
  return {
    namespace,
    resourceTypes: [{ name: "vaults/backupPolicies", apiVersions }],
    routes: [
      { method: "GET", path: policies, handle: (request) => list(services, request) },
      { method: "GET", path: one, handle: (request) => show(services, request) },
      {
        method: "PUT",
        path: one,
        handle: (request) => put(services, request),
        check: (draft) => parsePolicy(asked(draft)),
      },
      { method: "DELETE", path: one, handle: (request) => remove(services, request) },
      ...operationRoutes(services, one, { status: "operations", result: "operationResults" }),
    ],
  };
}

async function list(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const { database, paging } = services;
  const vault = await vaultOf(database.kysely, request);
  const filter = parseFilter(request.query.get("$filter"));
  allowOnly(filter, ["backupManagementType", "workloadType"]);
  const keep = filterPredicate<StoredPolicy>(filter, ({ policy }, field) =>
    field.toLowerCase() === "backupmanagementtype" ? policy.management : workloadOf(policy),
  );
  const page = paging.read(request);
  const keyOf = ({ name }: StoredPolicy): string => name.toLowerCase();
  const rows = await fillPage(
    page,
    (after, limit) => listPolicies(database.kysely, vault, { after, limit }),
    keyOf,
    keep,
  );
  const counts = await itemsByPolicy(services, database.kysely, vault);
  return paging.reply(request, page, rows, keyOf, (row) => render(vault, row, counts));
}

async function show(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const { kysely } = services.database;
  const vault = await vaultOf(kysely, request);
  const stored = await getPolicy(kysely, vault, param(request, "policy"));
  return ok(render(vault, stored, await itemsByPolicy(services, kysely, vault)), { ETag: stored.etag });
}

const policyBody = z.object({ properties: z.record(z.string(), z.unknown()) });

function asked(draft: Draft): object {
  checkName(param(draft, "policy"));
  return parseBody(draft, policyBody).properties;
}

async function put(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const name = param(request, "policy");
  const properties = asked(request);
  const { vault, stored, counts } = await services.database.transaction(async (trx) => {
    const vault = await vaultOf(trx, request);
    const before = await findPolicy(trx, vault, name);
    checkPreconditions(preconditionsOf(request), before?.etag, request.resourceId);
    const policy = parsePolicy(properties, before?.policy);
    const counts = await itemsByPolicy(services, trx, vault);
    if (before !== undefined) {
      const isUsed = (counts.get(name.toLowerCase()) ?? 0) > 0;
      await checkReplacement(services, trx, request, vault, { before: before.policy, after: policy, isUsed });
    }
    return { vault, stored: await savePolicy(trx, vault, name, policy, doerOf(request)), counts };
  });
  return ok(render(vault, stored, counts), { ETag: stored.etag });
}

async function checkReplacement(
  services: RecoveryServices,
  trx: Writer,
  request: ArmRequest,
  vault: Vault,
  { before, after, isUsed }: { before: Policy; after: Policy; isUsed: boolean },
): Promise<void> {
  if (before.management !== after.management) {
    throw invalidPolicy([
      {
        field: "properties.backupManagementType",
        seen: after.management,
        remedy: `This policy is one of ${before.management} and stays so. Create another policy instead.`,
      },
    ]);
  }
  if (before.management === "AzureIaasVM" && after.management === "AzureIaasVM" && before.version > after.version) {
    throw invalidPolicy([
      {
        field: "properties.policyType",
        seen: after.version,
        remedy: "An enhanced policy (V2) cannot become a standard one (V1). Create another policy instead.",
      },
    ]);
  }
  const shorter = shortenings(before, after);
  if (shorter.length === 0) return;
  if (vault.settings.immutability !== "Disabled" && isUsed) {
    const details = shorter.map(({ field, before, after }) =>
      vaultErrors.BMSUserErrorImmutabilityViolation(`'${field}' would go from ${before} to ${after}.`, {
        target: field,
      }),
    );
    throw vaultErrors.BMSUserErrorImmutabilityViolation(
      `The vault is immutable: this policy may not let recovery points go earlier. ${details[0]?.message ?? ""}`,
      { target: shorter[0]?.field, details },
    );
  }
  await requireGuard(services, trx, vault, "updatePolicy", request);
}

async function remove(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const name = param(request, "policy");
  return services.database.transaction(async (trx) => {
    const vault = await vaultOf(trx, request);
    const stored = await findPolicy(trx, vault, name);
    if (stored === undefined) return noContent();
    checkPreconditions(preconditionsOf(request), stored.etag, request.resourceId);
    const count = (await itemsByPolicy(services, trx, vault)).get(name.toLowerCase()) ?? 0;
    if (count > 0) {
      throw policyErrors.BMSUserErrorPolicyObjectInUse(
        `The policy '${stored.name}' cannot be deleted: it is associated with ${count} backup item${count === 1 ? "" : "s"}. List them: az backup policy list-associated-items --name ${stored.name}.`,
        { target: request.resourceId },
      );
    }
    await removePolicy(trx, vault, stored.name, doerOf(request));
    return { status: 200 };
  });
}

function checkName(name: string): void {
  if (/^[A-Za-z][A-Za-z0-9_-]{2,149}$/.test(name)) return;
  throw invalidPolicy([
    {
      field: "name",
      seen: name,
      remedy: "A policy's name has 3 to 150 letters, digits, '-' and '_' and begins with a letter.",
    },
  ]);
}

export function workloadOf(policy: Policy): string {
  if (policy.management === "AzureWorkload") return policy.workload;
  return policy.management === "AzureStorage" ? "AzureFileShare" : "VM";
}

function render(vault: Vault, { name, policy, etag }: StoredPolicy, counts: ReadonlyMap<string, number>): object {
  return {
    id: `${vault.id}/backupPolicies/${name}`,
    name,
    type: `${namespace}/vaults/backupPolicies`,
    eTag: etag,
    properties: { ...renderPolicy(policy), protectedItemsCount: counts.get(name.toLowerCase()) ?? 0 },
  };
}

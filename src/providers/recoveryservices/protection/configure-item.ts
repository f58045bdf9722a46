// What a request for protection says: which machine, by which policy, which of its disks; and whether the
// caller may have it so.

import * as z from "zod";
import { armErrors } from "../../../arm/errors.ts";
import type { ArmRequest } from "../../../arm/request.ts";
import { findResource } from "../../../arm/resources/resource-store.ts";
import type { DiskChoice } from "../../../backup/capture/index.ts";
import type { Job } from "../../../backup/jobs/job.ts";
import { listPointsOf } from "../../../backup/points/point.ts";
import { planItemRetention } from "../../../backup/points/retain-item.ts";
import { protectionErrors } from "../../../backup/protection/errors.ts";
import { findItemOfMachine, type ProtectedItem } from "../../../backup/protection/item.ts";
import { protect } from "../../../backup/protection/protect.ts";
import { shortenings } from "../../../backup/retention/shortening.ts";
import { findPolicy, getPolicy, type StoredPolicy } from "../../../backup/vaults/policies.ts";
import type { Vault, Writer } from "../../../backup/vaults/vaults.ts";
import type { InventoryMachine } from "../../../inventory/inventory.ts";
import type { MachineHidden } from "../../compute/virtual-machines/shape.ts";
import { isoTime } from "../../../lib/clock.ts";
import { requireGuard } from "../guards/guard-check.ts";
import { mayDo } from "../may-do.ts";
import type { RecoveryServices } from "../services.ts";
import { doerOf } from "../vaults/vault-paths.ts";

export const itemBody = z.object({
  properties: z.object({
    protectedItemType: z.string().nullish(),
    policyId: z.string().max(2048).nullish(),
    sourceResourceId: z.string().max(2048).nullish(),
    protectionState: z.string().nullish(),
    isRehydrate: z.boolean().nullish(),
    extendedProperties: z
      .object({
        diskExclusionProperties: z
          .object({ diskLunList: z.array(z.number().int()).max(64), isInclusionList: z.boolean() })
          .nullish(),
      })
      .nullish(),
  }),
});
export type ItemProperties = z.output<typeof itemBody>["properties"];

/** Protects the machine, or changes how it is protected. */
export async function configure(
  services: RecoveryServices,
  trx: Writer,
  request: ArmRequest,
  vault: Vault,
  properties: ItemProperties,
  machine: InventoryMachine,
): Promise<{ item: ProtectedItem; job: Job }> {
  const policy = await getPolicy(trx, vault, policyNameIn(vault, properties.policyId ?? ""));
  const known = await findItemOfMachine(trx, machine.resourceId);
  const before = known?.vaultKey === vault.key ? known : undefined;
  if (before?.policyKey !== undefined) await checkSwap(services, trx, request, vault, before.policyKey, policy);
  else if (before !== undefined) await checkResumption(services, trx, request, vault, before, policy);
  const choice = choiceIn(properties);
  const isFresh = before?.policyKey === undefined;
  const resource = await findResource<object, MachineHidden>(trx, machine.resourceId);
  return protect(trx, {
    vault,
    machine,
    policy: { name: policy.name, policy: policy.policy },
    disks: choice === "keep" && isFresh ? undefined : choice,
    isEncrypted: resource?.hidden.diskKeys !== undefined,
    by: doerOf(request),
  });
}

/** A policy that keeps points for less is refused by an immutable vault, and held back by a guard. */
async function refuseShorter(
  services: RecoveryServices,
  trx: Writer,
  request: ArmRequest,
  vault: Vault,
  next: StoredPolicy,
  shorter: string,
): Promise<void> {
  if (vault.settings.immutability !== "Disabled") {
    throw protectionErrors.BMSUserErrorImmutabilityViolation(
      `The vault is immutable: with the policy '${next.name}' recovery points would go earlier (${shorter}).`,
      { target: "properties.policyId", remedy: "Choose a policy that keeps them at least as long." },
    );
  }
  await requireGuard(services, trx, vault, "updateProtection", request);
}

async function checkSwap(
  services: RecoveryServices,
  trx: Writer,
  request: ArmRequest,
  vault: Vault,
  policyKey: string,
  next: StoredPolicy,
): Promise<void> {
  const present = await findPolicy(trx, vault, policyKey);
  const [shorter] = present === undefined ? [] : shortenings(present.policy, next.policy);
  if (shorter === undefined) return;
  const { field, before, after } = shorter;
  await refuseShorter(services, trx, request, vault, next, `'${field}' from ${before} to ${after}`);
}

/** A stopped item has no policy to compare with: its points keep what was said of them last. */
async function checkResumption(
  services: RecoveryServices,
  trx: Writer,
  request: ArmRequest,
  vault: Vault,
  item: ProtectedItem,
  next: StoredPolicy,
): Promise<void> {
  const points = await listPointsOf(trx, item.key);
  const { verdicts } = planItemRetention(next.policy, points, services.database.clock.now());
  const shorter = verdicts.find(
    ({ point: { point }, keepUntil }) =>
      keepUntil !== undefined && point.keepUntil !== undefined && keepUntil < point.keepUntil,
  );
  if (shorter === undefined) return;
  const { point, keepUntil = 0 } = shorter;
  const [was, is] = [point.point.keepUntil ?? 0, keepUntil].map(isoTime);
  await refuseShorter(services, trx, request, vault, next, `that of ${isoTime(point.time)} at ${is}, not at ${was}`);
}

export function checkType({ protectedItemType }: ItemProperties): void {
  const type = (protectedItemType ?? "Microsoft.Compute/virtualMachines").toLowerCase();
  if (type === "microsoft.compute/virtualmachines") return;
  throw armErrors.InvalidParameter(
    `'properties.protectedItemType' is '${protectedItemType}'. Here it is Microsoft.Compute/virtualMachines.`,
    { target: "properties.protectedItemType" },
  );
}

/** The machine that the body speaks of; it has to be the one that the path names, and the caller's to change. */
export async function machineOf(
  services: RecoveryServices,
  request: ArmRequest,
  { sourceResourceId }: Pick<ItemProperties, "sourceResourceId">,
  named: string | undefined,
): Promise<InventoryMachine> {
  if (sourceResourceId === undefined || sourceResourceId === null || sourceResourceId === "") {
    throw armErrors.InvalidParameter("'properties.sourceResourceId' is missing: it is the id of the machine.", {
      target: "properties.sourceResourceId",
    });
  }
  const [, , , , group = "", , , , name = ""] = sourceResourceId.split("/");
  if (named !== undefined && `${group}/${name}`.toLowerCase() !== named.toLowerCase()) {
    throw protectionErrors.BMSUserErrorInvalidItem(
      `'properties.sourceResourceId' is ${sourceResourceId.slice(0, 300)}; the path names the machine ${named}.`,
      { target: "properties.sourceResourceId" },
    );
  }
  await mayDo(services, request, "Microsoft.Compute/virtualMachines/write", sourceResourceId);
  const machine = await services.inventory.findMachine(sourceResourceId);
  if (machine !== undefined) return machine;
  throw protectionErrors.UserErrorVmNotFoundV2(`There is no machine ${sourceResourceId.slice(0, 300)}.`, {
    target: "properties.sourceResourceId",
  });
}

function policyNameIn(vault: Vault, policyId: string): string {
  const prefix = `${vault.key}/backuppolicies/`;
  const name = policyId.toLowerCase().startsWith(prefix) ? policyId.slice(prefix.length) : "";
  if (name !== "" && !name.includes("/")) return name;
  throw armErrors.InvalidParameter(
    `'properties.policyId' is '${policyId.slice(0, 300)}'. It is the id of a policy of this vault: ${vault.id}/backupPolicies/{name}.`,
    { target: "properties.policyId" },
  );
}

/** An empty `extendedProperties` takes the choice back; none leaves it as it is. */
function choiceIn({ extendedProperties }: ItemProperties): DiskChoice | "keep" | undefined {
  if (extendedProperties === undefined || extendedProperties === null) return "keep";
  const disks = extendedProperties.diskExclusionProperties;
  if (disks === undefined || disks === null) return undefined;
  return { kind: disks.isInclusionList ? "include" : "exclude", luns: [...new Set(disks.diskLunList)] };
}

// What a Restore job is made from: everything decided and checked, plain JSON without secrets.

import * as z from "zod";
import { writableFormats } from "../../store/images/format.ts";

const target = z.discriminatedUnion("kind", [
  /** VHDs in a storage account. */
  z.object({ kind: z.literal("blobs") }),
  z.object({ kind: z.literal("managedDisks"), resourceGroupId: z.string() }),
  z.object({
    kind: z.literal("newMachine"),
    resourceGroupId: z.string(),
    machineId: z.string(),
    subnetId: z.string().optional(),
    hostId: z.string().optional(),
    isInstant: z.boolean(),
  }),
  z.object({ kind: z.literal("replace"), machineId: z.string() }),
  z.object({ kind: z.literal("folder"), path: z.string(), format: z.enum(writableFormats) }),
]);
export type RestoreTarget = z.output<typeof target>;

export const restoreInput = z.object({
  pointId: z.string(),
  itemKey: z.string(),
  /** Names in the store of the disks to restore. */
  disks: z.array(z.string()).min(1),
  target,
  /** Where the template and the configuration go, and VHDs if they are wanted; by account name. */
  staging: z.object({ account: z.string(), id: z.string() }).optional(),
  /** Key vaults for the keys of encrypted disks, where these are not the original ones. */
  keyTargets: z.object({ secretVaultId: z.string().optional(), keyVaultId: z.string().optional() }).optional(),
  /** On whose behalf: the new machine is made with this one's rights. */
  caller: z.object({
    principalId: z.string(),
    principalType: z.enum(["User", "ServicePrincipal", "Group"]),
    name: z.string(),
    applicationId: z.string(),
    tenantId: z.string(),
    claims: z.record(z.string(), z.unknown()),
  }),
});
export type RestoreInput = z.output<typeof restoreInput>;

export const transferFromVaultTask = "Transfer data from vault";
export const createMachineTask = "Create the restored virtual machine";

export function tasksOf({ kind }: RestoreTarget): readonly string[] {
  return kind === "newMachine" ? [transferFromVaultTask, createMachineTask] : [transferFromVaultTask];
}

const restoreLocations: Readonly<Record<RestoreTarget["kind"], string>> = {
  blobs: "RestoreDisks",
  managedDisks: "RestoreDisks",
  folder: "RestoreDisks",
  newMachine: "AlternateLocation",
  replace: "OriginalLocation",
};

/** What scripts look at in a job's internal properties; undefined for jobs that restore nothing. */
export function restoreLocationOf(input: unknown): string | undefined {
  const parsed = z.object({ target }).safeParse(input);
  return parsed.success ? restoreLocations[parsed.data.target.kind] : undefined;
}

/** As Azure calls it in the job's properties. */
export function jobTypeOf({ kind }: RestoreTarget): string {
  switch (kind) {
    case "newMachine":
      return "Recover VM to an alternate location";
    case "replace":
      return "Replace disks of the existing VM";
    default:
      return "Recover disks";
  }
}

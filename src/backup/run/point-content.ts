// What a point in the store says of itself beyond its disks: of which item and policy it is, and the
// machine as it was. With it a vault whose control data is lost gets its items, points and policies back.

import * as z from "zod";
import type { InventoryMachine } from "../../inventory/inventory.ts";
import { capturedFacts, type CaptureAttachment } from "../capture/index.ts";
import type { MachinePolicy } from "../policy/policy.ts";
import { renderPolicy } from "../policy/render-policy.ts";
import { diskKeyNames, diskKeysAttachment, namesOf, type DiskKeys } from "../keys/disk-keys.ts";
import type { ProtectedItem } from "../protection/item.ts";
import { marksOf } from "../retention/marks.ts";
import type { Point } from "../../store/index.ts";
import type { Vault } from "../vaults/vaults.ts";
import type { BackupInput } from "./backup-input.ts";

const ruleName = z.enum(["daily", "weekly", "monthly", "yearly"]);

const pointDetails = z.object({
  v: z.literal(1),
  kind: z.literal("recoveryPoint"),
  /** Its name on the wire. */
  id: z.string(),
  job: z.string(),
  vault: z.string(),
  vaultLocation: z.string(),
  /** The item's id on the wire, and the GUID of its chain. */
  item: z.string(),
  itemId: z.string(),
  storeItem: z.string(),
  machineId: z.string(),
  friendlyName: z.string(),
  disks: z
    .discriminatedUnion("kind", [
      z.object({ kind: z.literal("all") }),
      z.object({ kind: z.enum(["include", "exclude"]), luns: z.array(z.number()) }),
    ])
    .optional(),
  origin: z.enum(["scheduled", "onDemand"]),
  dueAt: z.number(),
  expiresAt: z.number().optional(),
  marks: z.object({ day: z.number(), rules: z.array(ruleName), competes: z.boolean() }).optional(),
  policyName: z.string(),
  osType: z.string(),
  vmSize: z.string(),
  /** Which keys its encrypted disks need; they themselves are an attachment. */
  keys: diskKeyNames.optional(),
});
export type PointDetails = z.output<typeof pointDetails>;

/** Names of the attachments of every point of a machine. */
export const machineAttachment = "machine.json";
export const policyAttachment = "policy.json";

/** Undefined for points that no item's backup made. */
export function detailsOf(point: Point): PointDetails | undefined {
  const parsed = pointDetails.safeParse(capturedFacts(point)?.details);
  return parsed.success ? parsed.data : undefined;
}

/** Of a point that a backup has just made. */
export function mustHaveDetails(point: Point): PointDetails {
  const details = detailsOf(point);
  if (details === undefined) throw new Error(`the point ${point.name} does not tell of its job`);
  return details;
}

export interface PointSubject {
  readonly jobId: string;
  readonly vault: Vault;
  readonly item: ProtectedItem;
  readonly policy: { readonly name: string; readonly policy: MachinePolicy };
  readonly machine: InventoryMachine;
  readonly input: BackupInput;
  /** The machine as the wire shows it. */
  readonly shape: Readonly<Record<string, unknown>>;
  readonly keys: DiskKeys | undefined;
}

export function describePoint({ jobId, vault, item, policy, machine, input, shape, keys }: PointSubject): PointDetails {
  return {
    v: 1,
    kind: "recoveryPoint",
    id: recoveryPointName(jobId),
    job: jobId,
    vault: vault.id,
    vaultLocation: vault.location,
    item: item.id,
    itemId: item.itemId,
    storeItem: item.storeItem,
    machineId: item.machineId,
    friendlyName: item.friendlyName,
    ...(item.disks === undefined ? {} : { disks: item.disks as PointDetails["disks"] }),
    origin: input.kind,
    dueAt: input.dueAt,
    ...(input.kind === "onDemand"
      ? { expiresAt: input.expiresAt }
      : { marks: { ...marksOf(policy.policy, input.dueAt), rules: [...marksOf(policy.policy, input.dueAt).rules] } }),
    policyName: policy.name,
    osType: machine.osType,
    vmSize: sizeIn(shape),
    ...(keys === undefined ? {} : { keys: namesOf(keys) }),
  };
}

export function pointAttachments({ policy, shape, keys }: PointSubject): CaptureAttachment[] {
  const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value, null, 1));
  return [
    { name: machineAttachment, content: json(shape) },
    { name: policyAttachment, content: json({ name: policy.name, properties: renderPolicy(policy.policy) }) },
    ...(keys === undefined ? [] : [{ name: diskKeysAttachment, content: json(keys) }]),
  ];
}

/** Digits that follow from the job: another attempt makes the same point. */
export function recoveryPointName(jobId: string): string {
  return BigInt(`0x${jobId.replaceAll("-", "").slice(0, 15)}`)
    .toString()
    .padStart(18, "0");
}

function sizeIn(shape: Readonly<Record<string, unknown>>): string {
  const parsed = z
    .object({ properties: z.object({ hardwareProfile: z.object({ vmSize: z.string() }) }) })
    .safeParse(shape);
  return parsed.success ? parsed.data.properties.hardwareProfile.vmSize : "";
}

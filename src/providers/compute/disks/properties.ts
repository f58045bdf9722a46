// Managed disks and snapshots on the wire: what clients may say, what is kept, what is shown.

import { z } from "zod";
import { renderResource, type JsonObject, type Resource } from "../../../arm/resources/resource.ts";
import { diskErrors } from "../../../disks/errors.ts";
import { isoTime } from "../../../lib/clock.ts";
import type { PlannedContent } from "./content.ts";
import { gibibytes } from "../virtual-machines/shape.ts";

export const gibibyte = 1024 ** 3;
const largestGibibytes = 65_536;

/** Ways to create a disk that are served; Azure's others need what is not here (images, uploads). */
export const createOptions = ["Empty", "Copy", "Restore", "Import"] as const;

export const diskProperties = z.looseObject({
  creationData: z
    .looseObject({
      createOption: z.enum(
        createOptions,
        `must be one of ${createOptions.join(", ")}: marketplace images and uploads are not offered`,
      ),
      sourceResourceId: z.string().max(2048).nullish(),
      sourceUri: z.string().max(4096).nullish(),
    })
    .optional(),
  diskSizeGB: z.number().int().min(1).max(largestGibibytes).nullish(),
  osType: z.enum(["Linux", "Windows"]).nullish(),
  hyperVGeneration: z.enum(["V1", "V2"]).nullish(),
  incremental: z.boolean().nullish(),
  networkAccessPolicy: z.enum(["AllowAll", "AllowPrivate", "DenyAll"]).nullish(),
  publicNetworkAccess: z.enum(["Enabled", "Disabled"]).nullish(),
  tier: z.string().nullish(),
  diskIOPSReadWrite: z.number().nullish(),
  diskMBpsReadWrite: z.number().nullish(),
});
export type DiskProperties = z.output<typeof diskProperties>;

export interface DiskBoot {
  readonly hasInitrd: boolean;
  readonly commandLine: string;
}

/** What the resource keeps and does not show as it is. */
export interface DiskHidden {
  readonly imageId: string;
  readonly operationId?: string;
  /** The kernel beside the image that a machine with this system disk boots. */
  readonly boot?: DiskBoot;
  /** A machine with this system disk has a UEFI, whose variables lie beside the image. */
  readonly uefi?: { readonly isSecureBoot: boolean };
  /** Access by URL has been given until then. */
  readonly accessUntil?: number;
}

export function sizeOf(properties: DiskProperties, planned: PlannedContent): number {
  const wanted = properties.diskSizeGB ?? undefined;
  if (planned.sizeBytes === undefined) {
    if (wanted === undefined) throw diskErrors.DiskSizeInvalid("An empty disk needs a size.", { target: "diskSizeGB" });
    return wanted * gibibyte;
  }
  const least = gibibytes(planned.sizeBytes);
  if (wanted !== undefined && wanted < least) {
    throw diskErrors.DiskSizeInvalid(`diskSizeGB is ${wanted}; the source has ${least} GiB.`, {
      target: "diskSizeGB",
      remedy: "Leave the size out, or choose a larger one.",
    });
  }
  // A copy is exactly as long as its source, unless more was asked for.
  return wanted === undefined || wanted === least ? planned.sizeBytes : wanted * gibibyte;
}

const limits = { diskIOPSReadWrite: 500, diskMBpsReadWrite: 60, tier: "P4" };

export function createdProperties(
  asked: DiskProperties,
  planned: Pick<PlannedContent, "osType" | "sourceUniqueId">,
  kept: { readonly imageId: string; readonly sizeBytes: number; readonly now: number },
): JsonObject {
  const { creationData } = asked;
  return {
    creationData: {
      createOption: creationData?.createOption ?? "Empty",
      ...(creationData?.sourceResourceId ? { sourceResourceId: creationData.sourceResourceId } : {}),
      ...(creationData?.sourceUri ? { sourceUri: withoutSignature(creationData.sourceUri) } : {}),
      ...(planned.sourceUniqueId === undefined ? {} : { sourceUniqueId: planned.sourceUniqueId }),
    },
    ...sizes(kept.sizeBytes),
    ...optional("osType", asked.osType ?? planned.osType),
    hyperVGeneration: asked.hyperVGeneration ?? "V1",
    ...optional("incremental", asked.incremental ?? undefined),
    encryption: { type: "EncryptionAtRestWithPlatformKey" },
    networkAccessPolicy: asked.networkAccessPolicy ?? "AllowAll",
    publicNetworkAccess: asked.publicNetworkAccess ?? "Enabled",
    tier: asked.tier ?? limits.tier,
    diskIOPSReadWrite: asked.diskIOPSReadWrite ?? limits.diskIOPSReadWrite,
    diskMBpsReadWrite: asked.diskMBpsReadWrite ?? limits.diskMBpsReadWrite,
    timeCreated: isoTime(kept.now),
    uniqueId: kept.imageId,
  };
}

/** What of an existing disk may change: its size, upwards, and how it is described. */
export function changedProperties(asked: DiskProperties, existing: JsonObject, sizeBytes: number): JsonObject {
  const free = [
    "osType",
    "networkAccessPolicy",
    "publicNetworkAccess",
    "tier",
    "diskIOPSReadWrite",
    "diskMBpsReadWrite",
  ];
  const given = free.flatMap((name) => {
    const value = (asked as JsonObject)[name];
    return value === undefined || value === null ? [] : [[name, value] as const];
  });
  return { ...existing, ...Object.fromEntries(given), ...sizes(sizeBytes) };
}

export function renderDisk(resource: Resource, now: number): Record<string, unknown> {
  const { accessUntil = 0 } = resource.hidden as unknown as DiskHidden;
  const shown = renderResource(resource);
  const { etag: _etag, systemData: _systemData, ...rest } = shown;
  return {
    ...rest,
    properties: {
      ...(shown["properties"] as JsonObject),
      diskState: accessUntil > now ? "ActiveSAS" : "Unattached",
      ...(resource.type.endsWith("/snapshots") && resource.provisioningState === "Succeeded"
        ? { completionPercent: 100 }
        : {}),
    },
  };
}

function sizes(bytes: number): JsonObject {
  return { diskSizeGB: gibibytes(bytes), diskSizeBytes: bytes };
}

function optional(name: string, value: unknown): JsonObject {
  return value === undefined ? {} : { [name]: value };
}

/** A signature is a secret; where the content came from is not. */
function withoutSignature(uri: string): string {
  const at = uri.indexOf("?");
  return at === -1 ? uri : uri.slice(0, at);
}

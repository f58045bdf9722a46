// The types, each with what is checked and computed when one is put, and who else names it.

import { createHash } from "node:crypto";
import { z } from "zod";
import { idKey, parseResourceId, tryParseResourceId } from "../../arm/resource-id.ts";
import { armErrors } from "../../arm/errors.ts";
import { findResource, listResources, type Reader } from "../../arm/resources/resource-store.ts";
import type { Resource } from "../../arm/resources/resource.ts";
import type { Inventory } from "../../inventory/inventory.ts";
import { newGuid } from "../../lib/random.ts";
import type { Services } from "../services.ts";
import { networkErrors } from "./errors.ts";

export interface NetworkServices extends Services {
  readonly inventory: Inventory;
}

export const namespace = "Microsoft.Network";

type Json = Record<string, unknown>;

export interface NetworkType {
  readonly name: string;
  readonly properties: z.ZodType<Json>;
  readonly settle: (reader: Reader, id: string, properties: Json, existing: Resource | undefined) => Promise<Json>;
  /** Ids of what would be left without it. */
  readonly users: (reader: Reader, resource: Resource) => Promise<string[]>;
}

const reference = z.object({ id: z.string().min(1).max(1024) });
const named = z.looseObject({
  name: z.string().min(1).max(80),
  properties: z.record(z.string(), z.unknown()).optional(),
});
const prefix = z
  .string()
  .regex(/^(\d{1,3}(\.\d{1,3}){3}|[0-9a-fA-F:]+)\/\d{1,3}$/, "must be an address range such as 10.0.0.0/16");
const ipConfiguration = named.extend({
  properties: z.looseObject({
    subnet: reference.nullish(),
    publicIPAddress: reference.nullish(),
    privateIPAddress: z.string().nullish(),
    privateIPAllocationMethod: z.string().nullish(),
    primary: z.boolean().nullish(),
  }),
});
const interfaceProperties = z.looseObject({
  ipConfigurations: z.array(ipConfiguration).min(1, "must hold at least one ip configuration").max(16).prefault([]),
  networkSecurityGroup: reference.nullish(),
});

export const networkTypes: readonly NetworkType[] = [
  {
    name: "virtualNetworks",
    properties: z.looseObject({
      addressSpace: z.looseObject({ addressPrefixes: z.array(prefix).min(1).max(64) }).optional(),
      subnets: z.array(named).max(256).default([]),
    }),
    settle: async (_reader, id, properties) => {
      const space = properties["addressSpace"];
      if (space === undefined)
        throw armErrors.InvalidParameter(
          "'properties.addressSpace.addressPrefixes' is missing. Give ranges such as 10.0.0.0/16.",
          {
            target: "properties.addressSpace",
          },
        );
      return { ...properties, subnets: children(id, "subnets", properties["subnets"]) };
    },
    users: (reader, { id, subscriptionId }) =>
      interfacesThatName(reader, subscriptionId, (text) => text.includes(`${idKey(id)}/subnets/`)),
  },
  {
    name: "networkInterfaces",
    properties: interfaceProperties,
    settle: async (reader, id, properties, existing) => {
      const { ipConfigurations, networkSecurityGroup } = interfaceProperties.parse(properties);
      for (const { properties: each } of ipConfigurations) {
        await mustBeThere(reader, each.publicIPAddress?.id);
        await mustBeThere(reader, networkOf(each.subnet?.id));
      }
      await mustBeThere(reader, networkSecurityGroup?.id);
      // Whose it is, its machine says: who claimed another's would be shown that one's addresses.
      const { virtualMachine: _claimed, ...own } = properties;
      return {
        ...own,
        ipConfigurations: children(id, "ipConfigurations", ipConfigurations),
        macAddress: existing?.properties["macAddress"] ?? macOf(id),
        ...(existing?.properties["virtualMachine"] === undefined
          ? {}
          : { virtualMachine: existing.properties["virtualMachine"] }),
      };
    },
    users: async (_reader, { properties }) => {
      const machine = reference.safeParse(properties["virtualMachine"]);
      return machine.success ? [machine.data.id] : [];
    },
  },
  {
    name: "publicIPAddresses",
    properties: z.looseObject({
      // az sends null for what it leaves to us.
      publicIPAllocationMethod: z
        .enum(["Static", "Dynamic"])
        .nullish()
        .transform((method) => method ?? "Dynamic"),
      publicIPAddressVersion: z
        .enum(["IPv4", "IPv6"])
        .nullish()
        .transform((version) => version ?? "IPv4"),
      ipAddress: z.string().max(64).nullish(),
    }),
    settle: async (_reader, _id, properties) => ({ idleTimeoutInMinutes: 4, ...properties }),
    users: (reader, { id, subscriptionId }) =>
      interfacesThatName(reader, subscriptionId, (text) => text.includes(`"${idKey(id)}"`)),
  },
  {
    name: "networkSecurityGroups",
    properties: z.looseObject({ securityRules: z.array(named).max(1000).default([]) }),
    settle: async (_reader, id, properties) => ({
      ...properties,
      securityRules: children(id, "securityRules", properties["securityRules"]),
      defaultSecurityRules: [],
    }),
    users: (reader, { id, subscriptionId }) =>
      interfacesThatName(reader, subscriptionId, (text) => text.includes(`"${idKey(id)}"`)),
  },
];

/** Parts of a resource that have ids of their own. */
export function children(parentId: string, collection: string, parts: unknown): Json[] {
  if (!Array.isArray(parts)) return [];
  return parts.map((part: Json & { name: string; properties?: Json }) => ({
    ...part,
    id: `${parentId}/${collection}/${part.name}`,
    etag: `W/"${newGuid()}"`,
    type: `${parseResourceId(parentId).type}/${collection}`,
    properties: { ...part.properties, provisioningState: "Succeeded" },
  }));
}

async function mustBeThere(reader: Reader, id: string | undefined): Promise<void> {
  if (id === undefined) return;
  if (tryParseResourceId(id) !== undefined && (await findResource(reader, id)) !== undefined) return;
  throw networkErrors.InvalidResourceReference(`Resource ${id.slice(0, 300)} was not found. Make it first.`, {
    target: "properties",
  });
}

function networkOf(subnetId: string | undefined): string | undefined {
  return subnetId?.replace(/\/subnets\/[^/]+\/?$/i, "");
}

/** Locally administered, and the same for the same interface. */
function macOf(id: string): string {
  const hex = createHash("sha256").update(idKey(id)).digest("hex").toUpperCase();
  return `02-48-46-${hex.slice(0, 2)}-${hex.slice(2, 4)}-${hex.slice(4, 6)}`;
}

async function interfacesThatName(
  reader: Reader,
  subscriptionId: string,
  isNamed: (lowerCaseProperties: string) => boolean,
): Promise<string[]> {
  const interfaces = await listResources(reader, { subscriptionId, type: `${namespace}/networkInterfaces` });
  return interfaces.filter(({ properties }) => isNamed(JSON.stringify(properties).toLowerCase())).map(({ id }) => id);
}

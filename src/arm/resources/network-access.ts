// Firewalls of resources, as the properties of several types have them, and whom they admit. There are no
// private links and no virtual networks here that a client could come by: a resource that is closed but for
// those admits nobody from outside. The service itself is a trusted one, whatever `bypass` says.

import { z } from "zod";
import { isAddressRange, type AdmittedClients } from "../../lib/admitted-clients.ts";

export const publicNetworkAccess = z.enum(["Enabled", "Disabled", "SecuredByPerimeter"]).nullish();

const ipRule = z.looseObject({
  value: z.string().refine(isAddressRange, "must be an address, or a range like 192.0.2.0/24"),
  action: z.literal("Allow").nullish(),
});

export const networkAccess = {
  publicNetworkAccess,
  networkAcls: z
    .looseObject({
      defaultAction: z.enum(["Allow", "Deny"]).nullish(),
      bypass: z.string().max(100).nullish(),
      ipRules: z.array(ipRule).max(1000).nullish(),
    })
    .nullish(),
};

const networkAccessSchema = z.object(networkAccess);

export function isPublic(access: z.output<typeof publicNetworkAccess>): boolean {
  return (access ?? "Enabled") === "Enabled";
}

export function admittedBy(properties: z.output<typeof networkAccessSchema>): AdmittedClients {
  if (!isPublic(properties.publicNetworkAccess)) return "none";
  const { defaultAction, ipRules } = properties.networkAcls ?? {};
  return defaultAction === "Deny" ? (ipRules ?? []).map(({ value }) => value) : "all";
}

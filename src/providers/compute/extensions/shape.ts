import type { JsonObject } from "../../../arm/resources/resource.ts";
import { extensionType, type MachineExtension } from "../../../inventory/extensions.ts";

export function renderExtension(extension: MachineExtension, withInstanceView = false): Record<string, unknown> {
  const { resource, properties } = extension;
  return {
    id: resource.id,
    name: resource.name,
    type: extensionType,
    location: resource.location,
    ...resource.envelope,
    properties: {
      autoUpgradeMinorVersion: true,
      ...properties,
      provisioningState: resource.provisioningState,
      ...(withInstanceView ? { instanceView: renderStatus(extension) } : {}),
    },
  };
}

export function renderStatus({ name, properties, status }: MachineExtension): JsonObject {
  return {
    name,
    type: `${properties.publisher}.${properties.type}`,
    typeHandlerVersion: status.typeHandlerVersion ?? properties.typeHandlerVersion ?? "",
    statuses: status.statuses,
    substatuses: status.substatuses,
  };
}

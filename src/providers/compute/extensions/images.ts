// Which extensions there are: `az vm extension image list`, and `az vm extension set` without a version.

import { ok, param, type ArmRequest } from "../../../arm/request.ts";
import type { Route } from "../../../arm/routes.ts";
import type { ExtensionProperties } from "../../../inventory/extensions.ts";
import { computeErrors } from "../errors.ts";

const publishers = ["Microsoft.Azure.RecoveryServices", "Microsoft.RecoveryServices"];
const types = ["VMSnapshot", "VMSnapshotLinux"];
const versions = ["1.0", "1.9"];

export function checkKind({ publisher, type }: Pick<ExtensionProperties, "publisher" | "type">): void {
  const isOurs = isOurPublisher(publisher) && types.some((known) => known.toLowerCase() === type.toLowerCase());
  if (isOurs) return;
  throw computeErrors.ArtifactNotFound(
    `The VM extension with publisher '${publisher}' and type '${type}' could not be found. There is publisher Microsoft.Azure.RecoveryServices with the types ${types.join(" and ")}; to run a script in the guest use az vm run-command invoke.`,
    { target: "properties.type" },
  );
}

const all = "/subscriptions/{subscriptionId}/providers/Microsoft.Compute/locations/{location}/publishers";
const artifacts = `${all}/{publisher}/artifacttypes/vmextension/types`;
const action = "Microsoft.Compute/locations/publishers/artifacttypes/types/read";

export function imageRoutes(): Route[] {
  return [
    {
      method: "GET",
      path: all,
      action: "Microsoft.Compute/locations/publishers/read",
      handle: async (request) => ok(publishers.map((publisher) => item(request, publisher, publisher))),
    },
    {
      method: "GET",
      path: artifacts,
      action,
      handle: async (request) => {
        const publisher = param(request, "publisher");
        const known = isOurPublisher(publisher) ? types : [];
        return ok(known.map((type) => item(request, `${publisher}/ArtifactTypes/VMExtension/Types/${type}`, type)));
      },
    },
    {
      method: "GET",
      path: `${artifacts}/{extensionType}/versions`,
      action,
      handle: async (request) => ok(versions.map((version) => versionItem(request, version))),
    },
    {
      method: "GET",
      path: `${artifacts}/{extensionType}/versions/{version}`,
      action,
      handle: async (request) => {
        const version = param(request, "version");
        const shown = versionItem(request, version);
        if (versions.includes(version)) return ok({ ...shown, properties: imageProperties(request) });
        throw computeErrors.ArtifactNotFound(
          `The VM extension '${param(request, "extensionType")}' has no version '${version.slice(0, 80)}'. It has ${versions.join(" and ")}.`,
          { target: "version" },
        );
      },
    },
  ];
}

function versionItem(request: ArmRequest, version: string): Record<string, unknown> {
  const publisher = param(request, "publisher");
  const type = param(request, "extensionType");
  checkKind({ publisher, type });
  return item(request, `${publisher}/ArtifactTypes/VMExtension/Types/${type}/Versions/${version}`, version);
}

function imageProperties(request: ArmRequest): Record<string, unknown> {
  const isLinux = param(request, "extensionType").toLowerCase().endsWith("linux");
  return {
    operatingSystem: isLinux ? "Linux" : "Windows",
    computeRole: "IaaS",
    vmScaleSetEnabled: false,
    supportsMultipleExtensions: false,
  };
}

function item(request: ArmRequest, rest: string, name: string): Record<string, unknown> {
  return {
    id: `/Subscriptions/${param(request, "subscriptionId")}/Providers/Microsoft.Compute/Locations/${param(request, "location")}/Publishers/${rest}`,
    name,
    location: param(request, "location"),
  };
}

function isOurPublisher(name: string): boolean {
  return publishers.some((known) => known.toLowerCase() === name.toLowerCase());
}

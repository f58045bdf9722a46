// The sizes that clients may ask for, as `az vm list-sizes` and `az vm list-skus` show them, and what is in
// use of them (`az vm list-usage`).

import { parseFilter, requiredEquals } from "../../../arm/filter.ts";
import { ok, param, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import type { Route } from "../../../arm/routes.ts";
import type { RouteGroup } from "../route-group.ts";
import type { ComputeServices } from "../services.ts";
import { mostDataDisks } from "./body.ts";
import { noImages } from "./create.ts";
import { machineSizes, type MachineSize } from "./sizes.ts";
import { machinePath } from "./find-machine.ts";

const inSubscription = "/subscriptions/{subscriptionId}/providers/Microsoft.Compute";

const noLimit = 2 ** 31 - 1;

export function sizes(services: ComputeServices): RouteGroup {
  const { locations } = services;
  return {
    resourceTypes: [
      { name: "locations", apiVersions: ["2026-04-01", "2022-08-01"] },
      { name: "locations/vmSizes", apiVersions: ["2026-04-01", "2022-08-01"] },
      { name: "locations/usages", apiVersions: ["2026-04-01", "2022-08-01"] },
      { name: "skus", apiVersions: ["2021-07-01", "2019-04-01"] },
    ],
    routes: [
      {
        method: "GET",
        path: `${inSubscription}/locations/{location}/vmSizes`,
        handle: async (request) => {
          locations.canonical(param(request, "location"));
          return ok({ value: machineSizes.map(sizeShape) });
        },
      },
      {
        method: "GET",
        path: `${inSubscription}/locations/{location}/usages`,
        handle: (request) => usages(services, request),
      },
      {
        method: "GET",
        path: `${machinePath}/vmSizes`,
        action: "Microsoft.Compute/virtualMachines/vmSizes/read",
        handle: async () => ok({ value: machineSizes.map(sizeShape) }),
      },
      // `az vm create --image` asks for the image first: it is told what can be done instead.
      ...["", "/{version}"].map((rest): Route => ({
        method: "GET",
        path: `${inSubscription}/locations/{location}/publishers/{publisher}/artifacttypes/vmimage/offers/{offer}/skus/{sku}/versions${rest}`,
        action: "Microsoft.Compute/locations/publishers/artifacttypes/offers/skus/versions/read",
        handle: async () => {
          throw noImages();
        },
      })),
      {
        method: "GET",
        path: `${inSubscription}/skus`,
        handle: async (request) => ok({ value: skus(request, locations.all[0]?.name ?? "") }),
      },
    ],
  };
}

/** What the machines of the subscription use; the hosts set no limit, so the answer names the largest number. */
async function usages({ inventory, locations }: ComputeServices, request: ArmRequest): Promise<ArmReply> {
  const location = locations.canonical(param(request, "location"));
  const all = await inventory.listMachines({ subscriptionId: param(request, "subscriptionId") });
  const machines = all.filter((machine) => machine.location === location);
  const processors = machines.reduce((sum, { machine }) => sum + (machine.processors ?? 0), 0);
  const usage = (value: string, localizedValue: string, currentValue: number): Record<string, unknown> => ({
    unit: "Count",
    currentValue,
    limit: noLimit,
    name: { value, localizedValue },
  });
  return ok({
    value: [
      usage("cores", "Total Regional vCPUs", processors),
      usage("virtualMachines", "Virtual Machines", machines.length),
    ],
  });
}

function sizeShape({ name, processors, mebibytes }: MachineSize): Record<string, unknown> {
  return {
    name,
    numberOfCores: processors,
    osDiskSizeInMB: 1_047_552,
    resourceDiskSizeInMB: 0,
    memoryInMB: mebibytes,
    maxDataDiskCount: mostDataDisks,
  };
}

function skus(request: ArmRequest, site: string): Record<string, unknown>[] {
  const location = requiredEquals(parseFilter(request.query.get("$filter")), "location");
  const wanted = typeof location === "string" ? location : site;
  return machineSizes.map(({ name, processors, mebibytes }) => ({
    resourceType: "virtualMachines",
    name,
    tier: "Standard",
    size: name.replace(/^Standard_/, ""),
    family: "holdfast",
    locations: [wanted],
    locationInfo: [{ location: wanted, zones: [], zoneDetails: [] }],
    capabilities: [
      { name: "vCPUs", value: String(processors) },
      { name: "MemoryGB", value: String(mebibytes / 1024) },
      { name: "MaxDataDiskCount", value: String(mostDataDisks) },
      { name: "PremiumIO", value: "True" },
    ],
    restrictions: [],
  }));
}

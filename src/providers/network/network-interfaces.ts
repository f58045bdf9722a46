// Network interfaces: those that clients made, and for each discovered machine one that tells what its
// agent says of its addresses, so that `az vm list-ip-addresses` and `az vm show -d` have an answer.

import { replyMerged } from "../../arm/merged-page.ts";
import { ok, param, type ArmReply, type ArmRequest } from "../../arm/request.ts";
import { tryParseResourceId } from "../../arm/resource-id.ts";
import { findResource, listResources } from "../../arm/resources/resource-store.ts";
import { renderResource, type Resource } from "../../arm/resources/resource.ts";
import type { Route } from "../../arm/routes.ts";
import type { InventoryMachine } from "../../inventory/inventory.ts";
import { guestInterfaceId, guestInterfacePattern } from "../../inventory/guest-interface.ts";
import { machineResourceId } from "../../inventory/machine.ts";
import { namespace, type NetworkServices } from "./network-types.ts";

const interfaceType = `${namespace}/networkInterfaces`;

export function interfaceRoutes(services: NetworkServices, routes: readonly Route[]): Route[] {
  return routes.map((route) => {
    if (route.method !== "GET") return route;
    if (!route.path.endsWith("/{name}")) return { ...route, handle: (request) => list(services, request) };
    return { ...route, handle: (request) => show(services, request, route) };
  });
}

async function show(services: NetworkServices, request: ArmRequest, route: Route): Promise<ArmReply> {
  const { database, inventory } = services;
  const stored = await findResource(database.kysely, request.resourceId);
  if (stored !== undefined) {
    const owner = ownerOf(stored);
    return ok(renderStored(stored, owner === undefined ? undefined : await inventory.findMachine(owner)));
  }
  const [, machineName] = guestInterfacePattern.exec(param(request, "name")) ?? [];
  const group = `/subscriptions/${param(request, "subscriptionId")}/resourceGroups/${param(request, "resourceGroup")}`;
  const machine =
    machineName === undefined ? undefined : await inventory.findMachine(machineResourceId(group, machineName));
  return machine === undefined ? route.handle(request) : ok(renderGuest(machine));
}

async function list({ database, inventory, paging }: NetworkServices, request: ArmRequest): Promise<ArmReply> {
  const page = paging.read(request);
  const scope = {
    subscriptionId: param(request, "subscriptionId"),
    resourceGroup: request.params["resourceGroup"],
  };
  const limit = page.limit + 1;
  const stored = await listResources(database.kysely, { ...scope, type: interfaceType, after: page.after, limit });
  const machines = await inventory.listMachines({ subscriptionId: scope.subscriptionId });
  const byId = new Map(machines.map((machine) => [machine.resourceId.toLowerCase(), machine]));
  const group = scope.resourceGroup?.toLowerCase();
  const others = machines.flatMap((machine) => {
    const id = guestInterfaceId(machine);
    const isElsewhere =
      group !== undefined && tryParseResourceId(machine.resourceId)?.resourceGroup?.toLowerCase() !== group;
    return id === undefined || isElsewhere ? [] : [{ key: id.toLowerCase(), shown: renderGuest(machine) }];
  });
  return replyMerged(
    paging,
    request,
    page,
    stored.map((resource) => ({
      key: resource.id.toLowerCase(),
      shown: renderStored(resource, byId.get(ownerOf(resource)?.toLowerCase() ?? "")),
    })),
    others,
  );
}

function ownerOf(resource: Resource): string | undefined {
  const owner = resource.properties["virtualMachine"];
  if (typeof owner !== "object" || owner === null || !("id" in owner)) return undefined;
  return typeof owner.id === "string" ? owner.id : undefined;
}

function renderStored(resource: Resource, machine: InventoryMachine | undefined): Record<string, unknown> {
  const shown = renderResource(resource);
  const address = machine === undefined ? undefined : addressesOf(machine)[0];
  if (address === undefined) return shown;
  const properties = shown["properties"] as { ipConfigurations?: { properties?: object }[] };
  const [first, ...others] = properties.ipConfigurations ?? [];
  if (first === undefined) return shown;
  const told = { ...first, properties: { ...first.properties, privateIPAddress: address } };
  return { ...shown, properties: { ...properties, ipConfigurations: [told, ...others] } };
}

function renderGuest(machine: InventoryMachine): Record<string, unknown> {
  const id = guestInterfaceId(machine) ?? "";
  const mac = machine.guest?.interfaces.find(({ macAddress }) => macAddress !== "")?.macAddress;
  return {
    id,
    name: `${machine.name}-nic`,
    type: interfaceType,
    location: machine.location,
    properties: {
      provisioningState: "Succeeded",
      primary: true,
      ...(mac === undefined ? {} : { macAddress: mac.toUpperCase().replaceAll(":", "-") }),
      virtualMachine: { id: machine.resourceId },
      ipConfigurations: addressesOf(machine).map((address, index) => ({
        id: `${id}/ipConfigurations/guest${index}`,
        name: `guest${index}`,
        type: `${interfaceType}/ipConfigurations`,
        properties: {
          privateIPAddress: address,
          privateIPAddressVersion: address.includes(":") ? "IPv6" : "IPv4",
          privateIPAllocationMethod: "Dynamic",
          primary: index === 0,
          provisioningState: "Succeeded",
        },
      })),
    },
  };
}

/** IPv4 first: that is what people look for. */
function addressesOf({ guest }: InventoryMachine): string[] {
  const all = (guest?.interfaces ?? []).flatMap(({ addresses }) => addresses);
  return all.toSorted((a, b) => Number(a.includes(":")) - Number(b.includes(":")));
}

// Microsoft.Holdfast/hosts: where machines are. Adding one looks at it at once, so what is wrong with
// it is told to whoever adds it.

import { z } from "zod";
import { armErrors } from "../../arm/errors.ts";
import type { Provider, ResourceLifecycle } from "../../arm/provider.ts";
import { ok, param, parseBody, type ArmReply, type ArmRequest } from "../../arm/request.ts";
import { findResource, getResource } from "../../arm/resources/resource-store.ts";
import type { Resource } from "../../arm/resources/resource.ts";
import { trackedRoutes, type TrackedType } from "../../arm/resources/tracked-routes.ts";
import type { Route } from "../../arm/routes.ts";
import { hostSettings, openDriver, type HostSettings } from "../../inventory/drivers.ts";
import { forgetHost, hostType, ownDeed, registerHost } from "../../inventory/host-registry.ts";
import type { Inventory, InventoryMachine, RegisteredHost } from "../../inventory/inventory.ts";
import { isoTime } from "../../lib/clock.ts";
import { isErrorCode } from "../../lib/errors.ts";
import { withDeadline } from "../../lib/time.ts";
import { inventoryErrors } from "../../inventory/errors.ts";
import type { Services } from "../services.ts";

export interface HoldfastServices extends Services {
  readonly inventory: Inventory;
}

const namespace = "Microsoft.Holdfast";
const apiVersions = ["2026-01-01"];
const checkMilliseconds = 10_000;

/** What we answer beside the settings; clients send it back when they change tags. */
const computed = ["hostId", "status", "lastLookAt", "problem", "machines", "provisioningState"] as const;

const properties: z.ZodType<HostSettings> = z.preprocess((given) => {
  if (typeof given !== "object" || given === null) return given;
  return Object.fromEntries(Object.entries(given).filter(([name]) => !computed.some((own) => own === name)));
}, hostSettings) as z.ZodType<HostSettings>;

export function holdfastProvider(services: HoldfastServices): Provider {
  const lifecycle: ResourceLifecycle = {
    remove: (trx, resource) => forgetHost(trx, resource.id, ownDeed),
  };
  const type: TrackedType<HostSettings> = {
    namespace,
    type: "hosts",
    properties,
    checkName,
    settle: async ({ trx, id, properties: settings, caller, request }) => {
      await registerHost(trx, id, settings, { correlationId: request.correlationId, actor: caller.principalId });
      return { properties: settings };
    },
    lifecycle,
  };
  const routes = trackedRoutes(services, type).map((route) => withInventory(services, route));
  return {
    namespace,
    resourceTypes: [{ name: "hosts", apiVersions, capabilities: "SupportsTags, SupportsLocation" }],
    routes: [
      ...routes,
      {
        method: "POST",
        path: `/subscriptions/{subscriptionId}/resourceGroups/{resourceGroup}/providers/${hostType}/{name}/refresh`,
        handle: async (request) => {
          const { resourceId } = await services.inventory.showHost(request.resourceId);
          await services.inventory.refresh(resourceId, request.signal);
          return ok(await renderOne(services, resourceId, true));
        },
      },
    ],
    lifecycles: { hosts: lifecycle },
  };
}

function checkName(name: string): void {
  if (/^[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$/.test(name)) return;
  throw armErrors.InvalidResourceName(
    `The host name '${name.slice(0, 80)}' is invalid: 1 to 64 letters, digits, '.', '_' and '-', with a letter or digit at both ends.`,
    { target: "name" },
  );
}

/** The routes of every resource, with what the inventory knows of the host. */
function withInventory(services: HoldfastServices, route: Route): Route {
  const { inventory } = services;
  const isOne = route.path.endsWith("/{name}");
  const withHost = async (request: ArmRequest, reply: ArmReply): Promise<ArmReply> => {
    const withMachines = (request.query.get("$expand") ?? "").toLowerCase().split(",").includes("machines");
    return { ...reply, body: await renderOne(services, request.resourceId, withMachines) };
  };
  if (!isOne) {
    return {
      ...route,
      handle: async (request) => {
        const reply = await route.handle(request);
        const body = reply.body as { value: Record<string, unknown>[]; nextLink?: string };
        const hosts = new Map((await inventory.listHosts()).map((host) => [host.resourceId.toLowerCase(), host]));
        const value = body.value.map((one) => withFacts(one, hosts.get(String(one["id"]).toLowerCase()), undefined));
        return { ...reply, body: { ...body, value } };
      },
    };
  }
  switch (route.method) {
    case "PUT":
      return {
        ...route,
        handle: async (request) => {
          await checkNewHost(services, request);
          const reply = await route.handle(request);
          try {
            await inventory.refresh(request.resourceId, request.signal);
          } catch (error) {
            if (!isErrorCode(error, "HostUnreachable")) throw error;
            // The answer's status and problem say it.
          }
          return withHost(request, reply);
        },
      };
    case "DELETE":
      return route;
    default:
      return { ...route, handle: async (request) => withHost(request, await route.handle(request)) };
  }
}

/** Before anything is written: a host that was never reachable is a mistake in its place. */
async function checkNewHost({ access, database }: HoldfastServices, request: ArmRequest): Promise<void> {
  if ((await findResource(database.kysely, request.resourceId)) !== undefined) return;
  const body = parseBody(request, z.object({ properties }));
  // A host has the service read folders of its machine: that is no matter of one group.
  await access.check({
    principal: { objectId: request.caller.principalId, name: request.caller.name },
    action: `${hostType}/write`,
    scope: `/subscriptions/${param(request, "subscriptionId")}`,
  });
  const place = JSON.stringify(body.properties);
  const driver = await withDeadline(
    checkMilliseconds,
    () => openDriver(body.properties),
    () => inventoryErrors.HostUnreachable(`${place} did not answer in ${checkMilliseconds / 1000} s.`),
    request.signal,
  );
  await driver.close();
}

async function renderOne(
  { database, inventory }: HoldfastServices,
  resourceId: string,
  withMachines: boolean,
): Promise<Record<string, unknown>> {
  const resource: Resource = await getResource(database.kysely, resourceId);
  const host = await inventory.showHost(resource.id);
  const machines = withMachines ? await inventory.listMachines({ hostId: host.hostId }) : undefined;
  return withFacts(
    {
      id: resource.id,
      name: resource.name,
      type: hostType,
      location: resource.location,
      ...resource.envelope,
      etag: resource.etag,
      systemData: resource.systemData,
      properties: { ...resource.properties, provisioningState: resource.provisioningState },
    },
    host,
    machines,
  );
}

function withFacts(
  shown: Record<string, unknown>,
  host: RegisteredHost | undefined,
  machines: readonly InventoryMachine[] | undefined,
): Record<string, unknown> {
  if (host === undefined) return shown;
  const status = host.problem !== undefined ? "Unreachable" : host.lookedAt === undefined ? "Unknown" : "Reachable";
  return {
    ...shown,
    properties: {
      ...(shown["properties"] as object),
      hostId: host.hostId,
      status,
      ...(host.lookedAt === undefined ? {} : { lastLookAt: isoTime(host.lookedAt) }),
      ...(host.problem === undefined ? {} : { problem: host.problem }),
      ...(machines === undefined ? {} : { machines: machines.map(renderMachine) }),
    },
  };
}

function renderMachine(machine: InventoryMachine): Record<string, unknown> {
  return {
    id: machine.resourceId,
    name: machine.name,
    vmId: machine.vmId,
    nameOnHost: machine.machine.name,
    machineId: machine.machineId,
    present: machine.present,
    lastSeenAt: isoTime(machine.lastSeenAt),
    powerState: machine.machine.powerState,
    hasAgent: machine.machine.hasAgent,
    disks: machine.machine.disks.map(({ id, lun, sizeBytes, format }) => ({ id, lun, sizeBytes, format })),
    ...(machine.machine.problem === undefined ? {} : { problem: machine.machine.problem }),
  };
}

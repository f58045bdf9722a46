// Microsoft.Compute/virtualMachines. Machines come from hosts: a list is what the inventory knows, a
// change is what the host can do.

import { checkPreconditions, preconditionsOf } from "../../../arm/preconditions.ts";
import type { ResourceLifecycle } from "../../../arm/provider.ts";
import { noContent, ok, param, parseBody, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import type { JsonObject } from "../../../arm/resources/resource.ts";
import { listResources } from "../../../arm/resources/resource-store.ts";
import { deleteAssignmentsUnder } from "../../../identity/access/role-assignments.ts";
import { listExtensions, listExtensionsOf } from "../../../inventory/extensions.ts";
import { machineType } from "../../../inventory/machine.ts";
import { beginOperation } from "../begin-operation.ts";
import { findMachine, machinePath, machinesInGroup } from "./find-machine.ts";
import { renderInstanceView, sight, statusesOf } from "./instance-view.ts";
import { releaseParts } from "./parts.ts";
import { machineApiVersions, type RouteGroup } from "../route-group.ts";
import { runCommandRoutes } from "./run-command.ts";
import type { ComputeServices } from "../services.ts";
import { attachDetachRoute } from "./attach-detach.ts";
import { machinePatchSchema } from "./body.ts";
import { powerRoutes } from "./power.ts";
import { changeMachine, checkMachine, putMachine } from "./put.ts";
import { renderMachine } from "./shape.ts";

const inSubscription = `/subscriptions/{subscriptionId}/providers/${machineType}`;

const deleteKind = "virtualMachine.delete";

export function virtualMachines(services: ComputeServices): RouteGroup {
  const { inventory, operations } = services;
  operations.register(deleteKind, async ({ operation, signal }) => {
    if ((await inventory.findMachine(operation.resourceId)) === undefined) return;
    await inventory.forget(operation.resourceId, signal, async (trx, id) => {
      await releaseParts(trx, id);
      await deleteAssignmentsUnder(trx, id);
    });
  });
  const lifecycle: ResourceLifecycle = {
    remove: async (trx, resource) => {
      await releaseParts(trx, resource.id);
      await inventory.forgetWithGroup(trx, resource.id);
    },
  };
  const bound =
    (handle: (services: ComputeServices, request: ArmRequest) => Promise<ArmReply>) => (request: ArmRequest) =>
      handle(services, request);
  return {
    resourceTypes: [
      { name: "virtualMachines", apiVersions: machineApiVersions, capabilities: "SupportsTags, SupportsLocation" },
    ],
    routes: [
      { method: "GET", path: inSubscription, handle: bound(list) },
      { method: "GET", path: machinesInGroup, handle: bound(list) },
      { method: "GET", path: machinePath, handle: bound(show) },
      { method: "HEAD", path: machinePath, handle: bound(show) },
      {
        method: "GET",
        path: `${machinePath}/instanceView`,
        action: `${machineType}/instanceView/read`,
        handle: bound(showInstanceView),
      },
      {
        method: "PUT",
        path: machinePath,
        handle: bound(putMachine),
        check: (draft) => checkMachine(services, draft),
      },
      { method: "PATCH", path: machinePath, handle: bound(patch) },
      { method: "DELETE", path: machinePath, handle: bound(remove) },
      attachDetachRoute(services),
      ...powerRoutes(services),
      ...runCommandRoutes(services),
    ],
    lifecycles: { virtualMachines: lifecycle },
  };
}

async function list({ database, paging, inventory }: ComputeServices, request: ArmRequest): Promise<ArmReply> {
  const page = paging.read(request);
  const scope = {
    subscriptionId: param(request, "subscriptionId"),
    resourceGroup: request.params["resourceGroup"],
  };
  const rows = await listResources(database.kysely, {
    ...scope,
    type: machineType,
    after: page.after,
    limit: page.limit + 1,
  });
  const keys = rows.map(({ id }) => id.toLowerCase());
  const machines = new Map(
    (await inventory.listMachines({ keys })).map((machine) => [machine.resourceId.toLowerCase(), machine]),
  );
  const extensions = await listExtensionsOf(database.kysely, keys);
  const withStatus = request.query.get("statusOnly")?.toLowerCase() === "true";
  // A row without its machine is being forgotten at this moment.
  const shown = rows.filter(({ id }) => machines.has(id.toLowerCase()));
  return paging.reply(
    request,
    page,
    shown,
    ({ id }) => id.toLowerCase(),
    (resource) => {
      const machine = machines.get(resource.id.toLowerCase());
      if (machine === undefined) return undefined;
      const view = withStatus ? { statuses: statusesOf(resource, machine) } : undefined;
      return renderMachine(resource, machine, extensions.get(resource.id.toLowerCase()) ?? [], view);
    },
  );
}

async function show(services: ComputeServices, request: ArmRequest): Promise<ArmReply> {
  const expand = (request.query.get("$expand") ?? "").toLowerCase().split(",");
  const body = await describe(services, request, expand.includes("instanceview"));
  return ok(body.shown, { ETag: body.etag });
}

async function showInstanceView(services: ComputeServices, request: ArmRequest): Promise<ArmReply> {
  return ok((await describe(services, request, true)).instanceView);
}

interface Described {
  readonly shown: Record<string, unknown>;
  readonly instanceView: JsonObject | undefined;
  readonly etag: string;
}

async function describe(services: ComputeServices, request: ArmRequest, withView: boolean): Promise<Described> {
  const { database, inventory } = services;
  const { resource, machine } = await findMachine(services, request.resourceId);
  const extensions = await listExtensions(database.kysely, resource.id);
  if (!withView)
    return { shown: renderMachine(resource, machine, extensions), instanceView: undefined, etag: resource.etag };
  const now = await sight(inventory, machine, request.signal);
  const instanceView = renderInstanceView(resource, now, extensions, database.clock.now());
  return {
    shown: renderMachine(resource, now.machine, extensions, instanceView),
    instanceView,
    etag: resource.etag,
  };
}

async function patch(services: ComputeServices, request: ArmRequest): Promise<ArmReply> {
  const body = parseBody(request, machinePatchSchema);
  const before = await findMachine(services, request.resourceId);
  checkPreconditions(preconditionsOf(request), before.resource.etag, before.resource.id);
  await changeMachine(services, before.machine, body, request, preconditionsOf(request));
  const { resource, machine } = await findMachine(services, request.resourceId);
  const extensions = await listExtensions(services.database.kysely, resource.id);
  return ok(renderMachine(resource, machine, extensions), { ETag: resource.etag });
}

async function remove(services: ComputeServices, request: ArmRequest): Promise<ArmReply> {
  const machine = await services.inventory.findMachine(request.resourceId);
  if (machine === undefined) return noContent();
  await services.inventory.assertForgettable(machine.resourceId);
  return beginOperation(services, request, machine, deleteKind);
}

// Extensions of machines. Holdfast brings one: VMSnapshot, which freezes file systems and runs the
// scripts around a snapshot. Others have nobody in the guest who would carry them out, so they are
// refused instead of pretended.

import { z } from "zod";
import { armErrors } from "../../../arm/errors.ts";
import { noContent, ok, param, parseBody, type ArmReply, type ArmRequest, type Draft } from "../../../arm/request.ts";
import { parseResourceId } from "../../../arm/resource-id.ts";
import { resourceNotFound } from "../../../arm/resources/resource-store.ts";
import { envelopeSchema } from "../../../arm/resources/tracked-routes.ts";
import {
  findExtension,
  listExtensions,
  putExtension,
  removeExtension,
  type ExtensionProperties,
  type MachineExtension,
} from "../../../inventory/extensions.ts";
import { removeExtension as removeFromGuest } from "../../../guest/vmsnapshot/install.ts";
import { checkKind, imageRoutes } from "./images.ts";
import { renderExtension } from "./shape.ts";
import { machineApiVersions, type RouteGroup } from "../route-group.ts";
import type { ComputeServices } from "../services.ts";
import { findMachine, machinePath } from "../virtual-machines/find-machine.ts";

const settings = z.record(z.string(), z.unknown());
const changes = {
  publisher: z.string().min(1).max(128),
  type: z.string().min(1).max(128),
  typeHandlerVersion: z
    .string()
    .regex(/^\d+(\.\d+){0,3}$/, "must be numbers with dots, such as 1.0")
    .optional(),
  autoUpgradeMinorVersion: z.boolean().optional(),
  enableAutomaticUpgrade: z.boolean().optional(),
  suppressFailures: z.boolean().optional(),
  forceUpdateTag: z.string().max(256).optional(),
  provisionAfterExtensions: z.array(z.string()).max(32).optional(),
  settings: settings.nullish(),
  protectedSettings: settings.nullish(),
};
const putSchema = envelopeSchema.extend({ properties: z.object(changes) });
const patchSchema = envelopeSchema.extend({ properties: z.object(changes).partial().optional() });

export function extensions(services: ComputeServices): RouteGroup {
  const { database } = services;
  const collection = `${machinePath}/extensions`;
  const one = `${collection}/{extensionName}`;
  const wantsView = (request: ArmRequest): boolean => request.query.get("$expand")?.toLowerCase() === "instanceview";
  const get = async (request: ArmRequest): Promise<MachineExtension> => {
    const found = await findExtension(database.kysely, request.resourceId);
    if (found === undefined) throw resourceNotFound(request.resourceId);
    return found;
  };

  const list = async (request: ArmRequest): Promise<ArmReply> => {
    const { resource } = await findMachine(services, request.resourceId);
    const found = await listExtensions(database.kysely, resource.id);
    return ok({ value: found.map((extension) => renderExtension(extension, wantsView(request))) });
  };

  const store = async (
    request: ArmRequest,
    properties: ExtensionProperties,
    protectedSettings: Readonly<Record<string, unknown>> | "keep" | undefined,
    tags: Readonly<Record<string, string>> | undefined,
  ): Promise<ArmReply> => {
    checkKind(properties);
    const machineId = parseResourceId(request.resourceId).parent;
    const { resource, machine } = await findMachine(services, machineId);
    const { created } = await database.transaction((trx) =>
      putExtension(
        trx,
        services.secretBox,
        {
          id: `${resource.id}/extensions/${param(request, "extensionName")}`,
          location: machine.location,
          tags,
          properties,
          protectedSettings,
        },
        { caller: request.caller, clock: database.clock },
        { correlationId: request.correlationId, actor: request.caller.principalId },
      ),
    );
    return { status: created ? 201 : 200, body: renderExtension(await get(request)) };
  };

  const asked = (draft: Draft) => {
    checkName(param(draft, "extensionName"));
    const body = parseBody(draft, putSchema);
    checkKind(body.properties);
    return body;
  };

  const put = async (request: ArmRequest): Promise<ArmReply> => {
    const { properties, tags } = asked(request);
    const { protectedSettings, settings: given, ...rest } = properties;
    return store(
      request,
      { ...rest, ...(given ? { settings: given } : {}) },
      protectedSettings ?? undefined,
      tags ?? undefined,
    );
  };

  const patch = async (request: ArmRequest): Promise<ArmReply> => {
    const before = await get(request);
    const { properties = {}, tags } = parseBody(request, patchSchema);
    const { protectedSettings, settings: given, ...rest } = properties;
    return store(
      request,
      { ...before.properties, ...rest, ...(given ? { settings: given } : {}) },
      protectedSettings ?? "keep",
      tags ?? before.resource.envelope.tags,
    );
  };

  const remove = async (request: ArmRequest): Promise<ArmReply> => {
    const present = await findExtension(database.kysely, request.resourceId);
    if (present !== undefined)
      await takeOutOfGuest(services, parseResourceId(request.resourceId).parent, request.signal);
    const deed = { correlationId: request.correlationId, actor: request.caller.principalId };
    const wasThere = await database.transaction((trx) => removeExtension(trx, request.resourceId, deed));
    return wasThere ? { status: 200 } : noContent();
  };

  return {
    resourceTypes: [{ name: "virtualMachines/extensions", apiVersions: machineApiVersions }],
    routes: [
      { method: "GET", path: collection, handle: list },
      {
        method: "GET",
        path: one,
        handle: async (request) => ok(renderExtension(await get(request), wantsView(request))),
      },
      { method: "PUT", path: one, handle: put, check: asked },
      { method: "PATCH", path: one, handle: patch },
      { method: "DELETE", path: one, handle: remove },
      ...imageRoutes(),
    ],
  };
}

/** Out of a guest that runs; in one that does not it rests until its next backup, which checks it anew. */
async function takeOutOfGuest({ inventory }: ComputeServices, machineId: string, signal: AbortSignal): Promise<void> {
  const known = await inventory.findMachine(machineId);
  if (known?.machine.hasAgent !== true || known.machine.powerState !== "running") return;
  const { host, machineId: onHost } = await inventory.open(machineId, signal);
  await host.withAgent(onHost, (agent) => removeFromGuest(agent, signal), signal);
}

function checkName(name: string): void {
  if (/^[A-Za-z0-9_.-]{1,80}$/.test(name)) return;
  throw armErrors.InvalidResourceName(
    `The extension name '${name.slice(0, 80)}' is invalid: 1 to 80 letters, digits, '.', '_' and '-'.`,
    { target: "name" },
  );
}

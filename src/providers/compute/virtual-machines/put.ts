// PUT of a virtual machine. One that exists takes tags and descriptions, and other disks or another
// size where that can be done. One that does not exist is made from disks (`createOption: Attach`) on
// a host that runs machines.

import { checkPreconditions, preconditionsOf, type Preconditions } from "../../../arm/preconditions.ts";
import { parseBody, type ArmReply, type ArmRequest, type Draft } from "../../../arm/request.ts";
import { idKey } from "../../../arm/resource-id.ts";
import { findResource, getResource, putResource } from "../../../arm/resources/resource-store.ts";
import type { Envelope } from "../../../arm/resources/resource.ts";
import { appendEvent } from "../../../events/append.ts";
import { listExtensions } from "../../../inventory/extensions.ts";
import type { InventoryMachine } from "../../../inventory/machine.ts";
import type { ComputeServices } from "../services.ts";
import { machineBodySchema, type MachineBody } from "./body.ts";
import { chosenKeys } from "./disk-encryption.ts";
import { askedMachine, createMachine } from "./create.ts";
import { interfacesIn, mayJoin } from "./parts.ts";
import { reshapeMachine } from "./reshape.ts";
import { renderMachine, type MachineHidden } from "./shape.ts";
import { findMachine } from "./find-machine.ts";

export async function checkMachine({ database }: ComputeServices, draft: Draft): Promise<void> {
  const body = parseBody(draft, machineBodySchema);
  if ((await findResource(database.kysely, draft.resourceId)) === undefined) askedMachine(draft, body);
}

export async function putMachine(services: ComputeServices, request: ArmRequest): Promise<ArmReply> {
  const body = parseBody(request, machineBodySchema);
  const existing = await findResource<object, MachineHidden>(services.database.kysely, request.resourceId);
  if (existing === undefined) await createMachine(services, request, body);
  else {
    const { machine } = await findMachine(services, request.resourceId);
    checkPreconditions(preconditionsOf(request), existing.etag, existing.id);
    await changeMachine(
      services,
      machine,
      { ...withoutEcho(body, existing.properties), tags: body.tags ?? {} },
      request,
      preconditionsOf(request),
    );
  }
  const { resource, machine } = await findMachine(services, request.resourceId);
  const extensions = await listExtensions(services.database.kysely, resource.id);
  return {
    status: existing === undefined ? 201 : 200,
    body: renderMachine(resource, machine, extensions),
    headers: { ETag: resource.etag },
  };
}

/** Clients send back what they have read: what the guest told must not become what somebody said. */
function withoutEcho<Body extends MachineBody>(body: Body, stored: object): Body {
  if (body.properties === undefined) return body;
  const kept = Object.entries(body.properties.kept).filter(
    ([name]) => (name !== "osProfile" && name !== "networkProfile") || name in stored,
  );
  return { ...body, properties: { ...body.properties, kept: Object.fromEntries(kept) } };
}

/** Asks first for every right that the change needs: a machine's disks are not put back when it is refused. */
export async function changeMachine(
  services: ComputeServices,
  machine: InventoryMachine,
  body: MachineBody,
  request: ArmRequest,
  preconditions: Preconditions,
): Promise<void> {
  const { hidden, properties } = await getResource<Record<string, unknown>, MachineHidden>(
    services.database.kysely,
    machine.resourceId,
  );
  const present = new Set(interfacesIn(properties).map(idKey));
  const added = interfacesIn(body.properties?.kept ?? {}).filter((one) => !present.has(idKey(one)));
  await mayJoin(services, request.caller, added);
  const diskKeys = await chosenKeys(services, request, body, hidden.diskKeys);
  await reshapeMachine(services, machine, body, request);
  await storeMachine(services, machine.resourceId, { ...body, diskKeys }, request, preconditions);
}

/** Keeps what clients say of a machine: tags, identity, descriptions. */
async function storeMachine(
  { database }: ComputeServices,
  id: string,
  { diskKeys, ...body }: MachineBody & Pick<MachineHidden, "diskKeys">,
  request: ArmRequest,
  preconditions: Preconditions,
): Promise<void> {
  await database.transaction(async (trx) => {
    const existing = await getResource<Record<string, unknown>, MachineHidden>(trx, id);
    const { diskKeys: _before, ...others } = existing.hidden;
    await putResource(
      trx,
      {
        id: existing.id,
        location: existing.location,
        envelope: changedEnvelope(existing.envelope, body),
        properties: { ...existing.properties, ...body.properties?.kept },
        hidden: {
          ...others,
          ...(diskKeys === undefined ? {} : { diskKeys }),
          disks: { ...others.disks, ...cachingOf(body) },
        },
        tracked: true,
      },
      { caller: request.caller, clock: database.clock },
      preconditions,
    );
    appendEvent(trx, {
      type: "machine.described",
      subject: existing.id,
      data: { tags: body.tags ?? undefined },
      correlationId: request.correlationId,
      actor: request.caller.principalId,
    });
  });
}

const envelopeNames = ["tags", "identity", "plan", "zones"] as const;

function changedEnvelope(before: Envelope, body: MachineBody): Envelope {
  const changed = new Map<string, unknown>(Object.entries(before));
  for (const name of envelopeNames) {
    if (body[name] === null) changed.delete(name);
    else if (body[name] !== undefined) changed.set(name, body[name]);
  }
  return Object.fromEntries(changed);
}

function cachingOf(body: MachineBody): NonNullable<MachineHidden["disks"]> {
  const { osDisk, dataDisks } = body.properties?.storageProfile ?? {};
  const disks = [...(osDisk === undefined ? [] : [osDisk]), ...(dataDisks ?? [])];
  return Object.fromEntries(
    disks.flatMap(({ caching, managedDisk }) =>
      managedDisk?.id === undefined
        ? []
        : [
            [
              managedDisk.id.toLowerCase(),
              {
                ...(typeof caching === "string" ? { caching } : {}),
                ...(typeof managedDisk.storageAccountType === "string"
                  ? { storageAccountType: managedDisk.storageAccountType }
                  : {}),
              },
            ] as const,
          ],
    ),
  );
}

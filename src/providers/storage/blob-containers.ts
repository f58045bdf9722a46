// Containers as resources (`blobServices/default/containers`): another view of what the Blob endpoint
// shows, so templates and `az storage container-rm` can make them.

import { z } from "zod";
import { checkLease, leaseState } from "../../blobs/lease.ts";
import { checkContainerName } from "../../blobs/names.ts";
import {
  changeContainer,
  createContainer,
  deleteContainer,
  findContainer,
  listContainers,
  type Container,
} from "../../blobs/rows/container.ts";
import { isoTime } from "../../lib/clock.ts";
import { noContent, ok, param, parseBody, type ArmReply, type ArmRequest, type Draft } from "../../arm/request.ts";
import type { Route } from "../../arm/routes.ts";
import type { StorageServices } from "./services.ts";
import { accountOf } from "./account-keys.ts";
import { storageErrors } from "./errors.ts";

const containers =
  "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroup}/providers/Microsoft.Storage/storageAccounts/{name}/blobServices/default/containers";

export function containerRoutes(services: StorageServices): Route[] {
  const put = (request: ArmRequest): Promise<ArmReply> => putContainer(services, request);
  return [
    { method: "GET", path: containers, handle: (request) => list(services, request) },
    { method: "GET", path: `${containers}/{container}`, handle: (request) => show(services, request) },
    { method: "PUT", path: `${containers}/{container}`, handle: put, check: asked },
    { method: "PATCH", path: `${containers}/{container}`, handle: put },
    { method: "DELETE", path: `${containers}/{container}`, handle: (request) => remove(services, request) },
  ];
}

async function list(services: StorageServices, request: ArmRequest): Promise<ArmReply> {
  const { name, scope } = await accountOf(services, request);
  const page = services.paging.read(request);
  const rows = await listContainers(services.database.kysely, name, {
    prefix: "",
    after: page.after,
    limit: page.limit + 1,
  });
  const now = services.database.clock.now();
  return services.paging.reply(
    request,
    page,
    rows,
    ({ container }) => container,
    (container) => render(scope, container, now),
  );
}

async function show(services: StorageServices, request: ArmRequest): Promise<ArmReply> {
  const { name, scope } = await accountOf(services, request);
  const container = await findContainer(services.database.kysely, {
    account: name,
    container: param(request, "container"),
  });
  if (container === undefined)
    throw storageErrors.ContainerNotFound(`The specified container '${param(request, "container")}' does not exist.`);
  return ok(render(scope, container, services.database.clock.now()));
}

const containerBody = z.object({
  properties: z
    .object({
      metadata: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string().max(4096)).nullish(),
      publicAccess: z.literal("None", "public access is not offered: give signatures").nullish(),
    })
    .nullish(),
});

function asked(draft: Draft) {
  const body = draft.body === undefined ? undefined : parseBody(draft, containerBody);
  const container = param(draft, "container");
  checkContainerName(container);
  return { container, metadata: body?.properties?.metadata ?? undefined };
}

async function putContainer(services: StorageServices, request: ArmRequest): Promise<ArmReply> {
  const { name, scope } = await accountOf(services, request);
  const { container: named, metadata } = asked(request);
  const address = { account: name, container: named };
  const { container, created } = await services.database.transaction(async (trx) => {
    const existing = await findContainer(trx, address);
    if (existing === undefined && request.method === "PATCH")
      throw storageErrors.ContainerNotFound(`The specified container '${address.container}' does not exist.`);
    if (existing === undefined) return { container: await createContainer(trx, address, metadata), created: true };
    return {
      container: metadata === undefined ? existing : await changeContainer(trx, address, { metadata }),
      created: false,
    };
  });
  return { status: created ? 201 : 200, body: render(scope, container, services.database.clock.now()) };
}

async function remove(services: StorageServices, request: ArmRequest): Promise<ArmReply> {
  const { name } = await accountOf(services, request);
  const address = { account: name, container: param(request, "container") };
  const existed = await services.database.transaction(async (trx) => {
    const container = await findContainer(trx, address);
    if (container === undefined) return false;
    checkLease(container.lease, undefined, services.database.clock.now(), "write", "Container");
    await deleteContainer(trx, services.blobs.store.files, address);
    return true;
  });
  return existed ? { status: 200 } : noContent();
}

function render(scope: string, container: Container, now: number): object {
  const state = leaseState(container.lease, now);
  const names = {
    available: "Available",
    leased: "Leased",
    expired: "Expired",
    breaking: "Breaking",
    broken: "Broken",
  };
  return {
    id: `${scope}/blobServices/default/containers/${container.container}`,
    name: container.container,
    type: "Microsoft.Storage/storageAccounts/blobServices/containers",
    etag: container.etag,
    properties: {
      publicAccess: "None",
      metadata: container.metadata,
      lastModifiedTime: isoTime(container.changedAt),
      leaseState: names[state],
      leaseStatus: state === "leased" || state === "breaking" ? "Locked" : "Unlocked",
      hasImmutabilityPolicy: false,
      hasLegalHold: false,
      deleted: false,
    },
  };
}

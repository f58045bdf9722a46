// Microsoft.Storage/storageAccounts: the resource; its keys and data belong to the blob store.

import { z } from "zod";
import { reservedAccountNames, isAccountName } from "../../blobs/names.ts";
import { insertAccount, isNameTaken, setRules } from "../../blobs/rows/account.ts";
import { isErrorCode } from "../../lib/errors.ts";
import type { Provider, ResourceLifecycle } from "../../arm/provider.ts";
import { ok, parseBody, type ArmReply, type ArmRequest } from "../../arm/request.ts";
import { admittedBy } from "../../arm/resources/network-access.ts";
import { trackedRoutes, type Change, type Settled, type TrackedType } from "../../arm/resources/tracked-routes.ts";
import type { Resource } from "../../arm/resources/resource.ts";
import type { StorageServices } from "./services.ts";
import { accountProperties, renderAccount, settled, type AccountProperties } from "./account-properties.ts";
import { accountListRoutes } from "./account-lists.ts";
import { containerRoutes } from "./blob-containers.ts";
import { blobServiceRoutes } from "./blob-service.ts";
import { storageErrors } from "./errors.ts";
import { keyRoutes } from "./account-keys.ts";

const namespace = "Microsoft.Storage";
const apiVersions = ["2024-01-01", "2023-05-01", "2022-09-01", "2021-04-01", "2019-06-01", "2016-01-01"];

export function storageProvider(services: StorageServices): Provider {
  const { blobs } = services;
  const lifecycle: ResourceLifecycle = { remove: (trx, resource) => blobs.removeAccount(trx, resource.name) };
  const type: TrackedType<AccountProperties> = {
    namespace,
    type: "storageAccounts",
    properties: accountProperties,
    checkName,
    settle: (change) => settle(services, change),
    lifecycle,
    // az takes 200 and 202 for a creation, never 201.
    createdStatus: 200,
    render: (resource) => renderAccount(resource, blobs.accountUrl(resource.name)),
  };
  return {
    namespace,
    resourceTypes: [
      { name: type.type, apiVersions, capabilities: "SupportsTags, SupportsLocation" },
      { name: "storageAccounts/blobServices", apiVersions },
      { name: "storageAccounts/blobServices/containers", apiVersions },
      { name: "locations/usages", apiVersions },
      { name: "skus", apiVersions, isGlobal: true },
      { name: "deletedAccounts", apiVersions, isGlobal: true },
    ],
    routes: [
      ...trackedRoutes(services, type),
      ...keyRoutes(services),
      ...blobServiceRoutes(services),
      ...containerRoutes(services),
      ...accountListRoutes(services),
      {
        method: "POST",
        path: `/subscriptions/{subscriptionId}/providers/${namespace}/checkNameAvailability`,
        action: `${namespace}/checkNameAvailability/read`,
        effect: "read",
        handle: (request) => checkNameAvailability(services, request),
      },
    ],
    lifecycles: { [type.type]: lifecycle },
  };
}

const nameRule =
  "Storage account name must be between 3 and 24 characters in length and use numbers and lower-case letters only.";

function checkName(name: string): void {
  if (isAccountName(name) && !reservedAccountNames.has(name)) return;
  throw storageErrors.AccountNameInvalid(
    `${name.slice(0, 80)} is not a valid storage account name. ${isAccountName(name) ? "It is reserved." : nameRule}`,
    { target: "accountName" },
  );
}

async function settle(
  services: StorageServices,
  { trx, id, name, existing, envelope, properties }: Change<AccountProperties>,
): Promise<Settled> {
  const rules = { allowsSharedKey: properties.allowSharedKeyAccess !== false, admitted: admittedBy(properties) };
  if (existing === undefined) {
    try {
      await insertAccount(trx, services.blobs.store.secretBox, { name, scope: id, ...rules });
    } catch (error) {
      if (!isErrorCode(error, "AccountAlreadyExists")) throw error;
      throw storageErrors.StorageAccountAlreadyTaken(`The storage account named ${name} is already taken.`, {
        cause: error,
        target: "accountName",
      });
    }
  } else await setRules(trx, name, rules);
  const createdAt = existing?.createdAt ?? services.database.clock.now();
  return {
    properties: settled(properties, createdAt),
    envelope: { kind: "StorageV2", ...envelope, sku: skuOf(envelope.sku, existing) },
  };
}

function skuOf(
  asked: Readonly<Record<string, unknown>> | undefined,
  existing: Resource | undefined,
): Record<string, unknown> {
  const name =
    typeof asked?.["name"] === "string"
      ? asked["name"]
      : ((existing?.envelope.sku?.["name"] as string | undefined) ?? "Standard_LRS");
  return { name, tier: name.startsWith("Premium") ? "Premium" : "Standard" };
}

const nameQuestion = z.object({ name: z.string(), type: z.string().optional() });

async function checkNameAvailability({ database }: StorageServices, request: ArmRequest): Promise<ArmReply> {
  const { name } = parseBody(request, nameQuestion);
  if (!isAccountName(name) || reservedAccountNames.has(name)) {
    return ok({
      nameAvailable: false,
      reason: "AccountNameInvalid",
      message: `${name.slice(0, 80)} is not a valid storage account name. ${nameRule}`,
    });
  }
  if (await isNameTaken(database.kysely, name)) {
    return ok({
      nameAvailable: false,
      reason: "AlreadyExists",
      message: `The storage account named ${name} is already taken.`,
    });
  }
  return ok({ nameAvailable: true });
}

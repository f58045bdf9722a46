// `blobServices/default`: the settings that an account's blobs have together. All that Azure offers here
// beyond plain blobs is off.

import { z } from "zod";
import { ok, type ArmReply, type ArmRequest, type Draft } from "../../arm/request.ts";
import type { Route } from "../../arm/routes.ts";
import { withSchemaNames } from "../../lib/property-names.ts";
import { accountOf } from "./account-keys.ts";
import { storageErrors } from "./errors.ts";
import type { StorageServices } from "./services.ts";

const collection =
  "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroup}/providers/Microsoft.Storage/storageAccounts/{name}/blobServices";
const one = `${collection}/default`;

export function blobServiceRoutes(services: StorageServices): Route[] {
  return [
    {
      method: "GET",
      path: collection,
      handle: async (request) => ok({ value: [await blobService(services, request)] }),
    },
    { method: "GET", path: one, handle: async (request) => ok(await blobService(services, request)) },
    { method: "PUT", path: one, handle: (request) => setBlobService(services, request), check: checkBlobService },
  ];
}

const off = (what: string) =>
  z.looseObject({ enabled: z.literal(false, `${what} is not offered`).nullish() }).nullish();

/** All that can be switched on and is not there is refused: it would be missed when it is needed. */
const blobServiceBody = z.object({
  properties: z
    .looseObject({
      deleteRetentionPolicy: off("soft delete of blobs"),
      containerDeleteRetentionPolicy: off("soft delete of containers"),
      restorePolicy: off("restoring to a point in time"),
      changeFeed: off("the change feed"),
      isVersioningEnabled: z.literal(false, "versions of blobs are not offered").nullish(),
      automaticSnapshotPolicyEnabled: z.literal(false, "automatic snapshots are not offered").nullish(),
      lastAccessTimeTrackingPolicy: z
        .looseObject({ enable: z.literal(false, "tracking of reads is not offered").nullish() })
        .nullish(),
      cors: z
        .looseObject({ corsRules: z.array(z.unknown()).max(0, "rules for browsers are not offered").nullish() })
        .nullish(),
    })
    .nullish(),
});

function checkBlobService({ body }: Draft): void {
  const parsed = blobServiceBody.safeParse(withSchemaNames(blobServiceBody, body ?? {}));
  const issue = parsed.error?.issues[0];
  if (issue !== undefined)
    throw storageErrors.FeatureNotSupportedForAccount(`'${issue.path.join(".")}': ${issue.message}.`, {
      target: issue.path.join("."),
    });
}

async function setBlobService(services: StorageServices, request: ArmRequest): Promise<ArmReply> {
  checkBlobService(request);
  return ok(await blobService(services, request));
}

async function blobService(services: StorageServices, request: ArmRequest): Promise<object> {
  const account = await accountOf(services, request);
  return {
    id: `${account.scope}/blobServices/default`,
    name: "default",
    type: "Microsoft.Storage/storageAccounts/blobServices",
    sku: { name: "Standard_LRS", tier: "Standard" },
    properties: {
      isVersioningEnabled: false,
      cors: { corsRules: [] },
      deleteRetentionPolicy: { enabled: false, allowPermanentDelete: false },
      containerDeleteRetentionPolicy: { enabled: false },
    },
  };
}

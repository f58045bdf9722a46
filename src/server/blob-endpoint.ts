// The Blob endpoint with this service's tokens and roles.

import type { Blobs } from "../blobs/blobs.ts";
import { blobEndpoint } from "../blobs/http/endpoint.ts";
import type { Identity } from "../identity/identity.ts";
import type { DataPlane } from "./data-plane.ts";
import type { Log } from "./log.ts";

/** What clients ask tokens for when they mean blobs. */
const storageAudiences = ["https://storage.azure.com/"];

export function mountBlobs(
  blobs: Blobs,
  identity: Identity,
  origins: () => readonly string[],
  tenantId: string,
  log: Log,
): DataPlane {
  return blobEndpoint({
    store: blobs.store,
    origins,
    callers: {
      authenticate: async (authorization) => {
        const audiences = [...storageAudiences, ...identity.audiences()];
        const token = await identity.tokens.verifyHeader(authorization, { audiences, tenantId });
        return { objectId: token.objectId, tenantId: token.tenantId };
      },
      may: async (objectId, action, scope, kind) =>
        (await identity.access.grantsOf(objectId)).allows(action, scope, kind),
      challenge: () =>
        `Bearer authorization_uri="${origins()[0] ?? ""}/${tenantId}/oauth2/authorize", resource_id="${storageAudiences[0] ?? ""}"`,
    },
    report: (error, requestId) => log.error({ err: error, requestId }, "a blob request failed inside the service"),
  });
}

// The answers by which clients follow a long operation. az takes the last path segment of the
// Azure-AsyncOperation URL; the SDKs fetch it as it is: both must lead to the same row.

import type { ArmReply, ArmRequest } from "../request.ts";
import { renderOperation, type Operation } from "./operation.ts";

export const retryAfterSeconds = "1";

export function statusReply(request: ArmRequest, operation: Operation): ArmReply {
  const headers = operation.status === "InProgress" ? { "Retry-After": retryAfterSeconds } : undefined;
  return { status: 200, body: renderOperation(operation, request.path), headers };
}

/** 202 until it has ended, then what it led to. */
export function resultReply(request: ArmRequest, operation: Operation): ArmReply {
  switch (operation.status) {
    case "InProgress": {
      const location = `${request.origin}${request.path}?api-version=${encodeURIComponent(request.apiVersion)}`;
      return { status: 202, headers: { Location: location, "Retry-After": retryAfterSeconds } };
    }
    case "Succeeded":
      return operation.result === undefined ? { status: 200 } : { status: 200, body: operation.result };
    case "Failed":
    case "Canceled":
      return { status: 409, body: { error: operation.error } };
  }
}

/** 202 with the two URLs of an operation that has begun; both end with its id. */
export function acceptedReply(
  request: ArmRequest,
  place: { readonly namespace: string; readonly subscriptionId: string; readonly location: string },
  operationId: string,
): ArmReply {
  const base = `${request.origin}/subscriptions/${place.subscriptionId}/providers/${place.namespace}/locations/${place.location}`;
  const version = `?api-version=${encodeURIComponent(request.apiVersion)}`;
  return {
    status: 202,
    headers: {
      "Azure-AsyncOperation": `${base}/operationStatuses/${operationId}${version}`,
      Location: `${base}/operationResults/${operationId}${version}`,
      "Retry-After": retryAfterSeconds,
    },
  };
}

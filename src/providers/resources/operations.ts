// The URLs by which clients follow long operations: one pair for each namespace, all over the same
// rows, and the one that a group's deletion answers with.

import { getOperation, type Operation } from "../../arm/operations/operation.ts";
import { resultReply, statusReply } from "../../arm/operations/replies.ts";
import { armErrors } from "../../arm/errors.ts";
import { param, type ArmRequest } from "../../arm/request.ts";
import { tryParseResourceId } from "../../arm/resource-id.ts";
import type { Route } from "../../arm/routes.ts";
import type { Services } from "../services.ts";

export function operationRoutes({ access, database }: Services, namespaces: readonly string[]): Route[] {
  const find = async (request: ArmRequest): Promise<Operation> => {
    const operation = await getOperation(database.kysely, param(request, "operationId"));
    const isHere = operation.subscriptionId === param(request, "subscriptionId").toLowerCase();
    if (isHere && (await mayFollow(operation, request))) return operation;
    throw armErrors.OperationNotFound(`The operation '${operation.id}' was not found in this subscription.`);
  };
  /** Its id is no key: what an operation led to is for who began it, and who may read what it is about. */
  const mayFollow = async ({ caller, resourceId }: Operation, request: ArmRequest): Promise<boolean> => {
    if (caller.principalId === request.caller.principalId) return true;
    const type = tryParseResourceId(resourceId)?.type ?? "";
    return (await access.grantsOf(request.caller.principalId)).allows(`${type}/read`, resourceId);
  };
  const perNamespace = namespaces.flatMap((namespace): Route[] => {
    const base = `/subscriptions/{subscriptionId}/providers/${namespace}/locations/{location}`;
    return [
      {
        method: "GET",
        path: `${base}/operationStatuses/{operationId}`,
        action: "",
        handle: async (request) => statusReply(request, await find(request)),
      },
      {
        method: "GET",
        path: `${base}/operationResults/{operationId}`,
        action: "",
        handle: async (request) => resultReply(request, await find(request)),
      },
    ];
  });
  return [
    ...perNamespace,
    {
      method: "GET",
      path: "/subscriptions/{subscriptionId}/operationresults/{operationId}",
      action: "",
      handle: async (request) => resultReply(request, await find(request)),
    },
  ];
}

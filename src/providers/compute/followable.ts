// An answer that tells where to follow the operation that goes on behind it.

import { acceptedReply } from "../../arm/operations/replies.ts";
import { param, type ArmReply, type ArmRequest } from "../../arm/request.ts";
import { namespace } from "./route-group.ts";

export function followable(
  request: ArmRequest,
  location: string | undefined,
  operationId: string,
  reply: ArmReply,
): ArmReply {
  const place = {
    namespace,
    subscriptionId: param(request, "subscriptionId"),
    location: location ?? "local",
  };
  return { ...reply, headers: { ...reply.headers, ...acceptedReply(request, place, operationId).headers } };
}

// Whether the caller of a request may also do something elsewhere. What the request itself does was
// checked by its route.

import type { ArmRequest } from "../../arm/request.ts";
import type { RecoveryServices } from "./services.ts";

/** Throws when not. */
export function mayDo(
  { access }: Pick<RecoveryServices, "access">,
  { caller }: Pick<ArmRequest, "caller">,
  action: string,
  scope: string,
): Promise<void> {
  return access.check({ principal: { objectId: caller.principalId, name: caller.name }, action, scope });
}

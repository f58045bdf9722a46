// Whether the caller of a request may also do something elsewhere. What the request itself does was
// checked by its route.

import { checkLocks } from "../../arm/locks.ts";
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

/** To write something there: the right alone does not open a lock. */
export async function mayWrite(
  services: Pick<RecoveryServices, "access" | "database">,
  request: Pick<ArmRequest, "caller">,
  action: string,
  scope: string,
): Promise<void> {
  await mayDo(services, request, action, scope);
  await checkLocks(services.database.kysely, scope, "write", action);
}

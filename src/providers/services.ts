// What providers are built from. The server makes one of these.

import type { RouteServices } from "../arm/resources/tracked-routes.ts";
import type { OperationRunner } from "../arm/operations/runner.ts";
import type { Access } from "../identity/access/access.ts";

export interface Services extends RouteServices {
  readonly access: Access;
  readonly operations: OperationRunner;
  readonly tenantId: string;
}

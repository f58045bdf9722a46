// The query API of logs with this service's tokens and roles.

import type { Hono } from "hono";
import type { Database } from "../db/database.ts";
import type { Identity } from "../identity/identity.ts";
import { queryRoutes } from "../logs/http/query-routes.ts";
import type { Logs } from "../logs/logs.ts";
import { workspacesFor } from "../providers/operationalinsights/workspace.ts";
import type { Log } from "./log.ts";

/** What clients ask tokens for when they mean logs. */
const logAudiences = ["https://api.loganalytics.io", "https://api.loganalytics.azure.com"].flatMap((audience) => [
  audience,
  `${audience}/`,
]);

export function mountLogs(logs: Logs, identity: Identity, database: Database, tenantId: string, log: Log): Hono {
  return queryRoutes({
    logs,
    authenticate: async (authorization) => {
      const token = await identity.tokens.verifyHeader(authorization, {
        audiences: [...logAudiences, ...identity.audiences()],
        tenantId,
      });
      return workspacesFor({ database, access: identity.access }, { objectId: token.objectId, name: token.name });
    },
    report: (error) => log.error({ err: error }, "a query of logs failed inside the service"),
  });
}

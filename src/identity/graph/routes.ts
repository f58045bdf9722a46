// The slice of Microsoft Graph that az and scripts use to find and make principals.

import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { listTenants } from "../directory/tenants.ts";
import { directoryErrors } from "../errors.ts";
import { applicationRoutes } from "./applications.ts";
import { directoryObjectRoutes } from "./directory-objects.ts";
import { admit, renderGraphError, type GraphEnvironment, type GraphService } from "./exchange.ts";
import { groupRoutes } from "./groups.ts";
import { servicePrincipalRoutes } from "./service-principals.ts";
import { userRoutes } from "./users.ts";

export type GraphApp = Hono<GraphEnvironment>;

const largestBody = 256 * 1024;

/** Serves under `/v1.0`. */
export function graphRoutes(service: GraphService): Hono {
  const app: GraphApp = new Hono<GraphEnvironment>();
  app.onError((error, context) => renderGraphError(service, context, error));
  app.use("*", async (context, next) => {
    context.set("caller", await admit(service, context));
    await next();
  });
  app.use(
    "*",
    bodyLimit({
      maxSize: largestBody,
      onError: (context) =>
        renderGraphError(
          service,
          context,
          directoryErrors.Request_BadRequest(`The request body is larger than ${largestBody} bytes.`),
        ),
    }),
  );

  app.get("/organization", async (context) => {
    const { tenantId } = context.get("caller");
    const tenants = (await listTenants(service.database.kysely)).filter(({ id }) => id === tenantId);
    return context.json({
      value: tenants.map(({ id, displayName, defaultDomain }) => ({
        id,
        displayName,
        verifiedDomains: [{ name: defaultDomain, isDefault: true, isInitial: true, type: "Managed" }],
      })),
    });
  });
  // Consent is not a thing here: nobody ever granted any.
  app.get("/oauth2PermissionGrants", (context) => context.json({ value: [] }));
  applicationRoutes(app, service);
  servicePrincipalRoutes(app, service);
  userRoutes(app, service);
  groupRoutes(app, service);
  directoryObjectRoutes(app, service);
  app.all("*", (context) =>
    renderGraphError(
      service,
      context,
      directoryErrors.Request_ResourceNotFound(
        `Resource not found for the segment '${context.req.path.slice(0, 200)}': this slice of Microsoft Graph has no such address.`,
      ),
    ),
  );
  return new Hono().route("/v1.0", app);
}

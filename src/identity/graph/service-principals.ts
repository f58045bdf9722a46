// /servicePrincipals: `az ad sp …`, and how `--assignee` finds whom it means.

import { z } from "zod";
import { findApplicationByClientId, listApplications, type Application } from "../directory/applications.ts";
import { newGuid } from "../../lib/random.ts";
import { certificateBody, certificatesOf, mergeCertificates, mostCertificates } from "../directory/certificates.ts";
import { listClientSecrets } from "../directory/client-secrets.ts";
import {
  createServicePrincipal,
  deleteServicePrincipal,
  findServicePrincipal,
  findServicePrincipalByApp,
  listServicePrincipals,
  updateServicePrincipal,
  type ServicePrincipal,
} from "../directory/service-principals.ts";
import { directoryErrors } from "../errors.ts";
import type { Reading } from "../database.ts";
import { change, notFound, page, readBody, type GraphContext, type GraphService } from "./exchange.ts";
import { parseGraphFilter } from "./filter.ts";
import { ownerRoutes } from "./owners.ts";
import type { GraphApp } from "./routes.ts";
import { secretRoutes } from "./secrets.ts";
import { renderServicePrincipal, servicePrincipalNames } from "./shapes.ts";

const createBody = z.object({
  appId: z.guid(),
  accountEnabled: z.boolean().optional(),
  displayName: z.string().min(1).max(256).optional(),
  tags: z.array(z.string()).optional(),
});
const patchBody = z.object({
  accountEnabled: z.boolean().optional(),
  displayName: z.string().min(1).max(256).optional(),
  keyCredentials: z.array(certificateBody).max(mostCertificates).optional(),
  tags: z.array(z.string()).optional(),
  notes: z.string().nullish(),
  description: z.string().nullish(),
});

export function servicePrincipalRoutes(app: GraphApp, service: GraphService): void {
  const { database } = service;

  const find = async (reading: Reading, context: GraphContext): Promise<ServicePrincipal> => {
    const id = context.req.param("id") ?? "";
    const principal = await findServicePrincipal(reading, context.get("caller").tenantId, id);
    if (principal === undefined) throw notFound(id);
    return principal;
  };
  const show = async (principal: ServicePrincipal) =>
    renderServicePrincipal(
      principal,
      await findApplicationByClientId(database.kysely, principal.tenantId, principal.appId),
      await listClientSecrets(database.kysely, [principal.id]),
    );

  app.get("/servicePrincipals", async (context) => {
    const { tenantId } = context.get("caller");
    const applications = new Map<string, Application>();
    for (const application of await listApplications(database.kysely, tenantId)) {
      applications.set(application.appId, application);
    }
    const matches = parseGraphFilter<ServicePrincipal>(context.req.query("$filter"), (principal, field) =>
      readField(principal, applications.get(principal.appId), field),
    );
    const found = (await listServicePrincipals(database.kysely, tenantId)).filter(matches);
    const secrets = await listClientSecrets(
      database.kysely,
      found.map(({ id }) => id),
    );
    return page(service, context, found, (principal) =>
      renderServicePrincipal(principal, applications.get(principal.appId), secrets),
    );
  });

  app.post("/servicePrincipals", async (context) => {
    const { appId, accountEnabled, displayName, ...properties } = await readBody(context, createBody);
    const { tenantId } = context.get("caller");
    const principal = await change(service, context, async (trx) => {
      const application = await findApplicationByClientId(trx, tenantId, appId);
      if (application === undefined) {
        throw directoryErrors.Request_BadRequest(
          `The appId '${appId}' of the service principal does not reference a valid application object.`,
          { target: "appId" },
        );
      }
      if ((await findServicePrincipalByApp(trx, tenantId, appId)) !== undefined) {
        throw directoryErrors.Request_MultipleObjectsWithSameKeyValue(
          `The service principal cannot be created, updated, or restored because the service principal name ${appId} is already in use.`,
        );
      }
      const name = displayName ?? application.displayName;
      return createServicePrincipal(trx, { tenantId, appId, displayName: name, enabled: accountEnabled, properties });
    });
    return context.json(await show(principal), 201);
  });

  app.get("/servicePrincipals/:id", async (context) => context.json(await show(await find(database.kysely, context))));

  app.patch("/servicePrincipals/:id", async (context) => {
    const { accountEnabled, displayName, keyCredentials, ...properties } = await readBody(context, patchBody);
    await change(service, context, async (trx) => {
      const principal = await find(trx, context);
      await updateServicePrincipal(trx, {
        ...principal,
        enabled: accountEnabled ?? principal.enabled,
        displayName: displayName ?? principal.displayName,
        properties: {
          ...principal.properties,
          ...properties,
          ...(keyCredentials === undefined
            ? {}
            : { keyCredentials: mergeCertificates(certificatesOf(principal.properties), keyCredentials, newGuid) }),
        },
      });
    });
    return context.body(null, 204);
  });

  app.delete("/servicePrincipals/:id", async (context) => {
    await change(service, context, async (trx) => {
      const principal = await find(trx, context);
      if (principal.kind === "ManagedIdentity") {
        throw directoryErrors.Request_BadRequest(
          `The managed identity '${principal.displayName}' goes with its resource '${principal.resourceId}'. Delete that, or take the identity off it.`,
        );
      }
      await deleteServicePrincipal(trx, principal);
    });
    return context.body(null, 204);
  });

  secretRoutes(app, service, "/servicePrincipals/:id", find);
  ownerRoutes(app, service, "/servicePrincipals/:id", find);
}

function readField(
  principal: ServicePrincipal,
  application: Application | undefined,
  field: string,
): string | readonly string[] | boolean | undefined {
  switch (field.toLowerCase()) {
    case "id":
      return principal.id;
    case "appid":
      return principal.appId;
    case "displayname":
      return principal.displayName;
    case "accountenabled":
      return principal.enabled;
    case "serviceprincipaltype":
      return principal.kind;
    case "serviceprincipalnames":
      return servicePrincipalNames(principal, application);
    default:
      return undefined;
  }
}

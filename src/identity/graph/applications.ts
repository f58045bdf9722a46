// /applications: `az ad app …` and the first half of `az ad sp create-for-rbac`.

import { z } from "zod";
import {
  createApplication,
  deleteApplication,
  findApplication,
  listApplications,
  updateApplication,
  type Application,
} from "../directory/applications.ts";
import { newGuid } from "../../lib/random.ts";
import { certificateBody, certificatesOf, mergeCertificates, mostCertificates } from "../directory/certificates.ts";
import { listClientSecrets } from "../directory/client-secrets.ts";
import { directoryErrors } from "../errors.ts";
import type { Reading } from "../database.ts";
import { change, notFound, page, readBody, type GraphContext, type GraphService } from "./exchange.ts";
import { parseGraphFilter } from "./filter.ts";
import type { GraphApp } from "./routes.ts";
import { ownerRoutes } from "./owners.ts";
import { secretRoutes } from "./secrets.ts";
import { identifierUris, renderApplication } from "./shapes.ts";

const redirectUri = z
  .string()
  .max(2000)
  .refine(isRedirectUri, "must be https://…, or http:// on localhost, without a fragment");
const redirects = z.looseObject({ redirectUris: z.array(redirectUri).max(250).optional() });

const applicationBody = z.object({
  displayName: z.string().min(1).max(256).optional(),
  identifierUris: z.array(z.string().min(1).max(255)).max(50).optional(),
  isFallbackPublicClient: z.boolean().nullish(),
  signInAudience: z.string().max(60).optional(),
  web: redirects.nullish(),
  publicClient: redirects.nullish(),
  spa: redirects.nullish(),
  keyCredentials: z.array(certificateBody).max(mostCertificates).optional(),
  passwordCredentials: z.array(z.unknown()).max(0, "passwords are made with addPassword").optional(),
  appRoles: z.array(z.unknown()).optional(),
  optionalClaims: z.unknown().optional(),
  requiredResourceAccess: z.array(z.unknown()).optional(),
  api: z.unknown().optional(),
  tags: z.array(z.string()).optional(),
  notes: z.string().nullish(),
  description: z.string().nullish(),
});

export function applicationRoutes(app: GraphApp, service: GraphService): void {
  const { database } = service;

  const find = async (reading: Reading, context: GraphContext): Promise<Application> => {
    const id = context.req.param("id") ?? "";
    const application = await findApplication(reading, context.get("caller").tenantId, id);
    if (application === undefined) throw notFound(id);
    return application;
  };
  const show = async (application: Application) =>
    renderApplication(application, await listClientSecrets(database.kysely, [application.id]));

  app.get("/applications", async (context) => {
    const matches = parseGraphFilter<Application>(context.req.query("$filter"), readField);
    const found = (await listApplications(database.kysely, context.get("caller").tenantId)).filter(matches);
    const secrets = await listClientSecrets(
      database.kysely,
      found.map(({ id }) => id),
    );
    return page(service, context, found, (application) => renderApplication(application, secrets));
  });

  app.post("/applications", async (context) => {
    const { displayName, ...body } = await readBody(context, applicationBody);
    if (displayName === undefined) {
      throw directoryErrors.Request_BadRequest("The property 'displayName' is required.", { target: "displayName" });
    }
    const { tenantId } = context.get("caller");
    const application = await change(service, context, async (trx) => {
      await refuseTakenUris(trx, tenantId, body.identifierUris ?? [], undefined);
      return createApplication(trx, { tenantId, displayName, ...derived(body), properties: stored({}, body) });
    });
    return context.json(await show(application), 201);
  });

  app.get("/applications/:id", async (context) => context.json(await show(await find(database.kysely, context))));

  app.patch("/applications/:id", async (context) => {
    const { displayName, ...body } = await readBody(context, applicationBody);
    await change(service, context, async (trx) => {
      const application = await find(trx, context);
      await refuseTakenUris(trx, application.tenantId, body.identifierUris ?? [], application.id);
      const properties = stored(application.properties, body);
      const settings = derived(settingsBody.parse(properties));
      await updateApplication(trx, {
        ...application,
        displayName: displayName ?? application.displayName,
        properties,
        ...settings,
      });
    });
    return context.body(null, 204);
  });

  app.delete("/applications/:id", async (context) => {
    await change(service, context, async (trx) => deleteApplication(trx, await find(trx, context)));
    return context.body(null, 204);
  });

  secretRoutes(app, service, "/applications/:id", find);
  ownerRoutes(app, service, "/applications/:id", find);
}

/** What of the stored properties signing in acts on. */
const settingsBody = applicationBody.pick({ isFallbackPublicClient: true, web: true, publicClient: true, spa: true });

type ApplicationBody = z.output<typeof applicationBody>;

/** What signing in acts on, out of what was written. */
function derived(body: z.output<typeof settingsBody>): { isPublic: boolean; redirectUris: string[] } {
  const native = body.publicClient?.redirectUris ?? [];
  const spa = body.spa?.redirectUris ?? [];
  return {
    isPublic: body.isFallbackPublicClient === true || native.length > 0 || spa.length > 0,
    redirectUris: [...(body.web?.redirectUris ?? []), ...native, ...spa],
  };
}

/** A complex property takes over what the patch says of it and keeps the rest. */
function merged(
  stored: Readonly<Record<string, unknown>>,
  patch: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const result = { ...stored };
  for (const [name, value] of Object.entries(patch)) {
    const before = stored[name];
    result[name] = isObject(before) && isObject(value) ? merged(before, value) : value;
  }
  return result;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The properties as they are kept after a client wrote some. */
function stored(before: Readonly<Record<string, unknown>>, body: ApplicationBody): Record<string, unknown> {
  const { keyCredentials, passwordCredentials: _none, ...rest } = body;
  const properties = merged(before, rest);
  if (keyCredentials === undefined) return properties;
  return { ...properties, keyCredentials: mergeCertificates(certificatesOf(before), keyCredentials, newGuid) };
}

async function refuseTakenUris(
  reading: Reading,
  tenantId: string,
  uris: readonly string[],
  except: string | undefined,
): Promise<void> {
  if (uris.length === 0) return;
  for (const other of await listApplications(reading, tenantId)) {
    const taken = other.id === except ? undefined : identifierUris(other).find((uri) => uris.includes(uri));
    if (taken !== undefined) {
      throw directoryErrors.Request_BadRequest(
        `Another object with the same value for property identifierUris already exists: '${taken}'.`,
        { target: "identifierUris" },
      );
    }
  }
}

function readField(application: Application, field: string): string | readonly string[] | undefined {
  switch (field.toLowerCase()) {
    case "id":
      return application.id;
    case "appid":
      return application.appId;
    case "displayname":
      return application.displayName;
    case "identifieruris":
      return identifierUris(application);
    default:
      return undefined;
  }
}

function isRedirectUri(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, hash } = new URL(text);
  if (hash !== "" || text.includes("#")) return false;
  return protocol === "https:" || (protocol === "http:" && ["localhost", "127.0.0.1", "[::1]"].includes(hostname));
}

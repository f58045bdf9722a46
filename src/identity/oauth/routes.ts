// Both authorities: `/adfs` for az, `/{tenant}/…/v2.0` for MSAL and the SDKs.

import { Hono, type Context } from "hono";
import { bodyLimit } from "hono/body-limit";
import { getCookie } from "hono/cookie";
import { HoldfastError } from "../../lib/errors.ts";
import { newGuid } from "../../lib/random.ts";
import { listTenants, type Tenant } from "../directory/tenants.ts";
import { issuerOf } from "../tokens/issuer.ts";
import { beginSignIn, finishSignIn, type AuthorizeReply } from "./authorize.ts";
import { adfsDiscovery, adfsIssuer, tenantDiscovery } from "./discovery.ts";
import { signInErrors } from "./errors.ts";
import { largestForm, readForm } from "./form.ts";
import { messagePage, pageHeaders, signInPage } from "./pages.ts";
import type { OAuthService } from "./service.ts";
import { answerTokenRequest, refusalReply } from "./token-endpoint.ts";

export interface IdentityRoutesOptions {
  /** The network address that a request came from, for slowing down and for the sign-in log. */
  readonly addressOf: (context: Context) => string;
}

/** An authority: which tenant a request speaks for, and what its ID tokens name as their issuer. */
interface Authority {
  readonly tenant: Tenant | undefined;
  readonly issuerFor: (tenantId: string) => string;
}

const cookieName = "__Host-holdfast-sign-in";
const anyTenant = new Set(["common", "organizations"]);

export function identityRoutes(service: OAuthService, { addressOf }: IdentityRoutesOptions): Hono {
  const app = new Hono();

  const originOf = (context: Context): string => {
    const asked = `https://${context.req.header("host") ?? ""}`.toLowerCase();
    const origins = service.origins();
    return origins.find((origin) => origin.toLowerCase() === asked) ?? origins[0] ?? asked;
  };
  const adfs = (context: Context): Authority => {
    const issuer = adfsIssuer(originOf(context));
    return { tenant: undefined, issuerFor: () => issuer };
  };
  const ofTenant = async (context: Context): Promise<Authority> => {
    const origin = originOf(context);
    const tenant = await tenantOf(service, context.req.param("tenant") ?? "");
    return { tenant, issuerFor: (tenantId) => issuerOf(origin, tenantId) };
  };

  const token = (authorityOf: (context: Context) => Authority | Promise<Authority>) => async (context: Context) => {
    const correlationId = correlationOf(context);
    const reply = await answering(
      async () => {
        const authority = await authorityOf(context);
        const form = readForm(await context.req.text(), context.req.header("authorization"));
        return answerTokenRequest(service, { ...authority, form, address: addressOf(context), correlationId });
      },
      (error) => refusalReply(service, { correlationId }, error),
    );
    return context.json(reply.body, reply.status as 200, reply.headers);
  };

  const showSignIn =
    (authorityOf: (context: Context) => Authority | Promise<Authority>) =>
    (context: Context): Promise<Response> =>
      answering(
        async () => {
          const { tenant } = await authorityOf(context);
          const query = readForm(new URL(context.req.url).search.slice(1), undefined);
          return browserReply(context, await beginSignIn(service, query, tenant));
        },
        (error) => browserRefusal(context, error),
      );

  const takeSignIn = (context: Context): Promise<Response> =>
    answering(
      async () => {
        refuseCrossSite(context);
        const form = readForm(await context.req.text(), undefined);
        const posted = {
          ticket: form.get("ticket") ?? "",
          cookie: getCookie(context, cookieName) ?? "",
          username: (form.get("username") ?? "").trim(),
          password: form.get("password") ?? "",
          address: addressOf(context),
          correlationId: correlationOf(context),
        };
        return browserReply(context, await finishSignIn(service, posted, await listTenants(service.database.kysely)));
      },
      (error) => browserRefusal(context, error),
    );

  const keys = async (context: Context) =>
    context.json({ keys: await service.keys.published() }, 200, { "cache-control": "public, max-age=300" });

  const signedOut = (context: Context) =>
    context.html(messagePage("Signed out", "You are signed out. You can close this window."), 200, pageHeaders());

  const limit = bodyLimit({
    maxSize: largestForm,
    onError: (context) => {
      const error = signInErrors.AADSTS9002313(`The request body is larger than ${largestForm} bytes.`);
      const reply = refusalReply(service, { correlationId: correlationOf(context) }, error);
      return context.json(reply.body, 413, reply.headers);
    },
  });

  app.get("/adfs/.well-known/openid-configuration", (context) => context.json(adfsDiscovery(originOf(context))));
  app.get("/adfs/discovery/keys", keys);
  app.post("/adfs/oauth2/token", limit, token(adfs));
  app.get("/adfs/oauth2/authorize", showSignIn(adfs));
  app.post("/adfs/oauth2/authorize", limit, takeSignIn);
  app.get("/adfs/oauth2/logout", signedOut);

  app.get("/:tenant/v2.0/.well-known/openid-configuration", (context) =>
    answering(
      async () => {
        const tenant = await tenantOf(service, context.req.param("tenant"));
        const name = tenant?.id ?? context.req.param("tenant");
        return context.json(tenantDiscovery(originOf(context), name, tenant !== undefined)) as Response;
      },
      (error) => {
        const reply = refusalReply(service, { correlationId: correlationOf(context) }, error);
        return context.json(reply.body, 400, reply.headers);
      },
    ),
  );
  app.get("/:tenant/discovery/v2.0/keys", keys);
  app.post("/:tenant/oauth2/v2.0/token", limit, token(ofTenant));
  app.post("/:tenant/oauth2/token", limit, token(ofTenant));
  app.get("/:tenant/oauth2/v2.0/authorize", showSignIn(ofTenant));
  app.post("/:tenant/oauth2/v2.0/authorize", limit, takeSignIn);
  app.get("/:tenant/oauth2/v2.0/logout", signedOut);
  return app;
}

async function tenantOf(service: OAuthService, name: string): Promise<Tenant | undefined> {
  const key = name.toLowerCase();
  if (anyTenant.has(key)) return undefined;
  const tenants = await listTenants(service.database.kysely);
  const tenant = tenants.find(({ id, defaultDomain }) => id === key || defaultDomain.toLowerCase() === key);
  if (tenant === undefined) {
    throw signInErrors.AADSTS90002(
      `Tenant '${name.slice(0, 100)}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud.`,
    );
  }
  return tenant;
}

function browserReply(context: Context, reply: AuthorizeReply): Response | Promise<Response> {
  if (reply.kind === "redirect") {
    context.header("cache-control", "no-store");
    context.header("referrer-policy", "no-referrer");
    return context.redirect(reply.location, 303);
  }
  const headers = {
    ...pageHeaders(reply.request.redirectUri),
    "set-cookie": `${cookieName}=${reply.cookie}; Path=/; Secure; HttpOnly; SameSite=Lax`,
  };
  return context.html(signInPage(reply.request, reply.problem), reply.status as 200, headers);
}

function browserRefusal(context: Context, error: HoldfastError): Response | Promise<Response> {
  const status = (error.status === 401 ? 400 : error.status) as 400;
  return context.html(messagePage("Sign-in failed", `${error.code}: ${error.sentence}`), status, pageHeaders());
}

/** Browsers say where a form comes from; one that says "from elsewhere" is refused. */
function refuseCrossSite(context: Context): void {
  const site = context.req.header("sec-fetch-site");
  if (site !== undefined && site !== "same-origin" && site !== "none") {
    throw signInErrors.AADSTS9002313("The sign-in form was sent from another site.");
  }
}

/** The client's own id, if it is one; it is echoed and written down. */
function correlationOf(context: Context): string {
  const given = context.req.query("client-request-id") ?? context.req.header("client-request-id");
  return given !== undefined && /^[0-9a-fA-F-]{36}$/.test(given) ? given.toLowerCase() : newGuid();
}

/** Turns refusals into answers; anything else is a fault of ours and goes up. */
async function answering<T>(work: () => Promise<T>, refuse: (error: HoldfastError) => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.status >= 500) throw error;
    return refuse(error);
  }
}

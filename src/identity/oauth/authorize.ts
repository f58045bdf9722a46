// GET and POST …/authorize: the browser's half of signing in. GET checks what the client asks and
// shows the page; POST checks name and password and sends the browser back with a code.
//
// What the client asked travels through the page sealed, together with a value that only this
// browser has in a cookie: nobody can change it, and no other site can post the form.

import { timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { HoldfastError } from "../../lib/errors.ts";
import { newGuid, randomBytes } from "../../lib/random.ts";
import type { Tenant } from "../directory/tenants.ts";
import { addAuthorizationCode } from "./authorization-codes.ts";
import { findClient, isRegisteredRedirect, type OAuthClient } from "./clients.ts";
import { errorNumber, oauthErrorBody, oauthNameOf, signInErrors } from "./errors.ts";
import { required } from "./form.ts";
import type { OAuthService } from "./service.ts";
import { proveUser } from "./user-proof.ts";

/** What a client asked for, checked. */
export interface SignInRequest {
  readonly clientName: string;
  readonly loginHint: string;
  readonly redirectUri: string;
  /** For the form's hidden field. */
  readonly ticket: string;
}

export type AuthorizeReply =
  | {
      readonly kind: "page";
      readonly request: SignInRequest;
      readonly cookie: string;
      readonly problem: string;
      readonly status: number;
    }
  | { readonly kind: "redirect"; readonly location: string };

export interface Posted {
  readonly ticket: string;
  readonly cookie: string;
  readonly username: string;
  readonly password: string;
  readonly address: string;
  readonly correlationId: string;
}

const ticketSchema = z.object({
  appId: z.string(),
  clientName: z.string(),
  redirectUri: z.string(),
  responseMode: z.enum(["query", "fragment"]),
  scope: z.string(),
  state: z.string(),
  nonce: z.string(),
  challenge: z.string(),
  tenantId: z.string(),
  cookie: z.string(),
  expiresAt: z.number(),
});
type Ticket = z.output<typeof ticketSchema>;

const ticketLifetime = 15 * 60_000;
const challengePattern = /^[A-Za-z0-9_-]{43}$/;
const longestState = 4096;

/** Throws what must be shown instead of sent back: the address to send it to is not to be trusted. */
export async function beginSignIn(
  service: OAuthService,
  query: ReadonlyMap<string, string>,
  tenant: Tenant | undefined,
): Promise<AuthorizeReply> {
  const appId = required(query, "client_id");
  const client = await findClient(service.database.kysely, appId, tenant, service.portalRedirectUris());
  const redirectUri = checkedRedirect(client, required(query, "redirect_uri"));
  const responseMode = query.get("response_mode") === "fragment" ? "fragment" : "query";
  const state = (query.get("state") ?? "").slice(0, longestState);
  try {
    checkQuery(query);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return { kind: "redirect", location: refusalLocation(service, { redirectUri, responseMode, state }, error) };
  }
  const cookie = randomBytes(24).toString("base64url");
  const ticket: Ticket = {
    appId: client.appId,
    clientName: client.displayName,
    redirectUri,
    responseMode,
    scope: query.get("scope") ?? "openid",
    state,
    nonce: query.get("nonce") ?? "",
    challenge: query.get("code_challenge") ?? "",
    tenantId: tenant?.id ?? "",
    cookie,
    expiresAt: service.database.clock.now() + ticketLifetime,
  };
  return page(service, ticket, { loginHint: query.get("login_hint") ?? "", problem: "", status: 200 });
}

export async function finishSignIn(
  service: OAuthService,
  posted: Posted,
  tenants: readonly Tenant[],
): Promise<AuthorizeReply> {
  const ticket = openTicket(service, posted);
  const tenant = tenants.find(({ id }) => id === ticket.tenantId);
  const { clock } = service.database;
  const log = {
    tenantId: ticket.tenantId,
    principalName: posted.username,
    appId: ticket.appId,
    grantType: "authorize",
    address: posted.address,
    correlationId: posted.correlationId,
  };
  try {
    const proof = { name: posted.username, password: posted.password, address: posted.address };
    const user = await proveUser(service, proof, tenant);
    const code = await service.database.transaction((trx) =>
      addAuthorizationCode(trx, { ...ticket, tenantId: user.tenantId, userId: user.id }),
    );
    const signedIn = { ...log, tenantId: user.tenantId, principalId: user.id };
    await service.signIns.record({ ...signedIn, at: clock.now(), errorCode: 0, reason: "Success" });
    return { kind: "redirect", location: redirectLocation(ticket, { code }) };
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.status >= 500) throw error;
    if (error.status !== 429) {
      const refused = { ...log, principalId: "", errorCode: errorNumber(error), reason: error.message };
      await service.signIns.record({ ...refused, at: clock.now() });
    }
    return page(service, ticket, { loginHint: posted.username, problem: error.sentence, status: error.status });
  }
}

function page(
  service: OAuthService,
  ticket: Ticket,
  shown: { loginHint: string; problem: string; status: number },
): AuthorizeReply {
  const sealed = service.secretBox.seal(Buffer.from(JSON.stringify(ticket))).toString("base64url");
  return {
    kind: "page",
    cookie: ticket.cookie,
    problem: shown.problem,
    status: shown.status,
    request: {
      clientName: ticket.clientName,
      loginHint: shown.loginHint.slice(0, 200),
      redirectUri: ticket.redirectUri,
      ticket: sealed,
    },
  };
}

function openTicket(service: OAuthService, posted: Posted): Ticket {
  const begin = "Go back to the application and sign in again.";
  let ticket: Ticket;
  try {
    const bytes = service.secretBox.open(Buffer.from(posted.ticket, "base64url"));
    ticket = ticketSchema.parse(JSON.parse(bytes.toString("utf8")));
  } catch (error) {
    throw signInErrors.AADSTS9002313(`The sign-in form was changed on its way. ${begin}`, { cause: error });
  }
  const expected = Buffer.from(ticket.cookie);
  const cookie = Buffer.from(posted.cookie);
  if (cookie.length !== expected.length || !timingSafeEqual(cookie, expected)) {
    throw signInErrors.AADSTS9002313(`The sign-in was begun in another browser, or cookies are blocked. ${begin}`);
  }
  if (ticket.expiresAt <= service.database.clock.now()) {
    throw signInErrors.AADSTS70008(`The sign-in page was open for too long. ${begin}`);
  }
  return ticket;
}

function checkedRedirect(client: OAuthClient, redirectUri: string): string {
  if (!isRegisteredRedirect(client, redirectUri)) {
    throw signInErrors.AADSTS50011(
      `The redirect URI '${redirectUri.slice(0, 300)}' specified in the request does not match the redirect URIs configured for the application '${client.appId}'. Register exactly this address with the application.`,
    );
  }
  return redirectUri;
}

function checkQuery(query: ReadonlyMap<string, string>): void {
  if (required(query, "response_type") !== "code") {
    throw signInErrors.AADSTS9002313("Only response_type=code is supported.");
  }
  const mode = query.get("response_mode") ?? "query";
  if (mode !== "query" && mode !== "fragment") {
    throw signInErrors.AADSTS9002313(`response_mode '${mode.slice(0, 40)}' is not supported; use query or fragment.`);
  }
  if (query.get("code_challenge_method") !== "S256" || !challengePattern.test(query.get("code_challenge") ?? "")) {
    throw signInErrors.AADSTS9002325(
      "Proof Key for Code Exchange is required: send code_challenge with code_challenge_method=S256.",
    );
  }
  if (query.get("prompt") === "none") {
    throw signInErrors.AADSTS50058("A silent sign-in request was sent but no user is signed in.");
  }
}

function refusalLocation(
  service: OAuthService,
  target: Pick<Ticket, "redirectUri" | "responseMode" | "state">,
  error: HoldfastError,
): string {
  const ids = { traceId: newGuid(), correlationId: newGuid(), at: service.database.clock.now() };
  const { error_description } = oauthErrorBody(error, ids);
  return redirectLocation(target, { error: oauthNameOf(error), error_description });
}

function redirectLocation(
  { redirectUri, responseMode, state }: Pick<Ticket, "redirectUri" | "responseMode" | "state">,
  result: Readonly<Record<string, string>>,
): string {
  const parameters = new URLSearchParams(state === "" ? result : { ...result, state });
  if (responseMode === "fragment") return `${redirectUri}#${parameters}`;
  return `${redirectUri}${redirectUri.includes("?") ? "&" : "?"}${parameters}`;
}

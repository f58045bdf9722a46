// The one dispatcher of the wire. Each request goes the same way: path, route, api-version, caller,
// throttle, subscription, registration, access, locks, body, handler, activity log. Every answer,
// good or bad, carries the request ids; every failure has ARM's error body.

import type { Database } from "../db/database.ts";
import { HoldfastError } from "../lib/errors.ts";
import { newGuid } from "../lib/random.ts";
import { parseShallowJson } from "../lib/shallow-json.ts";
import { subscriptionTenants } from "../identity/directory/tenants.ts";
import { recordActivity, type Deed } from "./activity/activity.ts";
import { renderError } from "./error-body.ts";
import { armErrors } from "./errors.ts";
import { checkLocks } from "./locks.ts";
import { getGroup, groupBeingDeleted } from "./groups.ts";
import { pathSegments } from "./path.ts";
import { checkApiVersion, type ProviderDirectory } from "./provider.ts";
import type { ArmQuery, ArmReply, ArmRequest, Caller } from "./request.ts";
import { compileRoutes, type CompiledRoute, type MatchedRoute, type RouteTable } from "./routes.ts";
import { registrationState } from "./registrations.ts";
import type { Throttle } from "./throttle.ts";

/** A request as the listener hands it over. */
export interface WireRequest {
  readonly method: string;
  /** Path and query exactly as they came, still encoded. */
  readonly target: string;
  readonly origin: string;
  readonly clientAddress: string | undefined;
  readonly signal: AbortSignal;
  header(name: string): string | undefined;
  text(): Promise<string>;
}

export interface WireReply {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string | undefined;
}

export interface DispatchParts {
  readonly database: Database;
  readonly directory: ProviderDirectory;
  readonly throttle: Throttle;
  /** Who sends this Authorization header, in this tenant if one is named; throws with status 401. */
  readonly authenticate: (authorization: string | undefined, tenantId: string | undefined) => Promise<Caller>;
  /** Throws AuthorizationFailed unless the caller may do the action at the scope. */
  readonly authorize: (caller: Caller, action: string, scope: string) => Promise<void>;
  /** Hears of failures that are our own fault. */
  readonly report: (error: unknown, requestId: string, correlationId: string) => void;
}

/** What every request is answered with. */
interface DispatchState extends DispatchParts {
  readonly table: RouteTable;
  /** The tenant of a subscription; undefined when there is no such subscription. */
  readonly tenantOf: (subscriptionId: string) => Promise<string | undefined>;
}

export interface Dispatcher {
  readonly table: RouteTable;
  handle(request: WireRequest): Promise<WireReply>;
  /**
   * Throws what a PUT would be refused with whoever sends it: no such type, a wrong api-version, and, where
   * its body is known, a name or a body that is no such resource's. Answers the right that it needs.
   */
  checkPut(path: string, apiVersion: string, body: unknown): Promise<{ readonly action: string }>;
}

/** Namespaces whose absence from the registrations never refuses a request. */
const alwaysRegistered = new Set(["microsoft.resources", "microsoft.authorization", "microsoft.features", ""]);

export function createDispatcher(parts: DispatchParts): Dispatcher {
  const table = compileRoutes(parts.directory.providers.flatMap((provider) => provider.routes));
  const state = { ...parts, table, tenantOf: subscriptionTenants(parts.database.kysely) };
  return {
    table,
    handle: (request) => handle(state, request),
    checkPut: async (path, apiVersion, body) => {
      const { route, params } = routeOf(state, "PUT", pathSegments(path));
      checkApiVersion(apiVersion, parts.directory.apiVersionsOf(route.resourceType));
      if (body !== undefined) await route.check?.({ path, resourceId: path, params, body });
      return route;
    },
  };
}

interface Ids {
  readonly requestId: string;
  readonly correlationId: string;
}

async function handle(parts: DispatchState, wire: WireRequest): Promise<WireReply> {
  const requestId = newGuid();
  const wanted = wire.header("x-ms-correlation-request-id");
  const ids: Ids = {
    requestId,
    correlationId: wanted !== undefined && isGuid(wanted) ? wanted.toLowerCase() : newGuid(),
  };
  const headers: Record<string, string> = {
    "x-ms-request-id": ids.requestId,
    "x-ms-correlation-request-id": ids.correlationId,
    "x-ms-routing-request-id": `HOLDFAST:${ids.requestId}`,
    "Cache-Control": "no-cache",
    Pragma: "no-cache",
  };
  const clientRequestId = wire.header("x-ms-client-request-id");
  if (clientRequestId !== undefined && /^[\w-]{1,80}$/.test(clientRequestId))
    headers["x-ms-client-request-id"] = clientRequestId;
  const trail: Trail = { startedAt: parts.database.clock.now() };
  let reply: ArmReply;
  let failure: HoldfastError | undefined;
  try {
    reply = await answer(parts, wire, ids, headers, trail);
  } catch (error) {
    failure = toHoldfastError(parts, error, ids);
    reply = failureReply(failure);
  }
  try {
    await keepTrail(parts, wire, ids, trail, reply, failure);
  } catch (error) {
    failure = toHoldfastError(parts, error, ids);
    reply = failureReply(failure);
  }
  Object.assign(headers, reply.headers);
  if (reply.body === undefined) return { status: reply.status, headers, body: undefined };
  headers["Content-Type"] ??= "application/json; charset=utf-8";
  return { status: reply.status, headers, body: wire.method === "HEAD" ? undefined : JSON.stringify(reply.body) };
}

/** What is known of a request so far, for the activity log. */
interface Trail {
  readonly startedAt: number;
  match?: MatchedRoute;
  caller?: Caller;
  resourceId?: string;
}

async function answer(
  parts: DispatchState,
  wire: WireRequest,
  ids: Ids,
  headers: Record<string, string>,
  trail: Trail,
): Promise<ArmReply> {
  const [rawPath = "", rawQuery = ""] = splitTarget(wire.target);
  const segments = pathSegments(rawPath);
  const query = parseQuery(rawQuery);
  const subscriptionId = segments[0]?.toLowerCase() === "subscriptions" ? segments[1] : undefined;
  const tenantId = subscriptionId === undefined ? undefined : await parts.tenantOf(subscriptionId);
  const caller = await parts.authenticate(wire.header("authorization"), tenantId);
  trail.caller = caller;
  const match = routeOf(parts, wire.method, segments);
  trail.match = match;
  const { route } = match;
  const apiVersion = checkApiVersion(query.get("api-version"), parts.directory.apiVersionsOf(route.resourceType));
  const idSegments = match.segments.slice(0, match.segments.length - route.tail);
  trail.resourceId = resourceIdOf(route, idSegments);

  if (subscriptionId !== undefined && tenantId === undefined) {
    throw armErrors.SubscriptionNotFound(`The subscription '${subscriptionId}' could not be found.`, {
      target: "subscriptionId",
    });
  }
  Object.assign(headers, parts.throttle.take(caller.principalId, subscriptionId, route.effect));
  if (route.action !== "")
    await parts.authorize(caller, route.action, trail.resourceId === "" ? "/" : trail.resourceId);
  if (subscriptionId !== undefined) await checkRegistration(parts, subscriptionId, route);

  const canonical = await withStoredGroup(parts, match, route);
  const resourceId = resourceIdOf(route, canonical.slice(0, canonical.length - route.tail));
  trail.resourceId = resourceId;
  if (route.effect !== "read") await checkLocks(parts.database.kysely, resourceId, route.effect, route.action);

  const text = wire.method === "GET" || wire.method === "HEAD" ? "" : await wire.text();
  const request: ArmRequest = {
    method: wire.method,
    path: `/${canonical.join("/")}`,
    resourceId,
    params: match.params,
    query,
    apiVersion,
    caller,
    correlationId: ids.correlationId,
    requestId: ids.requestId,
    origin: wire.origin,
    get signal() {
      return wire.signal; // asking for it is what makes it
    },
    header: wire.header,
    text,
    body: route.relaxedBody === true ? undefined : parseText(text),
  };
  return route.handle(request);
}

function routeOf({ table, directory }: DispatchState, method: string, segments: readonly string[]): MatchedRoute {
  const match = table.find(method, segments);
  if (match === undefined) throw noRoute(directory, table, method, segments);
  return match;
}

/**
 * The id that a request is about. A collection's is its parent: what holds its items.
 * `/subscriptions/x/resourceGroups` (no provider) has no such tail.
 */
function resourceIdOf(route: CompiledRoute, idSegments: readonly string[]): string {
  const end = idSegments.at(-2)?.toLowerCase() === "providers" ? idSegments.length - 2 : idSegments.length;
  const own = route.resourceType === "" ? plainScope(idSegments) : idSegments.slice(0, end);
  return own.length === 0 ? "" : `/${own.join("/")}`;
}

/** Of a path without provider only the subscription and the group are a scope. */
function plainScope(segments: readonly string[]): readonly string[] {
  const lower = segments.map((segment) => segment.toLowerCase());
  if (lower[0] !== "subscriptions") return [];
  return lower[2] === "resourcegroups" && segments.length >= 4 ? segments.slice(0, 4) : segments.slice(0, 2);
}

/** A path inside a group takes the group's stored spelling; a group that is not there ends it here. */
async function withStoredGroup(
  parts: DispatchParts,
  match: MatchedRoute,
  route: CompiledRoute,
): Promise<readonly string[]> {
  const segments = match.segments;
  const name = segments[3];
  const subscriptionId = segments[1];
  if (segments[0]?.toLowerCase() !== "subscriptions" || segments[2]?.toLowerCase() !== "resourcegroups")
    return segments;
  if (name === undefined || subscriptionId === undefined) return segments;
  // The group's own requests say themselves what a missing group means.
  if (segments.length === 4 && route.namespace === "") return [...segments.slice(0, 2), "resourceGroups", name];
  const group = await getGroup(parts.database.kysely, subscriptionId, name);
  if (route.method === "PUT" && group.provisioningState === "Deleting") throw groupBeingDeleted(group);
  return ["subscriptions", subscriptionId, "resourceGroups", group.name, ...segments.slice(4)];
}

async function checkRegistration(parts: DispatchParts, subscriptionId: string, route: CompiledRoute): Promise<void> {
  if (alwaysRegistered.has(route.namespace.toLowerCase()) || route.effect === "read") return;
  const state = await registrationState(parts.database.kysely, subscriptionId, route.namespace, "Registered");
  if (state === "Registered") return;
  throw armErrors.MissingSubscriptionRegistration(
    `The subscription is not registered to use namespace '${route.namespace}'. Register it with: az provider register --namespace ${route.namespace}.`,
    { target: route.namespace },
  );
}

function noRoute(directory: ProviderDirectory, table: RouteTable, method: string, segments: readonly string[]): Error {
  const methods = table.methodsOf(segments);
  if (methods.length > 0) {
    return armErrors.MethodNotAllowed(
      `The HTTP method '${method}' is not supported at this location. Supported here: ${methods.join(", ")}.`,
    );
  }
  const providerAt = segments.map((segment) => segment.toLowerCase()).lastIndexOf("providers");
  const namespace = providerAt === -1 ? undefined : segments[providerAt + 1];
  if (namespace === undefined) return armErrors.NotFound(`There is nothing at '/${segments.join("/").slice(0, 300)}'.`);
  const provider = directory.find(namespace);
  if (provider === undefined) {
    return armErrors.InvalidResourceNamespace(
      `The resource namespace '${namespace}' is invalid. Known: ${directory.providers.map((known) => known.namespace).join(", ")}.`,
    );
  }
  const type = segments
    .slice(providerAt + 2)
    .filter((_, index) => index % 2 === 0)
    .join("/");
  const canonical = directory.canonicalType(`${namespace}/${type}`);
  if (canonical !== undefined) {
    return armErrors.NotFound(
      `The path '/${segments.join("/").slice(0, 300)}' does not fit the type '${canonical}': a name is missing or there is one too many.`,
    );
  }
  return armErrors.InvalidResourceType(
    `The resource type '${type}' could not be found in the namespace '${provider.namespace}'. Its types are: ${provider.resourceTypes.map((known) => known.name).join(", ")}.`,
  );
}

function parseText(text: string): unknown {
  if (text.trim() === "") return undefined;
  try {
    return parseShallowJson(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : "it is no JSON";
    throw armErrors.InvalidRequestContent(`The request content was invalid and could not be deserialized: '${why}'.`, {
      cause,
    });
  }
}

function splitTarget(target: string): [string, string] {
  const at = target.indexOf("?");
  return at === -1 ? [target, ""] : [target.slice(0, at), target.slice(at + 1)];
}

/** Names of query parameters are compared in any case; the first of several counts. */
function parseQuery(text: string): ArmQuery {
  const pairs = text === "" ? [] : [...new URLSearchParams(text)];
  return {
    get: (name) => pairs.find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1],
    entries: () => pairs,
  };
}

async function keepTrail(
  parts: DispatchParts,
  wire: WireRequest,
  ids: Ids,
  trail: Trail,
  reply: ArmReply,
  failure: HoldfastError | undefined,
): Promise<void> {
  const { match, caller, resourceId } = trail;
  if (match === undefined || caller === undefined || resourceId === undefined || match.route.effect === "read") return;
  const deed: Deed = {
    action: match.route.action,
    method: wire.method,
    resourceId,
    resourceType: match.route.resourceType,
    namespace: match.route.namespace === "" ? "Microsoft.Resources" : match.route.namespace,
    caller,
    correlationId: ids.correlationId,
    requestId: ids.requestId,
    clientRequestId: wire.header("x-ms-client-request-id"),
    clientAddress: wire.clientAddress,
    uri: `${wire.origin}${wire.target.slice(0, 2000)}`,
    httpStatus: reply.status,
    status: failure === undefined ? (reply.status === 202 ? "Accepted" : "Succeeded") : "Failed",
    errorCode: failure?.code,
    errorMessage: failure?.message,
    startedAt: trail.startedAt,
  };
  await parts.database.transaction(async (trx) => {
    await recordActivity(trx, parts.database.clock, deed);
  });
}

function toHoldfastError(parts: DispatchParts, error: unknown, ids: Ids): HoldfastError {
  const known = error instanceof HoldfastError ? error : undefined;
  if (known === undefined || known.status >= 500) parts.report(error, ids.requestId, ids.correlationId);
  return (
    known ??
    armErrors.InternalServerError(
      `The server could not carry out the request. Its log has the details under request id ${ids.requestId}.`,
      { cause: error },
    )
  );
}

function failureReply(error: HoldfastError): ArmReply {
  const headers: Record<string, string> = { "x-ms-failure-cause": "gateway" };
  const { retryAfter, wwwAuthenticate } = error.facts;
  if (retryAfter !== undefined) headers["Retry-After"] = String(retryAfter);
  // What is left of a body that is too large is not read, so the connection cannot carry another request.
  if (error.status === 413) headers["Connection"] = "close";
  if (wwwAuthenticate !== undefined) headers["WWW-Authenticate"] = String(wwwAuthenticate);
  return { status: error.status, body: renderError(error), headers };
}

function isGuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
}

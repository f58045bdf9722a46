// Routes and how a path finds one. A provider lists its routes as data:
//   { method: "GET", path: "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroup}/providers/Microsoft.X/things/{name}", handle }
// Literals match in any case; `{name}` matches one segment; a path that begins with `{scope}` hangs
// on any resource, group or subscription (role assignments, locks, diagnostic settings).
// What a route does to which type (`action`, for access checks) follows from its path.

import type { ArmReply, ArmRequest, Draft } from "./request.ts";

export type Method = "GET" | "HEAD" | "PUT" | "PATCH" | "POST" | "DELETE";

export interface Route {
  readonly method: Method;
  readonly path: string;
  readonly handle: (request: ArmRequest) => Promise<ArmReply>;
  /** Throws (or rejects with) what a PUT would be refused with for its name and body alone. It changes nothing: deployments ask it of all that they are going to make. */
  readonly check?: (draft: Draft) => unknown;
  /** The permission that it needs; derived from the path unless given. "" = everybody signed in. */
  readonly action?: string;
  /** What locks care about; by default from the method (a POST counts as a write). */
  readonly effect?: "read" | "write" | "delete";
  /** The handler parses the text itself: az's deployments are JSON with comments and bare keys. */
  readonly relaxedBody?: boolean;
}

export interface MatchedRoute {
  readonly route: CompiledRoute;
  readonly params: Readonly<Record<string, string>>;
  /** Segments in canonical case: literals from the route, names as the client wrote them. */
  readonly segments: readonly string[];
}

export interface CompiledRoute extends Route {
  readonly action: string;
  readonly effect: "read" | "write" | "delete";
  /** `Microsoft.Compute/virtualMachines`; "" for what belongs to no provider. */
  readonly resourceType: string;
  readonly namespace: string;
  /** How many trailing segments are no part of the resource's id (a collection's name, an action). */
  readonly tail: number;
  readonly pattern: readonly string[];
}

interface Node {
  readonly literals: Map<string, Node>;
  parameter: Node | undefined;
  readonly routes: Map<Method, CompiledRoute>;
}

export interface RouteTable {
  readonly routes: readonly CompiledRoute[];
  find(method: string, segments: readonly string[]): MatchedRoute | undefined;
  /** Methods that exist for the path, to tell 404 from 405. */
  methodsOf(segments: readonly string[]): Method[];
}

export function compileRoutes(routes: readonly Route[]): RouteTable {
  const absolute = newNode();
  const extensions = new Map<string, Node>();
  const compiled = routes.map(compileRoute);
  for (const route of compiled) {
    if (route.pattern[0] === "{scope}") {
      const namespace = (route.pattern[2] ?? "").toLowerCase();
      const root = extensions.get(namespace) ?? newNode();
      extensions.set(namespace, root);
      insert(root, route.pattern.slice(1), route);
    } else insert(absolute, route.pattern, route);
  }

  const candidates = function* (segments: readonly string[]): Generator<{ node: Node; scopeLength: number }> {
    for (const node of walk(absolute, segments, 0)) yield { node, scopeLength: 0 };
    for (let at = segments.length - 2; at >= 0; at -= 1) {
      if (segments[at]?.toLowerCase() !== "providers") continue;
      const root = extensions.get(segments[at + 1]?.toLowerCase() ?? "");
      if (root === undefined) continue;
      for (const node of walk(root, segments, at)) yield { node, scopeLength: at };
    }
  };

  return {
    routes: compiled,
    find: (method, segments) => {
      for (const { node, scopeLength } of candidates(segments)) {
        const route = node.routes.get(method as Method) ?? (method === "HEAD" ? existenceRoute(node) : undefined);
        if (route !== undefined) return bind(route, segments, scopeLength);
      }
      return undefined;
    },
    methodsOf: (segments) => [...new Set([...candidates(segments)].flatMap(({ node }) => [...node.routes.keys()]))],
  };
}

/** What can be read can be asked for: 204 when it is there, and the refusal of the reading otherwise. */
function existenceRoute(node: Node): CompiledRoute | undefined {
  const read = node.routes.get("GET");
  if (read === undefined) return undefined;
  return {
    ...read,
    method: "HEAD",
    handle: async (request) => {
      const { status, headers } = await read.handle(request);
      return { status: status === 200 ? 204 : status, ...(headers === undefined ? {} : { headers }) };
    },
  };
}

function newNode(): Node {
  return { literals: new Map(), parameter: undefined, routes: new Map() };
}

function insert(root: Node, pattern: readonly string[], route: CompiledRoute): void {
  let node = root;
  for (const part of pattern) {
    if (part.startsWith("{")) node = node.parameter ??= newNode();
    else {
      const key = part.toLowerCase();
      const next = node.literals.get(key) ?? newNode();
      node.literals.set(key, next);
      node = next;
    }
  }
  if (node.routes.has(route.method)) throw new Error(`two routes for ${route.method} ${route.path}`);
  node.routes.set(route.method, route);
}

function* walk(node: Node, segments: readonly string[], at: number): Generator<Node> {
  const segment = segments[at];
  if (segment === undefined) {
    if (node.routes.size > 0) yield node;
    return;
  }
  const literal = node.literals.get(segment.toLowerCase());
  if (literal !== undefined) yield* walk(literal, segments, at + 1);
  if (node.parameter !== undefined) yield* walk(node.parameter, segments, at + 1);
}

function bind(route: CompiledRoute, segments: readonly string[], scopeLength: number): MatchedRoute {
  const params: Record<string, string> = {};
  const isExtension = route.pattern[0] === "{scope}";
  const scope = segments.slice(0, scopeLength);
  const pattern = isExtension ? route.pattern.slice(1) : route.pattern;
  if (isExtension) params["scope"] = scope.length === 0 ? "" : `/${scope.join("/")}`;
  const canonical = pattern.map((part, index) => {
    const segment = segments[scopeLength + index] ?? "";
    if (!part.startsWith("{")) return part;
    params[part.slice(1, -1)] = segment;
    return segment;
  });
  return { route, params, segments: [...scope, ...canonical] };
}

const verbs: Readonly<Record<Method, { verb: string; effect: "read" | "write" | "delete" }>> = {
  GET: { verb: "read", effect: "read" },
  HEAD: { verb: "read", effect: "read" },
  PUT: { verb: "write", effect: "write" },
  PATCH: { verb: "write", effect: "write" },
  DELETE: { verb: "delete", effect: "delete" },
  POST: { verb: "action", effect: "write" },
};

function compileRoute(route: Route): CompiledRoute {
  const pattern = route.path.split("/").filter((part) => part !== "");
  const providerAt = pattern.lastIndexOf("providers");
  const namespace = providerAt === -1 ? "" : (pattern[providerAt + 1] ?? "");
  const rest = providerAt === -1 ? [] : pattern.slice(providerAt + 2);
  const endsWithName = rest.length % 2 === 0;
  const isAction = route.method === "POST" && !endsWithName;
  const typeSegments = isAction ? rest.slice(0, -1) : rest;
  const resourceType =
    namespace === "" ? "" : [namespace, ...typeSegments.filter((_, index) => index % 2 === 0)].join("/");
  const { verb, effect } = verbs[route.method];
  const derived = isAction ? `${resourceType}/${rest.at(-1) ?? ""}/action` : `${resourceType}/${verb}`;
  if (route.action === undefined && resourceType === "") throw new Error(`${route.path} needs an explicit action`);
  return {
    ...route,
    action: route.action ?? derived,
    effect: route.effect ?? effect,
    resourceType,
    namespace,
    tail: endsWithName ? 0 : 1,
    pattern,
  };
}

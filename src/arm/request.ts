// What a handler is given and what it gives back.

import type { z } from "zod";
import type { HoldfastError } from "../lib/errors.ts";
import { withSchemaNames } from "../lib/property-names.ts";
import { armErrors } from "./errors.ts";

export interface Caller {
  readonly principalId: string;
  readonly principalType: "User" | "ServicePrincipal" | "Group";
  /** UPN of a user, application id of a service principal: what systemData and the activity log show. */
  readonly name: string;
  readonly applicationId: string;
  readonly tenantId: string;
  readonly claims: Readonly<Record<string, unknown>>;
}

export interface ArmRequest {
  readonly method: string;
  /** Canonical path: the resource's id, plus a collection's or action's name. */
  readonly path: string;
  /** Id of the resource that the request is about (without an action's or collection's name). */
  readonly resourceId: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: ArmQuery;
  readonly apiVersion: string;
  readonly caller: Caller;
  readonly correlationId: string;
  readonly requestId: string;
  /** `https://localhost:8443`: what absolute links begin with. */
  readonly origin: string;
  readonly signal: AbortSignal;
  header(name: string): string | undefined;
  /** The body as it came. */
  readonly text: string;
  /** The parsed body; undefined when there is none, or when the route reads `text` by itself. */
  readonly body: unknown;
}

/** What of a request can be judged whatever else is there: what a deployment is going to send. */
export type Draft = Pick<ArmRequest, "path" | "resourceId" | "params" | "body">;

export interface ArmQuery {
  get(name: string): string | undefined;
  entries(): Iterable<readonly [string, string]>;
}

export interface ArmReply {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export function ok(body: unknown, headers?: Readonly<Record<string, string>>): ArmReply {
  return { status: 200, body, headers };
}

export function created(body: unknown, headers?: Readonly<Record<string, string>>): ArmReply {
  return { status: 201, body, headers };
}

export function noContent(): ArmReply {
  return { status: 204 };
}

/** A parameter of the route's path. Asking for one that the route does not have is our own mistake. */
export function param(request: Draft, name: string): string {
  const value = request.params[name];
  if (value === undefined) throw new Error(`the route of ${request.path} has no parameter ${name}`);
  return value;
}

/** The body, parsed by a schema; every wrong field is named in `details`. */
export function parseBody<Schema extends z.ZodType>(request: Pick<Draft, "body">, schema: Schema): z.output<Schema> {
  if (request.body === undefined) {
    throw armErrors.InvalidRequestContent(`The request has no body. Send JSON with Content-Type application/json.`);
  }
  const body = withSchemaNames(schema, request.body);
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const details = parsed.error.issues.slice(0, 50).map((issue): HoldfastError => {
    const target = issue.path.map(String).join(".");
    const seen = valueAt(body, issue.path);
    return armErrors.InvalidParameter(
      `${target === "" ? "The body" : `'${target}'`}: ${issue.message}. Seen: ${seen}.`,
      { target },
    );
  });
  const first = details[0];
  throw armErrors.InvalidRequestContent(`The request content was invalid: ${first?.message ?? "it does not fit"}`, {
    target: first?.target,
    details,
  });
}

function valueAt(body: unknown, path: readonly PropertyKey[]): string {
  let value: unknown = body;
  for (const key of path) {
    value = typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
  }
  if (value !== undefined && path.some((key) => secretName.test(String(key)))) return hidden;
  const withoutSecrets = (name: string, inner: unknown): unknown => (secretName.test(name) ? hidden : inner);
  return value === undefined ? "nothing" : (JSON.stringify(value, withoutSecrets) ?? String(value)).slice(0, 120);
}

const hidden = "(not shown)";
const secretName = /secret|password|credential|token|signature|protectedsettings|key$|^value$/i;

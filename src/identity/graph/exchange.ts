// What every Graph request has in common: who asks and whether he may, the body, pages, errors.

import type { Context } from "hono";
import type { z } from "zod";
import type { Database } from "../../db/database.ts";
import { appendEvent } from "../../events/append.ts";
import { isoTime } from "../../lib/clock.ts";
import { HoldfastError } from "../../lib/errors.ts";
import { newGuid } from "../../lib/random.ts";
import type { Access } from "../access/access.ts";
import type { Writing } from "../database.ts";
import { enabledPrincipals } from "../directory/principals.ts";
import type { PasswordHasher } from "../directory/password-hash.ts";
import { authenticationErrors, directoryErrors } from "../errors.ts";
import { challengeOf, type TokenVerifier, type VerifiedToken } from "../tokens/verifier.ts";
import { parseShallowJson } from "../../lib/shallow-json.ts";

export interface GraphService {
  readonly database: Database;
  readonly access: Access;
  readonly hasher: PasswordHasher;
  readonly verifier: TokenVerifier;
  readonly origins: () => readonly string[];
  readonly audiences: () => readonly string[];
}

/** Request-scoped values that the routes rely on. */
export interface GraphEnvironment {
  readonly Variables: { caller: VerifiedToken };
}

export type GraphContext = Context<GraphEnvironment>;

const pageSize = 100;
const largestPage = 999;

/** Everybody who is signed in and not disabled may read; writing takes directory rights. */
export async function admit(service: GraphService, context: GraphContext): Promise<VerifiedToken> {
  const caller = await service.verifier.verifyHeader(context.req.header("authorization"), {
    audiences: service.audiences(),
  });
  const [known] = await enabledPrincipals(service.database.kysely, [caller.objectId]);
  if (known === undefined) {
    throw authenticationErrors.InvalidAuthenticationToken(
      "The identity of the calling user or application is disabled or was deleted.",
    );
  }
  if (context.req.method !== "GET" && !isQuestion(context.req.path)) await requireDirectoryRights(service, caller);
  return caller;
}

/** POSTs that only ask. */
function isQuestion(path: string): boolean {
  return /\/(getByIds|checkMemberGroups|getMemberGroups|getMemberObjects)$/.test(path);
}

async function requireDirectoryRights({ access }: GraphService, caller: VerifiedToken): Promise<void> {
  const grants = await access.grantsOf(caller.objectId);
  if (!grants.allows("Microsoft.Authorization/roleAssignments/write", "")) {
    throw directoryErrors.Authorization_RequestDenied(
      "Insufficient privileges to complete the operation. Changing the directory takes Owner or User Access Administrator at the root scope '/'.",
    );
  }
}

/** Changes the directory and tells of it, in one transaction. */
export async function change<Result>(
  { database }: GraphService,
  context: GraphContext,
  work: (trx: Writing) => Promise<Result>,
): Promise<Result> {
  const { method, path } = context.req;
  const given = context.req.header("client-request-id");
  const correlationId = given !== undefined && /^[0-9a-fA-F-]{36}$/.test(given) ? given.toLowerCase() : newGuid();
  return database.transaction(async (trx) => {
    const result = await work(trx);
    appendEvent(trx, {
      type: "directory.changed",
      subject: path,
      data: { method, path, made: idOf(result) ?? null },
      correlationId,
      actor: context.get("caller").objectId,
    });
    return result;
  });
}

function idOf(made: unknown): string | undefined {
  if (typeof made !== "object" || made === null) return undefined;
  if ("keyId" in made && typeof made.keyId === "string") return made.keyId;
  return "id" in made && typeof made.id === "string" ? made.id : undefined;
}

export async function readBody<Schema extends z.ZodType>(context: Context, schema: Schema): Promise<z.output<Schema>> {
  let body: unknown;
  try {
    body = parseShallowJson(await context.req.text());
  } catch (error) {
    throw directoryErrors.Request_BadRequest("The request body is not JSON.", { cause: error });
  }
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const target = issue?.path.map(String).join(".") ?? "";
  throw directoryErrors.Request_BadRequest(
    `Invalid value specified for property '${target}' of the resource: ${issue?.message ?? "it does not fit"}.`,
    { target },
  );
}

interface Ordered {
  readonly id: string;
  readonly createdAt: number;
}

/** One page of a list that is sorted by time of creation and id. */
export function page<Item extends Ordered>(
  service: GraphService,
  context: Context,
  items: readonly Item[],
  render: (item: Item) => unknown,
): Response {
  const limit = pageLimit(context.req.query("$top"));
  const after = context.req.query("$skiptoken");
  const start = after === undefined ? 0 : items.findIndex((item) => positionOf(item) > after);
  const from = start === -1 ? items.length : start;
  const shown = items.slice(from, from + limit);
  const last = shown.at(-1);
  const more = last !== undefined && from + limit < items.length;
  return context.json({
    "@odata.context": `${service.origins()[0] ?? ""}/v1.0/$metadata`,
    value: shown.map(render),
    ...(more ? { "@odata.nextLink": nextLink(service, context, positionOf(last)) } : {}),
  });
}

/** Sorts like (createdAt, id). */
function positionOf({ createdAt, id }: Ordered): string {
  return `${String(createdAt).padStart(15, "0")}.${id}`;
}

function pageLimit(top: string | undefined): number {
  if (top === undefined) return pageSize;
  const limit = Number(top);
  if (!Number.isInteger(limit) || limit < 1) {
    throw directoryErrors.Request_BadRequest(
      `Invalid page size specified: '${top}'. Must be between 1 and ${largestPage} inclusive.`,
    );
  }
  return Math.min(limit, largestPage);
}

function nextLink(service: GraphService, context: Context, position: string): string {
  const url = new URL(context.req.url);
  const query = new URLSearchParams(url.search);
  query.set("$skiptoken", position);
  const asked = `https://${context.req.header("host") ?? ""}`;
  const origin = service.origins().find((known) => known === asked) ?? service.origins()[0] ?? "";
  return `${origin}${url.pathname}?${query}`;
}

export function notFound(id: string): HoldfastError {
  return directoryErrors.Request_ResourceNotFound(
    `Resource '${id.slice(0, 100)}' does not exist or one of its queried reference-property objects are not present.`,
  );
}

/** The error body of Microsoft Graph; what is no refusal goes up. */
export function renderGraphError(service: GraphService, context: Context, error: unknown): Response {
  if (!(error instanceof HoldfastError) || error.status >= 500) throw error;
  const requestId = newGuid();
  const headers: Record<string, string> = { "request-id": requestId };
  const status = error.status === 412 ? 400 : error.status;
  if (status === 401) headers["www-authenticate"] = challengeOf(error, service.origins()[0] ?? "", "common");
  const body = {
    error: {
      code: error.code,
      message: error.sentence,
      innerError: { date: isoTime(service.database.clock.now()).slice(0, 19), "request-id": requestId },
    },
  };
  return context.json(body, status as 400, headers);
}

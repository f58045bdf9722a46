// The query API as its clients address it: with and without /v1 (the JavaScript client leaves it out
// when it is given an endpoint), by workspace and by resource, singly and in batches.

import { Hono, type Context } from "hono";
import { z } from "zod";
import { HoldfastError } from "../../lib/errors.ts";
import type { Logs } from "../logs.ts";
import type { LookUp, QueryWorkspace } from "../query/query-workspace.ts";
import { metadataOf } from "./metadata.ts";
import { refusal, type WireAnswer } from "./wire.ts";
import { parseShallowJson } from "../../lib/shallow-json.ts";

/** How one caller finds what to query; all of it throws for what the caller may not. */
export interface QueryCaller {
  readonly lookUp: LookUp;
  /** The workspaces to which a resource logs, with the tables that may be read of it. */
  ofResource(resourceId: string): Promise<readonly QueryWorkspace[]>;
}

export interface QueryRoutesOptions {
  readonly logs: Logs;
  /** Throws for who is not signed in. */
  readonly authenticate: (authorization: string | undefined) => Promise<QueryCaller>;
  readonly report: (error: unknown) => void;
}

const batchSchema = z.object({
  requests: z
    .array(
      z.object({
        id: z.string(),
        workspace: z.string(),
        path: z.string().optional(),
        method: z.string().optional(),
        headers: z.record(z.string(), z.string()).optional(),
        body: z.unknown(),
      }),
    )
    .max(100),
});

const largestBody = 1024 * 1024;

export function queryRoutes({ logs, authenticate, report }: QueryRoutesOptions): Hono {
  const app = new Hono();

  const failed = (error: unknown): WireAnswer => {
    if (error instanceof HoldfastError) return refusal(error.status, error.code, error.sentence);
    report(error);
    return refusal(500, "InternalServerError", "The query could not be answered; the service's log has the details.");
  };
  const guarded = async (
    context: Context,
    work: (caller: QueryCaller, request: Request) => Promise<WireAnswer>,
  ): Promise<Response> => {
    const request = context.req.raw;
    const answered = async (): Promise<WireAnswer> =>
      work(await authenticate(request.headers.get("authorization") ?? undefined), request);
    const { status, json } = await answered().catch(failed);
    return new Response(json, { status, headers: { "Content-Type": "application/json" } });
  };
  const bodyOf = async (context: Context): Promise<unknown> =>
    context.req.method === "POST"
      ? readBody(context.req.raw)
      : { query: context.req.query("query"), workspaces: context.req.query("workspaces")?.split(",") };

  const query = (
    context: Context,
    find: (caller: QueryCaller) => Promise<readonly QueryWorkspace[]>,
    resource?: string,
  ) =>
    guarded(context, async (caller, request) => {
      const body = await bodyOf(context);
      const workspaces = await find(caller);
      const wire = {
        body,
        workspaces,
        resource,
        timespan: context.req.query("timespan"),
        prefer: context.req.header("prefer"),
      };
      return logs.answer(wire, caller.lookUp, request.signal);
    });

  for (const prefix of ["", "/v1"]) {
    app.on(["GET", "POST"], `${prefix}/workspaces/:workspace/query`, (context) =>
      query(context, async ({ lookUp }) => [await lookUp(context.req.param("workspace"))]),
    );
    app.on(["GET", "POST"], `${prefix}/workspaces/:workspace/metadata`, (context) =>
      guarded(context, async ({ lookUp }) => {
        const workspace = await lookUp(context.req.param("workspace"));
        return { status: 200, json: JSON.stringify(await metadataOf([workspace], logs.columnsOf)) };
      }),
    );
    // The JavaScript client puts a resource's id, with its slash, behind a slash.
    app.on(["GET", "POST"], `${prefix}/:resource{/?subscriptions/.+}/query`, (context, next) => {
      const resource = `/${context.req.param("resource").replace(/^\//, "")}`;
      // Without /v1 and without the second slash it is a path of the management API.
      if (prefix === "" && !context.req.param("resource").startsWith("/")) return next();
      return query(context, ({ ofResource }) => ofResource(resource), resource.toLowerCase());
    });
    app.post(`${prefix}/$batch`, (context) =>
      guarded(context, async ({ lookUp }, request) => {
        const parsed = batchSchema.safeParse(await readBody(request));
        if (!parsed.success) return refusal(400, "BadArgumentError", "The request had some invalid properties");
        const responses: string[] = [];
        // One after the other: a batch takes no more of the machine than a query.
        for (const { id, workspace, headers, body, path = "/query", method = "GET" } of parsed.data.requests) {
          const one = async (): Promise<WireAnswer> => {
            if (path !== "/query" || method.toUpperCase() !== "POST")
              return refusal(404, "PathNotFoundError", "The requested path does not exist");
            const prefer = Object.entries(headers ?? {}).find(([key]) => key.toLowerCase() === "prefer")?.[1];
            return logs.answer({ body, workspaces: [await lookUp(workspace)], prefer }, lookUp, request.signal);
          };
          const { status, json } = await one().catch(failed);
          responses.push(`{"id":${JSON.stringify(id)},"status":${status},"body":${json}}`);
        }
        return { status: 200, json: `{"responses":[${responses.join(",")}]}` };
      }),
    );
  }
  return app;
}

async function readBody(request: Request): Promise<unknown> {
  if (Number(request.headers.get("content-length") ?? 0) > largestBody) return undefined;
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of request.body ?? []) {
    size += piece.byteLength;
    if (size > largestBody) return undefined;
    pieces.push(piece);
  }
  try {
    return parseShallowJson(Buffer.concat(pieces).toString("utf8"));
  } catch {
    return undefined;
  }
}

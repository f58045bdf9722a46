// The query API as its clients address it: with and without /v1 (the JavaScript client leaves it out
// when it is given an endpoint), singly and in batches.

import { Hono } from "hono";
import { z } from "zod";
import type { Clock } from "../../lib/clock.ts";
import { HoldfastError } from "../../lib/errors.ts";
import type { LogQueries, QueryWorkspace } from "../query/log-queries.ts";
import { answerQuery, refusal, type WireAnswer } from "./answer.ts";

export interface QueryRoutesOptions {
  readonly queries: LogQueries;
  readonly clock: Clock;
  /** Resolves to how this caller finds workspaces, by id or name; throws for who is not signed in. */
  readonly authenticate: (authorization: string | undefined) => Promise<(idOrName: string) => Promise<QueryWorkspace>>;
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

export function queryRoutes(options: QueryRoutesOptions): Hono {
  const { queries, clock, report } = options;
  const app = new Hono();

  const failed = (error: unknown): WireAnswer => {
    if (error instanceof HoldfastError) return refusal(error.status, error.code, error.sentence);
    report(error);
    return refusal(500, "InternalServerError", "The query could not be answered; the service's log has the details.");
  };
  const guarded = async (work: () => Promise<WireAnswer>): Promise<Response> => {
    const { status, body } = await work().catch(failed);
    return Response.json(body, { status });
  };

  for (const prefix of ["", "/v1"]) {
    app.on(["GET", "POST"], `${prefix}/workspaces/:workspace/query`, (context) =>
      guarded(async () => {
        const lookUp = await options.authenticate(context.req.header("authorization"));
        const isPost = context.req.method === "POST";
        const names = context.req.query("workspaces")?.split(",");
        const body = isPost
          ? await readBody(context.req.raw)
          : { query: context.req.query("query"), workspaces: names };
        const workspace = await lookUp(context.req.param("workspace"));
        const wire = {
          body,
          workspace,
          lookUp,
          timespan: context.req.query("timespan"),
          prefer: context.req.header("prefer"),
        };
        return answerQuery(queries, clock.now(), wire, context.req.raw.signal);
      }),
    );
    app.post(`${prefix}/$batch`, (context) =>
      guarded(async () => {
        const lookUp = await options.authenticate(context.req.header("authorization"));
        const parsed = batchSchema.safeParse(await readBody(context.req.raw));
        if (!parsed.success) return refusal(400, "BadArgumentError", "The request had some invalid properties");
        const responses: object[] = [];
        // One after the other: a batch takes no more of the machine than a query.
        for (const { id, workspace: name, headers, body, path = "/query", method = "GET" } of parsed.data.requests) {
          const one = async (): Promise<WireAnswer> => {
            if (path !== "/query" || method.toUpperCase() !== "POST")
              return refusal(404, "PathNotFoundError", "The requested path does not exist");
            const prefer = Object.entries(headers ?? {}).find(([key]) => key.toLowerCase() === "prefer")?.[1];
            return answerQuery(
              queries,
              clock.now(),
              { body, workspace: await lookUp(name), lookUp, prefer },
              context.req.raw.signal,
            );
          };
          responses.push({ id, ...(await one().catch(failed)) });
        }
        return { status: 200, body: { responses } };
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
    return JSON.parse(Buffer.concat(pieces).toString("utf8")) as unknown;
  } catch {
    return undefined;
  }
}

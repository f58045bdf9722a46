// Everything that the listener serves: health, metrics, sign-in, Graph, and the ARM wire.

import { Hono } from "hono";
import type { HttpBindings } from "@hono/node-server";
import type { Dispatcher } from "../arm/dispatch.ts";
import { renderError } from "../arm/error-body.ts";
import { HoldfastError } from "../lib/errors.ts";
import { armErrors } from "../arm/errors.ts";
import { monotonicMilliseconds } from "../lib/clock.ts";
import { readText } from "./body.ts";
import { askDataPlanes, type DataPlane } from "./data-plane.ts";
import { incomingOf } from "./incoming.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import { startPage } from "./start-page.ts";

export interface AppParts {
  readonly dispatcher: Dispatcher;
  /** Sign-in and Graph, mounted at the root. */
  readonly mounted: readonly Hono[];
  readonly dataPlanes: readonly DataPlane[];
  readonly metrics: Metrics;
  readonly log: Log;
  readonly bodyBytes: number;
  readonly requestsAtOnce: number;
  readonly isReady: () => Promise<boolean>;
  /** Cancels work for clients when the service ends. */
  readonly ending: AbortSignal;
}

type Environment = { Bindings: HttpBindings };

export function createApp(parts: AppParts): Hono<Environment> {
  const app = new Hono<Environment>();
  const { metrics, log } = parts;
  const namespaces = new Set(parts.dispatcher.table.routes.map(({ namespace }) => namespace.toLowerCase()));
  let inFlight = 0;

  app.use(async (context, next) => {
    context.header("Strict-Transport-Security", "max-age=31536000; includeSubDomains");
    context.header("X-Content-Type-Options", "nosniff");
    if (inFlight >= parts.requestsAtOnce) {
      metrics.refused();
      context.header("Retry-After", "1");
      return context.json(
        renderError(
          armErrors.TooManyRequests(
            `More than ${parts.requestsAtOnce} requests are being answered. Retry after 1 second.`,
          ),
        ),
        503,
      );
    }
    inFlight += 1;
    metrics.inFlight(1);
    const startedAt = monotonicMilliseconds();
    try {
      await next();
    } finally {
      inFlight -= 1;
      metrics.inFlight(-1);
      metrics.request(
        context.req.method,
        routeLabel(context.req.path, namespaces),
        context.res.status,
        (monotonicMilliseconds() - startedAt) / 1000,
      );
    }
    return undefined;
  });

  app.use(async (context, next) => (await askDataPlanes(parts.dataPlanes, context, parts.ending)) ?? next());

  app.get("/healthz", (context) => context.text("ok\n"));
  app.get("/readyz", async (context) =>
    (await parts.isReady()) ? context.text("ready\n") : context.text("not ready\n", 503),
  );
  app.get("/metrics", async (context) => {
    context.header("Content-Type", metrics.registry.contentType);
    return context.body(await metrics.registry.metrics());
  });
  app.get("/", (context) => context.html(startPage(new URL(context.req.url).origin)));
  for (const routes of parts.mounted) app.route("/", routes);

  app.all("*", async (context) => {
    const incoming = incomingOf(context, parts.ending);
    const reply = await parts.dispatcher.handle(
      Object.assign(incoming, {
        origin: `https://${incoming.host}`,
        text: () => readText(context.req.raw, parts.bodyBytes),
      }),
    );
    return new Response(reply.body ?? null, { status: reply.status, headers: reply.headers });
  });

  app.onError((error, context) => {
    const known = error instanceof HoldfastError ? error : undefined;
    if (known === undefined) log.error({ err: error, path: context.req.path }, "a request failed");
    return context.json(
      renderError(
        known ?? armErrors.InternalServerError("The server could not carry out the request; its log has the details."),
      ),
      (known?.status ?? 500) as 500,
    );
  });
  return app;
}

/** The first part of the path that says what was asked, without names: anybody's words would each be a series for good. */
function routeLabel(path: string, namespaces: ReadonlySet<string>): string {
  const provider = /\/providers\/([A-Za-z]+\.[A-Za-z]+)/.exec(path)?.[1]?.toLowerCase();
  if (provider !== undefined && namespaces.has(provider)) return provider;
  return /^\/(subscriptions|adfs|v1\.0|tenants|healthz|readyz|metrics)\b/.exec(path)?.[1] ?? "other";
}

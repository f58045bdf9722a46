// What Prometheus reads from /metrics.

import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";

export interface Metrics {
  readonly registry: Registry;
  /** `route` is a pattern, never a path: the number of series stays small. */
  request(method: string, route: string, status: number, seconds: number): void;
  inFlight(change: 1 | -1): void;
  refused(): void;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: "holdfast_" });
  const registers = [registry];
  const requests = new Counter({
    name: "holdfast_http_requests_total",
    help: "Requests answered",
    labelNames: ["method", "route", "status"],
    registers,
  });
  const duration = new Histogram({
    name: "holdfast_http_request_seconds",
    help: "Time from a request's head to its answer",
    labelNames: ["method", "route"],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  const inFlight = new Gauge({ name: "holdfast_http_requests_in_flight", help: "Requests being answered", registers });
  const refused = new Counter({
    name: "holdfast_http_requests_refused_total",
    help: "Requests refused because too many were in flight",
    registers,
  });
  return {
    registry,
    request: (method, route, status, seconds) => {
      requests.inc({ method, route, status: String(status) });
      duration.observe({ method, route }, seconds);
    },
    inFlight: (change) => (change === 1 ? inFlight.inc() : inFlight.dec()),
    refused: () => refused.inc(),
  };
}

// Refusals of the token and authorization endpoints: Azure's AADSTS numbers, which clients and
// people search for, and the OAuth error that each of them stands under.

import { defineErrors, type HoldfastError } from "../../lib/errors.ts";
import { isoTime } from "../../lib/clock.ts";

export const signInErrors = defineErrors({
  AADSTS50011: { status: 400 },
  AADSTS50053: { status: 429 },
  AADSTS50055: { status: 400 },
  AADSTS50057: { status: 400 },
  AADSTS50058: { status: 400 },
  AADSTS50126: { status: 400 },
  AADSTS50173: { status: 400 },
  AADSTS54005: { status: 400 },
  AADSTS70003: { status: 400 },
  AADSTS70008: { status: 400 },
  AADSTS90002: { status: 400 },
  AADSTS500112: { status: 400 },
  AADSTS501481: { status: 400 },
  AADSTS700016: { status: 400 },
  AADSTS700023: { status: 401 },
  AADSTS700024: { status: 401 },
  AADSTS700025: { status: 401 },
  AADSTS700027: { status: 401 },
  AADSTS900144: { status: 400 },
  AADSTS900561: { status: 405 },
  AADSTS7000112: { status: 400 },
  AADSTS7000215: { status: 401 },
  AADSTS7000218: { status: 401 },
  AADSTS7000222: { status: 401 },
  AADSTS9002313: { status: 400 },
  AADSTS9002325: { status: 400 },
});

const oauthNames: Readonly<Record<string, string>> = {
  AADSTS50053: "temporarily_unavailable",
  AADSTS50055: "invalid_grant",
  AADSTS50057: "invalid_grant",
  AADSTS50058: "login_required",
  AADSTS50126: "invalid_grant",
  AADSTS50173: "invalid_grant",
  AADSTS54005: "invalid_grant",
  AADSTS70003: "unsupported_grant_type",
  AADSTS70008: "invalid_grant",
  AADSTS500112: "invalid_client",
  AADSTS501481: "invalid_grant",
  AADSTS700016: "unauthorized_client",
  AADSTS700023: "invalid_client",
  AADSTS700024: "invalid_client",
  AADSTS700025: "invalid_client",
  AADSTS700027: "invalid_client",
  AADSTS7000112: "unauthorized_client",
  AADSTS7000215: "invalid_client",
  AADSTS7000218: "invalid_client",
  AADSTS7000222: "invalid_client",
};

export function oauthNameOf(error: HoldfastError): string {
  return oauthNames[error.code] ?? "invalid_request";
}

export function errorNumber(error: HoldfastError): number {
  return Number(/^AADSTS(\d+)$/.exec(error.code)?.[1] ?? 90000);
}

export interface TraceIds {
  readonly traceId: string;
  readonly correlationId: string;
  /** Milliseconds. */
  readonly at: number;
}

/** The JSON body of a refusal. */
export function oauthErrorBody(error: HoldfastError, { traceId, correlationId, at }: TraceIds) {
  const timestamp = isoTime(at)
    .replace("T", " ")
    .replace(/\.\d+Z$/, "Z");
  const number = errorNumber(error);
  return {
    error: oauthNameOf(error),
    error_description: `AADSTS${number}: ${error.sentence} Trace ID: ${traceId} Correlation ID: ${correlationId} Timestamp: ${timestamp}`,
    error_codes: [number],
    timestamp,
    trace_id: traceId,
    correlation_id: correlationId,
  };
}

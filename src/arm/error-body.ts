// ARM's error body, everywhere the same.

import type { HoldfastError } from "../lib/errors.ts";

export interface WireError {
  readonly code: string;
  readonly message: string;
  readonly target?: string;
  readonly details?: readonly WireError[];
  readonly additionalInfo?: readonly { readonly type: string; readonly info: unknown }[];
}

export function renderError(error: HoldfastError): { readonly error: WireError } {
  return { error: renderOne(error) };
}

function renderOne(error: HoldfastError): WireError {
  const facts = Object.entries(error.facts).filter(([name]) => !internalFacts.has(name));
  return {
    code: error.code,
    message: error.sentence,
    ...(error.target === undefined ? {} : { target: error.target }),
    ...(error.details.length === 0 ? {} : { details: error.details.map((detail) => renderOne(detail)) }),
    ...(facts.length === 0
      ? {}
      : {
          additionalInfo: [
            { type: "lineNumber" in error.facts ? "TemplateViolation" : "Facts", info: Object.fromEntries(facts) },
          ],
        }),
  };
}

/** Facts that become headers. */
const internalFacts = new Set(["retryAfter", "wwwAuthenticate"]);

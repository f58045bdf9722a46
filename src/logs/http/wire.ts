// A query as it comes over the wire, and its answer: the same for every address that takes one.

import type { QueryWorkspace } from "../query/query-workspace.ts";

export interface WireQuery {
  /** The body, parsed. */
  readonly body: unknown;
  /** Of the address: what is asked there holds as well. */
  readonly timespan?: string | undefined;
  readonly prefer?: string | undefined;
  readonly workspaces: readonly QueryWorkspace[];
  /** Only rows of this resource and of what stands below it. */
  readonly resource?: string | undefined;
}

export interface WireAnswer {
  readonly status: number;
  /** JSON as it is sent: answers may be large, so they are written where the rows are. */
  readonly json: string;
}

export function refusal(status: number, code: string, message: string, innererror?: object): WireAnswer {
  return {
    status,
    json: JSON.stringify({ error: { code, message, ...(innererror === undefined ? {} : { innererror }) } }),
  };
}

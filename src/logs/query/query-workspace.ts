// A workspace as a query sees it.

import type { FunctionSchema } from "../../kql/index.ts";

export interface QueryWorkspace {
  readonly customerId: string;
  /** Of its ARM resource. */
  readonly id: string;
  readonly name: string;
  readonly location: string;
  readonly functions: readonly FunctionSchema[];
  /** The tables that the caller may read; all when absent. */
  readonly tables?: readonly string[];
}

/** By id or name, for one caller; throws when there is none that the caller may query. */
export type LookUp = (idOrName: string) => Promise<QueryWorkspace>;

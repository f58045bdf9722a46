// scan: rows in order, one after another, through the steps of a small machine.

import { unsupported } from "../../errors.ts";
import type { Relation } from "../../plan/relation.ts";
import type { Shape, Steps } from "../shapes.ts";

type Scan = Extract<Relation, { readonly kind: "scan" }>;

export function emitScan(_node: Scan, _input: Shape, _steps: Steps): Shape {
  throw unsupported("scan");
}

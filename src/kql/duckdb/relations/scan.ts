// scan: the rows of each group are walked one by one.

import type { Shape, Steps } from "../shapes.ts";
import { emitRecursiveScan } from "./scan-recursive.ts";
import type { Scan } from "./scan-rows.ts";
import { emitWalkedScan } from "./scan-walk.ts";

export function emitScan(node: Scan, input: Shape, steps: Steps): Shape {
  return emitWalkedScan(node, input, steps) ?? emitRecursiveScan(node, input, steps);
}

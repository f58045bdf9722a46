// What the stream hears of restore points.

import type { OperationWork } from "../../../arm/operations/runner.ts";
import type { ArmRequest } from "../../../arm/request.ts";
import type { Writer } from "../../../arm/resources/resource-store.ts";
import { appendEvent } from "../../../events/append.ts";

type Deed = Pick<ArmRequest, "caller" | "correlationId"> | Pick<OperationWork["operation"], "caller" | "correlationId">;

export function tellRestorePoint(
  trx: Writer,
  what: "created" | "failed" | "deleted",
  pointId: string,
  { caller, correlationId }: Deed,
  about: { readonly subjects?: readonly string[]; readonly data?: object } = {},
): void {
  appendEvent(trx, {
    type: `restorePoint.${what}`,
    subject: pointId,
    subjects: about.subjects ?? [],
    data: about.data ?? {},
    correlationId,
    actor: caller.principalId,
  });
}

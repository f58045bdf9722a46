// Beyond Azure, below `providers/Microsoft.Holdfast` of a vault: a look at all that it holds, now and not
// when it is due, as a job; and what is known of each point.

import * as z from "zod";
import { allowOnly, parseFilter, requiredEquals } from "../../../arm/filter.ts";
import type { Provider } from "../../../arm/provider.ts";
import { parseBody, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import { isoTime } from "../../../lib/clock.ts";
import { itemNamed, pagePointStates, verdictOf, type PointState } from "../../../backup/verification/point-states.ts";
import { startVerification } from "../../../backup/verification/verify-job.ts";
import { operationRoutes } from "../jobs/operation-routes.ts";
import { jobReply } from "../jobs/operations.ts";
import { itemType } from "../protection/item-paths.ts";
import type { RecoveryServices } from "../services.ts";
import { doerOf, namespace, vaultOf, vaultPath } from "./vault-paths.ts";

const below = `${vaultPath}/providers/Microsoft.Holdfast`;

export function verifyPart(services: RecoveryServices): Provider {
  return {
    namespace,
    resourceTypes: [],
    routes: [
      {
        method: "POST",
        path: `${below}/verify`,
        action: `${namespace}/vaults/write`,
        handle: (request) => verify(services, request),
      },
      {
        method: "GET",
        path: `${below}/pointStates`,
        action: `${itemType}/recoveryPoints/read`,
        handle: (request) => list(services, request),
      },
      ...operationRoutes(services, below, { status: "operationsStatus", result: "operationResults" }).map((route) => ({
        ...route,
        action: `${namespace}/vaults/read`,
      })),
    ],
  };
}

const itemName = z.string().min(1).max(300);
const body = z.strictObject({ mode: z.enum(["scrub", "deep"]), item: itemName.optional() });

async function verify(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const { mode, item: name } = parseBody(request, body);
  return services.database.transaction(async (trx) => {
    const vault = await vaultOf(trx, request);
    const item = name === undefined ? undefined : await itemNamed(trx, vault, name);
    const job = await startVerification(trx, { vault, mode, item, by: doerOf(request) });
    return jobReply(services, trx, request, `${vault.id}/providers/Microsoft.Holdfast`, job);
  });
}

/** `$filter=item eq 'NAME'` leaves one item's. */
async function list({ database, paging }: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const vault = await vaultOf(database.kysely, request);
  const filter = parseFilter(request.query.get("$filter"));
  allowOnly(filter, ["item"]);
  const name = requiredEquals(filter, "item");
  const item = name === undefined ? undefined : await itemNamed(database.kysely, vault, String(name).slice(0, 300));
  const page = paging.read(request);
  const states = await pagePointStates(
    database.kysely,
    vault,
    { itemKey: item?.key },
    { limit: page.limit + 1, ...(page.after === undefined ? {} : { after: page.after }) },
  );
  return paging.reply(request, page, states, ({ point }) => point.id, render);
}

function render({ item, point }: PointState): object {
  const { verifiedAt, problems } = point;
  return {
    item,
    point: point.id,
    time: isoTime(point.takenAt),
    state: verdictOf(point),
    verifiedAt: verifiedAt === undefined ? null : isoTime(verifiedAt),
    problems: problems ?? [],
  };
}

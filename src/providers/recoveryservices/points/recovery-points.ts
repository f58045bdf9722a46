// `recoveryPoints`: what can be restored, and from when.

import { allowOnly, parseFilter } from "../../../arm/filter.ts";
import type { Provider } from "../../../arm/provider.ts";
import { ok, param, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import { getPoint, pagePoints, pointKey } from "../../../backup/points/point.ts";
import { itemOf, itemPath, pointPath } from "../protection/item-paths.ts";
import { requiredTime } from "../jobs/jobs-filter.ts";
import { keyAndSecretOf } from "./key-and-secret.ts";
import { renderPoint } from "./recovery-points-shape.ts";
import type { RecoveryServices } from "../services.ts";
import { apiVersions, namespace, vaultOf } from "../vaults/vault-paths.ts";

export function recoveryPointsPart(services: RecoveryServices): Provider {
  return {
    namespace,
    resourceTypes: [{ name: "vaults/backupFabrics/protectionContainers/protectedItems/recoveryPoints", apiVersions }],
    routes: [
      { method: "GET", path: `${itemPath}/recoveryPoints`, handle: (request) => list(services, request) },
      { method: "GET", path: pointPath, handle: (request) => show(services, request) },
    ],
  };
}

async function list(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const { database, paging } = services;
  const vault = await vaultOf(database.kysely, request);
  const item = await itemOf(database.kysely, vault, request);
  const filter = parseFilter(request.query.get("$filter"));
  allowOnly(filter, ["startDate", "endDate", "restorePointQueryType", "extendedInfo"]);
  const from = requiredTime(filter, "startDate");
  const to = requiredTime(filter, "endDate");
  const page = paging.read(request);
  const points = await pagePoints(
    database.kysely,
    item.key,
    { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) },
    { limit: page.limit + 1, ...(page.after === undefined ? {} : { after: page.after }) },
  );
  const now = database.clock.now();
  return paging.reply(request, page, points, pointKey, (point) => renderPoint(item, point, now));
}

async function show(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const { database } = services;
  const vault = await vaultOf(database.kysely, request);
  const item = await itemOf(database.kysely, vault, request);
  const point = await getPoint(database.kysely, item.key, param(request, "point"));
  const keyAndSecret = await keyAndSecretOf(services, request, vault, point);
  return ok(renderPoint(item, point, database.clock.now(), keyAndSecret));
}

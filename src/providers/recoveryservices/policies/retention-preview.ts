// A dry run of retention, beside Azure's own: until when each point of an item is kept and by which rule,
// and what the next clean-up would delete, under its own policy, another of the vault, or one that is
// only thought of.

import * as z from "zod";
import type { Provider } from "../../../arm/provider.ts";
import { ok, parseBody, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import { planItemRetention } from "../../../backup/points/retain-item.ts";
import { listPointsOf } from "../../../backup/points/point.ts";
import { parsePolicy } from "../../../backup/policy/parse-policy.ts";
import type { Policy } from "../../../backup/policy/policy.ts";
import type { ProtectedItem } from "../../../backup/protection/item.ts";
import { getPolicy } from "../../../backup/vaults/policies.ts";
import { vaultErrors } from "../../../backup/vaults/errors.ts";
import type { Vault } from "../../../backup/vaults/vaults.ts";
import { isoTime } from "../../../lib/clock.ts";
import { itemOf, itemPath, itemType } from "../protection/item-paths.ts";
import type { RecoveryServices } from "../services.ts";
import { vaultOf } from "../vaults/vault-paths.ts";

const holdfast = "Microsoft.Holdfast";

export function retentionPreviewPart(services: RecoveryServices): Provider {
  return {
    namespace: holdfast,
    resourceTypes: [],
    routes: [
      {
        method: "POST",
        path: `${itemPath}/providers/${holdfast}/retentionPreview`,
        action: `${itemType}/read`,
        effect: "read",
        handle: (request) => preview(services, request),
      },
    ],
  };
}

const previewBody = z.object({
  policyName: z.string().max(200).nullish(),
  /** `properties` of a policy as `backupPolicies` takes them. */
  policy: z.record(z.string(), z.unknown()).nullish(),
});

async function preview(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const { kysely, clock } = services.database;
  const vault = await vaultOf(kysely, request);
  const item = await itemOf(kysely, vault, request);
  const asked = request.body === undefined ? {} : parseBody(request, previewBody);
  const policy = await policyOf(services, vault, item, asked);
  const { verdicts, deletions } = planItemRetention(policy, await listPointsOf(kysely, item.key), clock.now());
  return ok({
    points: verdicts.map(({ point, rule, keepUntil, isNewest, isDeleted }) => ({
      name: point.id,
      recoveryPointTime: isoTime(point.time),
      ruleName: rule,
      keepUntil: keepUntil === undefined ? null : isoTime(keepUntil),
      isNewest,
      isDeleted,
    })),
    deletions: deletions.map(({ id }) => id),
  });
}

async function policyOf(
  { database }: RecoveryServices,
  vault: Vault,
  item: ProtectedItem,
  asked: z.output<typeof previewBody>,
): Promise<Policy> {
  if (asked.policy !== undefined && asked.policy !== null) return parsePolicy(asked.policy);
  const name = asked.policyName ?? item.policyKey?.split("/").at(-1);
  if (name === undefined) {
    throw vaultErrors.BMSUserErrorInvalidInput(
      "The item has no policy: its points are kept until somebody deletes them. Give policyName or policy.",
      { target: "policyName" },
    );
  }
  return (await getPolicy(database.kysely, vault, name)).policy;
}

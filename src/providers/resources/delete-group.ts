// The cascading delete of a resource group. Everything in it goes in transactions of one resource
// each, so a crash in the middle leaves whole resources, and the operation goes on where it was.

import type { OperationHandler } from "../../arm/operations/runner.ts";
import { locksBelow } from "../../arm/locks.ts";
import { deleteResource, listResources, type Reader } from "../../arm/resources/resource-store.ts";
import type { Resource } from "../../arm/resources/resource.ts";
import type { ResourceLifecycle } from "../../arm/provider.ts";
import { removeWithLifecycle } from "../../arm/resources/tracked-routes.ts";
import { groupType } from "../../arm/groups.ts";
import { defineErrors } from "../../lib/errors.ts";
import { deleteAssignmentsUnder } from "../../identity/access/role-assignments.ts";
import { parseResourceId } from "../../arm/resource-id.ts";
import type { Database } from "../../db/database.ts";

const errors = defineErrors({
  ResourceGroupDeletionBlocked: { status: 409 },
  ResourceDeletionBlocked: { status: 409 },
});

export const deleteGroupKind = "resourceGroup.delete";

/** Throws with one detail for each thing that keeps the group from being deleted. */
export async function refuseIfBlocked(
  reader: Reader,
  group: Resource,
  lifecycleOf: (type: string) => ResourceLifecycle,
): Promise<void> {
  const details = (await locksBelow(reader, group.id)).map((lock) =>
    errors.ResourceDeletionBlocked(`The lock '${lock.id}' (${lock.level}) stands on ${lock.scope}.`, {
      target: lock.id,
      remedy: "Remove it with: az lock delete.",
    }),
  );
  for (const resource of await resourcesIn(reader, group.id)) {
    for (const reason of (await lifecycleOf(resource.type).blockers?.(reader, resource)) ?? []) {
      details.push(errors.ResourceDeletionBlocked(reason, { target: resource.id }));
    }
  }
  if (details.length === 0) return;
  throw errors.ResourceGroupDeletionBlocked(
    `Deletion of resource group '${group.name}' failed as resources with identifiers '${details.map(({ target }) => target).join(", ")}' could not be deleted: ${details.map((detail) => detail.sentence).join(" ")}`,
    { target: group.id, details },
  );
}

export function deleteGroupHandler(
  database: Database,
  lifecycleOf: (type: string) => ResourceLifecycle,
): OperationHandler {
  return async ({ operation, assertHeld, signal }) => {
    const groupId = operation.resourceId;
    try {
      for (let isGone = false; !isGone;) {
        for (const resource of await resourcesIn(database.kysely, groupId)) {
          signal.throwIfAborted();
          await database.transaction(async (trx) => {
            await assertHeld(trx);
            await removeWithLifecycle(trx, resource, lifecycleOf(resource.type));
          });
        }
        isGone = await database.transaction(async (trx) => {
          await assertHeld(trx);
          // What came while the others went goes the same way: as a bare row it would leave its bytes behind.
          if ((await resourcesIn(trx, groupId)).length > 0) return false;
          await deleteAssignmentsUnder(trx, groupId);
          await deleteResource(trx, groupId);
          return true;
        });
      }
    } catch (error) {
      signal.throwIfAborted(); // handed back: the group stays "Deleting" and the next holder goes on
      await database.transaction(async (trx) => {
        await assertHeld(trx);
        await trx
          .updateTable("resources")
          .set({ state: "Succeeded" })
          .where("key", "=", groupId.toLowerCase())
          .execute();
      });
      throw error;
    }
    return undefined;
  };
}

/** Top-level resources of a group; the newest first, so that what was built on others goes before them. */
async function resourcesIn(reader: Reader, groupId: string): Promise<Resource[]> {
  const { subscriptionId, resourceGroup } = parseResourceId(groupId);
  const all = await listResources(reader, { subscriptionId, resourceGroup });
  const isTopLevel = (resource: Resource): boolean =>
    parseResourceId(resource.id).parent.toLowerCase() === groupId.toLowerCase();
  return all
    .filter((resource) => resource.type.toLowerCase() !== groupType.toLowerCase() && isTopLevel(resource))
    .sort((a, b) => b.createdAt - a.createdAt);
}

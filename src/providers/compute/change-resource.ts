// Changes of a resource that its own operation makes: state, some properties, what is kept hidden.

import { newEtag } from "../../arm/preconditions.ts";
import { idKey } from "../../arm/resource-id.ts";
import { findResource, type Writer } from "../../arm/resources/resource-store.ts";
import type { Resource } from "../../arm/resources/resource.ts";

export interface ResourceChange {
  readonly provisioningState?: string;
  /** Merged over what is there. */
  readonly properties?: object;
  readonly hidden?: object;
}

/** The changed resource; undefined when it is not there any more. */
export async function changeResource(trx: Writer, id: string, change: ResourceChange): Promise<Resource | undefined> {
  const resource = await findResource(trx, id);
  if (resource === undefined) return undefined;
  await trx
    .updateTable("resources")
    .set({
      state: change.provisioningState ?? resource.provisioningState,
      properties: JSON.stringify({ ...resource.properties, ...change.properties }),
      hidden: JSON.stringify({ ...resource.hidden, ...change.hidden }),
      etag: newEtag(),
    })
    .where("key", "=", idKey(id))
    .execute();
  return findResource(trx, id);
}

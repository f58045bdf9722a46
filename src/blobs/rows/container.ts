import type { BlobContainerRow } from "../../db/schema/blobs.ts";
import { scopeOf } from "../../db/transaction.ts";
import type { ContentFiles } from "../content/content-files.ts";
import { newEtag } from "../conditions.ts";
import { blobErrors } from "../errors.ts";
import { noLease, type Lease } from "../lease.ts";
import { checkContainerName, type ContainerAddress } from "../names.ts";
import type { Reader, Writer } from "./account.ts";
import { releaseContents } from "./content.ts";

export type Metadata = Readonly<Record<string, string>>;

/** A stored access policy: a SAS that names it can be taken back by changing it. */
export interface StoredPolicy {
  readonly id: string;
  readonly start?: string;
  readonly expiry?: string;
  readonly permissions?: string;
}

export interface Container extends ContainerAddress {
  readonly etag: string;
  readonly metadata: Metadata;
  readonly policies: readonly StoredPolicy[];
  readonly lease: Lease;
  readonly createdAt: number;
  readonly changedAt: number;
}

export async function findContainer(
  reader: Reader,
  { account, container }: ContainerAddress,
): Promise<Container | undefined> {
  const row = await reader
    .selectFrom("blob_containers")
    .selectAll()
    .where("account", "=", account)
    .where("name", "=", container)
    .executeTakeFirst();
  return row === undefined ? undefined : fromRow(row);
}

export async function getContainer(reader: Reader, address: ContainerAddress): Promise<Container> {
  const found = await findContainer(reader, address);
  if (found === undefined)
    throw blobErrors.ContainerNotFound(`The specified container '${address.container}' does not exist.`);
  return found;
}

/** In the order of their names; `after` is the last one of the page before. */
export async function listContainers(
  reader: Reader,
  account: string,
  options: { prefix: string; after?: string; limit: number },
): Promise<Container[]> {
  let select = reader.selectFrom("blob_containers").selectAll().where("account", "=", account);
  if (options.prefix !== "")
    select = select.where("name", ">=", options.prefix).where("name", "<", `${options.prefix}\u{10FFFF}`);
  if (options.after !== undefined) select = select.where("name", ">", options.after);
  return (await select.orderBy("name").limit(options.limit).execute()).map(fromRow);
}

export async function createContainer(
  trx: Writer,
  address: ContainerAddress,
  metadata: Metadata = {},
): Promise<Container> {
  checkContainerName(address.container);
  if ((await findContainer(trx, address)) !== undefined) {
    throw blobErrors.ContainerAlreadyExists(`The specified container '${address.container}' already exists.`);
  }
  const now = scopeOf(trx).clock.now();
  const row: BlobContainerRow = {
    account: address.account,
    name: address.container,
    etag: newEtag(),
    metadata: JSON.stringify(metadata),
    policies: "[]",
    lease: JSON.stringify(noLease),
    created_at: now,
    changed_at: now,
  };
  await trx.insertInto("blob_containers").values(row).execute();
  return fromRow(row);
}

export async function changeContainer(
  trx: Writer,
  address: ContainerAddress,
  change: { metadata?: Metadata; policies?: readonly StoredPolicy[]; lease?: Lease },
): Promise<Container> {
  // A lease is no change of the container: its ETag stays.
  const stamp =
    change.metadata === undefined && change.policies === undefined
      ? {}
      : { etag: newEtag(), changed_at: scopeOf(trx).clock.now() };
  await trx
    .updateTable("blob_containers")
    .set({
      ...stamp,
      ...(change.metadata === undefined ? {} : { metadata: JSON.stringify(change.metadata) }),
      ...(change.policies === undefined ? {} : { policies: JSON.stringify(change.policies) }),
      ...(change.lease === undefined ? {} : { lease: JSON.stringify(change.lease) }),
    })
    .where("account", "=", address.account)
    .where("name", "=", address.container)
    .execute();
  return getContainer(trx, address);
}

/** With everything in it. */
export async function deleteContainer(
  trx: Writer,
  store: ContentFiles,
  { account, container }: ContainerAddress,
): Promise<void> {
  const contents = await trx
    .selectFrom("blobs")
    .select("content_id")
    .where("account", "=", account)
    .where("container", "=", container)
    .distinct()
    .execute();
  const pending = await trx
    .selectFrom("blob_uncommitted")
    .select("file")
    .where("account", "=", account)
    .where("container", "=", container)
    .execute();
  await trx.deleteFrom("blobs").where("account", "=", account).where("container", "=", container).execute();
  await trx.deleteFrom("blob_uncommitted").where("account", "=", account).where("container", "=", container).execute();
  await trx.deleteFrom("blob_containers").where("account", "=", account).where("name", "=", container).execute();
  await releaseContents(
    trx,
    store,
    contents.map((row) => row.content_id),
    pending.map((row) => row.file),
  );
}

function fromRow(row: BlobContainerRow): Container {
  return {
    account: row.account,
    container: row.name,
    etag: row.etag,
    metadata: JSON.parse(row.metadata) as Metadata,
    policies: JSON.parse(row.policies) as StoredPolicy[],
    lease: JSON.parse(row.lease) as Lease,
    createdAt: row.created_at,
    changedAt: row.changed_at,
  };
}

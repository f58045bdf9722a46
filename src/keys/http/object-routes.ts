// What keys and secrets have in common on the wire: lists, versions, deletion, recovery, backup.

import { z } from "zod";
import type { ObjectKind } from "../access.ts";
import { keyErrors } from "../errors.ts";
import { backUp, restore } from "../object-backup.ts";
import {
  findNamed,
  getDeleted,
  getVersion,
  listNames,
  listVersions,
  notFound,
  purge,
  recover,
  softDelete,
  type ListPart,
  type Version,
} from "../objects.ts";
import { parse, permitted, type VaultContext, type VaultReply, type VaultRoute } from "./context.ts";
import { bundle, deletedPart, listItem } from "./wire.ts";

export function objectRoutes(kind: ObjectKind): VaultRoute[] {
  const live = `${kind}s`;
  const deleted = `deleted${kind}s`;
  return [
    { method: "GET", path: live, run: (context) => list(context, kind) },
    { method: "GET", path: `${live}/{name}/versions`, run: (context) => versions(context, kind) },
    { method: "DELETE", path: `${live}/{name}`, run: (context) => remove(context, kind) },
    {
      method: "POST",
      path: `${live}/{name}/backup`,
      run: async (context) => ({
        status: 200,
        body: { value: await backUp(context.store, await permitted(context, kind, "backup")) },
      }),
    },
    { method: "POST", path: `${live}/restore`, run: (context) => restoreBackup(context, kind) },
    { method: "GET", path: deleted, run: (context) => listDeleted(context, kind) },
    { method: "GET", path: `${deleted}/{name}`, run: (context) => showDeleted(context, kind) },
    { method: "DELETE", path: `${deleted}/{name}`, run: (context) => purgeDeleted(context, kind) },
    { method: "POST", path: `${deleted}/{name}/recover`, run: (context) => recoverDeleted(context, kind) },
  ];
}

const largestPage = 25;

function partOf(context: VaultContext): ListPart {
  const text = context.query("maxresults");
  const limit = text === undefined ? largestPage : Number(text);
  if (!Number.isInteger(limit) || limit < 1 || limit > largestPage)
    throw keyErrors.BadParameter(`maxresults is '${String(text).slice(0, 20)}'; it is from 1 to ${largestPage}.`);
  const token = context.query("$skiptoken");
  return {
    after: token === undefined || token === "" ? undefined : Buffer.from(token, "base64url").toString("utf8"),
    limit: limit + 1,
  };
}

function page<Row>(
  context: VaultContext,
  part: ListPart,
  rows: readonly Row[],
  path: string,
  keyOf: (row: Row) => string,
  render: (row: Row) => unknown,
): VaultReply {
  const shown = rows.slice(0, part.limit - 1);
  const last = shown.at(-1);
  const token =
    rows.length === part.limit && last !== undefined ? Buffer.from(keyOf(last)).toString("base64url") : undefined;
  const version = encodeURIComponent(context.query("api-version") ?? "7.4");
  const nextLink =
    token === undefined
      ? null
      : `${context.base}/${path}?api-version=${version}&$skiptoken=${token}&maxresults=${part.limit - 1}`;
  return { status: 200, body: { value: shown.map(render), nextLink } };
}

async function list(context: VaultContext, kind: ObjectKind): Promise<VaultReply> {
  await permitted(context, kind, "list");
  const part = partOf(context);
  const rows = await listNames(context.store.database.kysely, context.vault.name, kind, false, part);
  return page(
    context,
    part,
    rows,
    `${kind}s`,
    ({ current }) => current.name.toLowerCase(),
    ({ current }) => listItem(context, current, false),
  );
}

async function versions(context: VaultContext, kind: ObjectKind): Promise<VaultReply> {
  const at = await permitted(context, kind, "list");
  await getVersion(context.store.database.kysely, at, undefined);
  const part = partOf(context);
  const rows = await listVersions(context.store.database.kysely, at, part);
  return page(
    context,
    part,
    rows,
    `${kind}s/${at.name}/versions`,
    ({ version }) => version,
    (version) => listItem(context, version, true),
  );
}

async function remove(context: VaultContext, kind: ObjectKind): Promise<VaultReply> {
  const at = await permitted(context, kind, "delete");
  return context.store.database.transaction(async (trx) => {
    await getVersion(trx, at, undefined);
    await softDelete(trx, context.vault, at);
    const named = await getDeleted(trx, at);
    return { status: 200, body: { ...bundle(context, named.current), ...deletedPart(context, named, named.deletion) } };
  });
}

async function listDeleted(context: VaultContext, kind: ObjectKind): Promise<VaultReply> {
  await permitted(context, kind, "list");
  const part = partOf(context);
  const rows = await listNames(context.store.database.kysely, context.vault.name, kind, true, part);
  return page(
    context,
    part,
    rows,
    `deleted${kind}s`,
    ({ current }) => current.name.toLowerCase(),
    (named) => ({
      ...listItem(context, named.current, false),
      ...(named.deletion === undefined ? {} : deletedPart(context, named, named.deletion)),
    }),
  );
}

async function showDeleted(context: VaultContext, kind: ObjectKind): Promise<VaultReply> {
  const named = await getDeleted(context.store.database.kysely, await permitted(context, kind, "get"));
  return { status: 200, body: { ...bundle(context, named.current), ...deletedPart(context, named, named.deletion) } };
}

async function purgeDeleted(context: VaultContext, kind: ObjectKind): Promise<VaultReply> {
  const at = await permitted(context, kind, "purge");
  if (context.vault.settings.enablePurgeProtection) {
    throw keyErrors.Forbidden(
      `Operation purge is not allowed: purge protection is enabled on the vault, so '${at.name}' goes when its retention is over.`,
      { facts: { inner: "PurgeProtectionEnabled" } },
    );
  }
  await context.store.database.transaction(async (trx) => {
    await getDeleted(trx, at);
    await purge(trx, at);
  });
  return { status: 204 };
}

async function recoverDeleted(context: VaultContext, kind: ObjectKind): Promise<VaultReply> {
  const at = await permitted(context, kind, "recover");
  const current = await context.store.database.transaction(async (trx): Promise<Version> => {
    await getDeleted(trx, at);
    await recover(trx, at);
    const named = await findNamed(trx, at);
    if (named === undefined) throw notFound(at);
    return named.current;
  });
  return { status: 200, body: bundle(context, current) };
}

async function restoreBackup(context: VaultContext, kind: ObjectKind): Promise<VaultReply> {
  await permitted(context, kind, "restore");
  const { value } = parse(context, z.object({ value: z.string().max(4_000_000) }));
  return { status: 200, body: bundle(context, await restore(context.store, context.vault.name, kind, value)) };
}

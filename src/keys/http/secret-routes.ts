import { z } from "zod";
import { changeVersion, getVersion } from "../objects.ts";
import { readSecret, setSecret, type SecretShown } from "../secrets.ts";
import {
  attributesSchema,
  parse,
  permitted,
  stated,
  tagsSchema,
  type VaultContext,
  type VaultReply,
  type VaultRoute,
} from "./context.ts";
import { objectRoutes } from "./object-routes.ts";
import { secretBundle } from "./wire.ts";
import { isGiven } from "../given.ts";

const one = "secrets/{name}";

export const secretRoutes: readonly VaultRoute[] = [
  { method: "PUT", path: one, run: set },
  { method: "GET", path: one, run: show },
  { method: "GET", path: `${one}/{version}`, run: show },
  { method: "PATCH", path: one, run: update },
  { method: "PATCH", path: `${one}/{version}`, run: update },
  ...objectRoutes("secret"),
];

const contentType = z.string().max(255).nullish();
const setSchema = z.object({ value: z.string(), contentType, attributes: attributesSchema, tags: tagsSchema });

async function set(context: VaultContext): Promise<VaultReply> {
  const at = await permitted(context, "secret", "set");
  const given = parse(context, setSchema);
  const shown: SecretShown = {
    attributes: { enabled: true, ...stated(given.attributes) },
    tags: given.tags ?? {},
    ...(!isGiven(given.contentType) ? {} : { contentType: given.contentType }),
  };
  const version = await context.store.database.transaction((trx) =>
    setSecret(context.store, trx, at, given.value, shown),
  );
  return { status: 200, body: secretBundle(context, version, given.value) };
}

async function show(context: VaultContext): Promise<VaultReply> {
  const at = await permitted(context, "secret", "get");
  const { version, value } = await readSecret(context.store, at, context.params["version"]);
  return { status: 200, body: secretBundle(context, version, value) };
}

const updateSchema = z.object({ contentType, attributes: attributesSchema, tags: tagsSchema });

async function update(context: VaultContext): Promise<VaultReply> {
  const at = await permitted(context, "secret", "update");
  const given = parse(context, updateSchema);
  const changed = await context.store.database.transaction(async (trx) => {
    const version = await getVersion<SecretShown>(trx, at, context.params["version"]);
    const { shown } = version;
    return changeVersion(trx, version, {
      ...shown,
      attributes: { ...shown.attributes, ...stated(given.attributes) },
      tags: given.tags ?? shown.tags,
      ...(!isGiven(given.contentType) ? {} : { contentType: given.contentType }),
    });
  });
  return { status: 200, body: secretBundle(context, changed, undefined) };
}

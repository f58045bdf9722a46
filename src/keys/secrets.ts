// Secrets: values under names.

import { keyErrors } from "./errors.ts";
import { addVersion, getVersion, type ObjectName, type Shown, type Version } from "./objects.ts";
import type { KeyStore } from "./store.ts";
import type { Writer } from "./vaults.ts";

export interface SecretShown extends Shown {
  readonly contentType?: string;
}

const longestValue = 25 * 1024;

export async function setSecret(
  store: KeyStore,
  trx: Writer,
  at: ObjectName,
  value: string,
  shown: SecretShown,
): Promise<Version<SecretShown>> {
  const bytes = Buffer.from(value, "utf8");
  if (bytes.length > longestValue)
    throw keyErrors.BadParameter(`The secret has ${bytes.length} bytes; the most is ${longestValue}.`);
  return addVersion(trx, at, shown, store.secretBox.seal(bytes));
}

export async function readSecret(
  store: KeyStore,
  at: ObjectName,
  version: string | undefined,
): Promise<{ version: Version<SecretShown>; value: string }> {
  const found = await getVersion<SecretShown>(store.database.kysely, at, version);
  const { enabled, nbf, exp } = found.shown.attributes;
  const now = store.database.clock.now() / 1000;
  const refuse = (why: string, inner: string): Error =>
    keyErrors.Forbidden(`Operation get is not allowed on ${why} secret.`, { facts: { inner } });
  if (!enabled) throw refuse("a disabled", "SecretDisabled");
  if (nbf !== undefined && now < nbf) throw refuse("a not yet valid", "SecretNotYetValid");
  if (exp !== undefined && now >= exp) throw refuse("an expired", "SecretExpired");
  return { version: found, value: store.secretBox.open(found.sealed).toString("utf8") };
}

// The wire's shapes of keys, secrets and their deleted forms.

import type { Deletion, Named, Shown, Version } from "../objects.ts";
import type { KeyShown } from "../key-material.ts";
import type { SecretShown } from "../secrets.ts";
import type { Vault } from "../vaults.ts";

export interface Place {
  readonly vault: Vault;
  /** `https://{vault}.vault.localhost:8443`: what every id begins with. */
  readonly base: string;
}

export function idOf({ base }: Place, version: Version): string {
  return `${base}/${version.kind}s/${version.name}/${version.version}`;
}

function attributesOf({ vault }: Place, version: Version): Record<string, unknown> {
  const seconds = (time: number): number => Math.floor(time / 1000);
  return {
    ...version.shown.attributes,
    created: seconds(version.createdAt),
    updated: seconds(version.changedAt),
    recoveryLevel: vault.settings.enablePurgeProtection ? "Recoverable" : "Recoverable+Purgeable",
    recoverableDays: vault.settings.softDeleteRetentionInDays,
  };
}

function tagsOf(shown: Shown): Record<string, unknown> {
  return Object.keys(shown.tags).length === 0 ? {} : { tags: shown.tags };
}

export function keyBundle(place: Place, version: Version<KeyShown>): Record<string, unknown> {
  const { kty, operations, publicJwk } = version.shown;
  return {
    key: { kid: idOf(place, version), kty, key_ops: operations, ...publicJwk },
    attributes: attributesOf(place, version),
    ...tagsOf(version.shown),
  };
}

export function secretBundle(
  place: Place,
  version: Version<SecretShown>,
  value: string | undefined,
): Record<string, unknown> {
  const { contentType } = version.shown;
  return {
    ...(value === undefined ? {} : { value }),
    id: idOf(place, version),
    ...(contentType === undefined ? {} : { contentType }),
    attributes: attributesOf(place, version),
    ...tagsOf(version.shown),
  };
}

export function bundle(place: Place, version: Version): Record<string, unknown> {
  return version.kind === "key"
    ? keyBundle(place, version as Version<KeyShown>)
    : secretBundle(place, version as Version<SecretShown>, undefined);
}

/** An entry of a list; `withVersion` for lists of versions. */
export function listItem(place: Place, version: Version, withVersion: boolean): Record<string, unknown> {
  const id = withVersion ? idOf(place, version) : `${place.base}/${version.kind}s/${version.name}`;
  const contentType = (version.shown as SecretShown).contentType;
  return {
    [version.kind === "key" ? "kid" : "id"]: id,
    ...(version.kind === "secret" && contentType !== undefined ? { contentType } : {}),
    attributes: attributesOf(place, version),
    ...tagsOf(version.shown),
  };
}

export function deletedPart(place: Place, { current }: Named, deletion: Deletion): Record<string, unknown> {
  return {
    recoveryId: `${place.base}/deleted${current.kind}s/${current.name}`,
    deletedDate: Math.floor(deletion.deletedAt / 1000),
    scheduledPurgeDate: Math.floor(deletion.purgeAt / 1000),
  };
}

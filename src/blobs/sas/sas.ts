// Shared access signatures: which fields there are, and the texts that are signed. The field order is
// Azure's and depends on the version that the client named.

export type SasFields = ReadonlyMap<string, string>;

export interface SasTarget {
  readonly account: string;
  readonly container: string;
  /** Absent: the signature is for the container. */
  readonly blob?: string;
}

/** Versions that are understood; what comes later is read like the last change known. */
const oldest = "2015-04-05";

export function isKnownVersion(version: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(version) && version >= oldest;
}

export function accountSasText(account: string, fields: SasFields): string {
  const version = field(fields, "sv");
  const lines = [account, ...["sp", "ss", "srt", "st", "se", "sip", "spr", "sv"].map((name) => field(fields, name))];
  if (version >= "2020-12-06") lines.push(field(fields, "ses"));
  return [...lines, ""].join("\n");
}

export function serviceSasText(target: SasTarget, fields: SasFields): string {
  const version = field(fields, "sv");
  return [
    ...pick(fields, "sp", "st", "se"),
    canonicalName(target),
    ...pick(fields, "si", "sip", "spr", "sv"),
    ...(version >= "2018-11-09" ? [field(fields, "sr"), snapshotOf(fields)] : []),
    ...(version >= "2020-12-06" ? [field(fields, "ses")] : []),
    ...pick(fields, ...responseFields),
  ].join("\n");
}

export function delegationSasText(target: SasTarget, fields: SasFields): string {
  const version = field(fields, "sv");
  return [
    ...pick(fields, "sp", "st", "se"),
    canonicalName(target),
    ...pick(fields, ...delegationKeyFields),
    ...(version >= "2020-02-10" ? pick(fields, "saoid", "suoid", "scid") : []),
    ...(version >= "2025-07-05" ? pick(fields, "skdutid", "sduoid") : []),
    ...pick(fields, "sip", "spr", "sv", "sr"),
    snapshotOf(fields),
    ...(version >= "2020-12-06" ? [field(fields, "ses")] : []),
    ...(version >= "2026-04-06" ? ["", ""] : []),
    ...pick(fields, ...responseFields),
  ].join("\n");
}

/** Who a user delegation key was given to, and for how long. */
export const delegationKeyFields = ["skoid", "sktid", "skt", "ske", "sks", "skv"] as const;

/** The key of a delegation follows from the account's key, so none is stored. */
export function delegationKeyText(fields: SasFields): string {
  return ["delegation", ...pick(fields, ...delegationKeyFields)].join("\n");
}

/** What a signature can make the answer's headers say. */
export const responseFields = ["rscc", "rscd", "rsce", "rscl", "rsct"] as const;

function canonicalName({ account, container, blob }: SasTarget): string {
  return blob === undefined ? `/blob/${account}/${container}` : `/blob/${account}/${container}/${blob}`;
}

/** Only a signature for a snapshot (`sr=bs`) signs the snapshot's time. */
function snapshotOf(fields: SasFields): string {
  return field(fields, "sr") === "bs" ? field(fields, "snapshot") : "";
}

function pick(fields: SasFields, ...names: readonly string[]): string[] {
  return names.map((name) => field(fields, name));
}

function field(fields: SasFields, name: string): string {
  return fields.get(name) ?? "";
}

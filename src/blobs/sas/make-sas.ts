// Signatures that this service gives out itself: for exported disks, and for the management API.

import { isoTime } from "../../lib/clock.ts";
import { accountSasText, serviceSasText, type SasFields, type SasTarget } from "./sas.ts";
import { sign } from "./signature.ts";

export const sasVersion = "2021-12-02";

export interface ServiceSas {
  /** Letters in Azure's order: r, a, c, w, d, … */
  readonly permissions: string;
  readonly expiresAt: number;
  readonly startsAt?: number;
  readonly snapshot?: string;
}

/** The query of a URL to one blob, or to a container when the target names no blob. */
export function makeServiceSas(key: string, target: SasTarget, sas: ServiceSas): string {
  const fields = new Map<string, string>([
    ["sv", sasVersion],
    ...(sas.startsAt === undefined ? [] : [["st", seconds(sas.startsAt)] as const]),
    ["se", seconds(sas.expiresAt)],
    ["sr", target.blob === undefined ? "c" : sas.snapshot === undefined ? "b" : "bs"],
    ["sp", sas.permissions],
    ["spr", "https"],
    ...(sas.snapshot === undefined ? [] : [["snapshot", sas.snapshot] as const]),
  ]);
  return signService(key, target, fields);
}

export function signService(key: string, target: SasTarget, fields: SasFields): string {
  return queryOf(fields, sign(key, serviceSasText(target, fields)));
}

export function signAccount(key: string, account: string, fields: SasFields): string {
  return queryOf(fields, sign(key, accountSasText(account, fields)));
}

function queryOf(fields: SasFields, signature: string): string {
  const query = new URLSearchParams();
  for (const [name, value] of fields) if (value !== "") query.append(name, value);
  query.append("sig", signature);
  return query.toString();
}

function seconds(milliseconds: number): string {
  return isoTime(milliseconds).replace(/\.\d{3}Z$/, "Z");
}

// Operations on the account: list its containers, its properties, a user delegation key.

import { isoTime } from "../../lib/clock.ts";
import { blobErrors } from "../errors.ts";
import { listContainers, type Container } from "../rows/container.ts";
import { leaseState } from "../lease.ts";
import { delegationKeyText } from "../sas/sas.ts";
import { sasVersion } from "../sas/make-sas.ts";
import { sign } from "../sas/signature.ts";
import { smallBody, wholeNumber, type Context } from "./context.ts";
import { actions, type Operation } from "./operation.ts";
import { httpDate, xmlReply } from "./replies.ts";
import type { BlobReply } from "./request.ts";
import { childText, parseXml, xml } from "./xml.ts";

export const serviceOperations: readonly Operation[] = [
  { level: "s", method: "GET", comp: "list", sas: "l", action: actions.listContainers, run: list },
  { level: "s", method: "GET", comp: "properties", sas: "r", action: actions.serviceProperties, run: properties },
  { level: "s", method: "POST", comp: "userdelegationkey", sas: "", action: actions.delegationKey, run: delegationKey },
];

export const largestPage = 5000;

export function pageLimit(context: Context): number {
  const text = context.query("maxresults");
  if (text === undefined) return largestPage;
  const wanted = wholeNumber("maxresults", text);
  if (wanted < 1) throw blobErrors.OutOfRangeInput(`maxresults is ${wanted}; it is at least 1.`);
  return Math.min(wanted, largestPage);
}

async function list(context: Context): Promise<BlobReply> {
  const limit = pageLimit(context);
  const prefix = context.query("prefix") ?? "";
  const marker = context.query("marker");
  const include = (context.query("include") ?? "").split(",");
  const after = marker === undefined || marker === "" ? undefined : marker;
  const rows = await listContainers(context.store.database.kysely, context.account.name, {
    prefix,
    after,
    limit: limit + 1,
  });
  const shown = rows.slice(0, limit);
  const now = context.store.database.clock.now();
  return xmlReply(
    xml(
      "EnumerationResults",
      [
        xml("Prefix", prefix),
        xml("Marker", after ?? ""),
        xml("MaxResults", limit),
        xml(
          "Containers",
          shown.map((container) => containerXml(container, now, include.includes("metadata"))),
        ),
        xml("NextMarker", rows.length > limit ? (shown.at(-1)?.container ?? "") : ""),
      ],
      { ServiceEndpoint: context.accountUrl },
    ),
  );
}

function containerXml(container: Container, now: number, withMetadata: boolean): string {
  const state = leaseState(container.lease, now);
  return xml("Container", [
    xml("Name", container.container),
    xml("Properties", [
      xml("Last-Modified", httpDate(container.changedAt)),
      xml("Etag", container.etag),
      xml("LeaseStatus", state === "leased" || state === "breaking" ? "locked" : "unlocked"),
      xml("LeaseState", state),
      xml("HasImmutabilityPolicy", false),
      xml("HasLegalHold", false),
    ]),
    ...(withMetadata ? [metadataXml(container.metadata)] : []),
  ]);
}

export function metadataXml(metadata: Readonly<Record<string, string>>): string {
  return xml(
    "Metadata",
    Object.entries(metadata).map(([name, value]) => xml(name, value)),
  );
}

async function properties(): Promise<BlobReply> {
  const off = [xml("Enabled", false)];
  return xmlReply(
    xml("StorageServiceProperties", [
      xml("Logging", [
        xml("Version", "1.0"),
        xml("Delete", false),
        xml("Read", false),
        xml("Write", false),
        xml("RetentionPolicy", off),
      ]),
      xml("HourMetrics", [xml("Version", "1.0"), xml("Enabled", false), xml("RetentionPolicy", off)]),
      xml("MinuteMetrics", [xml("Version", "1.0"), xml("Enabled", false), xml("RetentionPolicy", off)]),
      xml("Cors", ""),
      xml("DeleteRetentionPolicy", off),
      xml("StaticWebsite", off),
    ]),
  );
}

const longestDelegation = 7 * 86_400_000;

/** The key follows from the account's first key and what it is for; replacing that key revokes it. */
async function delegationKey(context: Context): Promise<BlobReply> {
  const principal = context.permit.principal;
  if (principal === undefined)
    throw blobErrors.AuthenticationFailed("A user delegation key is given for a token only.");
  const request = parseXml((await smallBody(context, 4096)).toString("utf8"));
  const now = context.store.database.clock.now();
  const startsAt = Date.parse(childText(request, "Start") ?? isoTime(now));
  const expiresAt = Date.parse(childText(request, "Expiry") ?? "");
  if (
    Number.isNaN(startsAt) ||
    Number.isNaN(expiresAt) ||
    expiresAt <= startsAt ||
    expiresAt > Math.max(now, startsAt) + longestDelegation
  ) {
    throw blobErrors.InvalidXmlDocument("Start and Expiry must be times, at most 7 days apart.");
  }
  const seconds = (time: number): string => isoTime(time).replace(/\.\d{3}Z$/, "Z");
  const fields = new Map([
    ["skoid", principal.objectId],
    ["sktid", principal.tenantId],
    ["skt", seconds(startsAt)],
    ["ske", seconds(expiresAt)],
    ["sks", "b"],
    ["skv", context.header("x-ms-version") ?? sasVersion],
  ]);
  return xmlReply(
    xml("UserDelegationKey", [
      xml("SignedOid", fields.get("skoid")),
      xml("SignedTid", fields.get("sktid")),
      xml("SignedStart", fields.get("skt")),
      xml("SignedExpiry", fields.get("ske")),
      xml("SignedService", fields.get("sks")),
      xml("SignedVersion", fields.get("skv")),
      xml("Value", sign(context.account.keys[0], delegationKeyText(fields))),
    ]),
  );
}

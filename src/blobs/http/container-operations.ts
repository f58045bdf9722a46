import { blobErrors } from "../errors.ts";
import { checkConditions } from "../conditions.ts";
import { checkLease, leaseState } from "../lease.ts";
import { listBlobs, type ListEntry } from "../listing.ts";
import {
  changeContainer,
  createContainer,
  deleteContainer,
  getContainer,
  type StoredPolicy,
} from "../rows/container.ts";
import type { Blob } from "../rows/blob.ts";
import { conditionsOf, containerAddress, metadataOf, smallBody, type Context } from "./context.ts";
import { leaseContainer } from "./lease-operations.ts";
import { actions, type Operation } from "./operation.ts";
import { httpDate, leaseHeaders, metadataHeaders, validators, xmlReply } from "./replies.ts";
import type { BlobReply } from "./request.ts";
import { metadataXml, pageLimit } from "./service-operations.ts";
import { childText, parseXml, xml } from "./xml.ts";

export const containerOperations: readonly Operation[] = [
  { level: "c", method: "PUT", sas: "cw", action: actions.writeContainer, run: create },
  { level: "c", method: "DELETE", sas: "d", action: actions.deleteContainer, run: remove },
  { level: "c", method: "GET", sas: "r", action: actions.readContainer, run: properties },
  { level: "c", method: "HEAD", sas: "r", action: actions.readContainer, run: properties },
  { level: "c", method: "GET", comp: "metadata", sas: "r", action: actions.readContainer, run: properties },
  { level: "c", method: "HEAD", comp: "metadata", sas: "r", action: actions.readContainer, run: properties },
  { level: "c", method: "PUT", comp: "metadata", sas: "w", action: actions.writeContainer, run: setMetadata },
  { level: "c", method: "GET", comp: "acl", sas: "", run: policies },
  { level: "c", method: "PUT", comp: "acl", sas: "", run: setPolicies },
  { level: "c", method: "PUT", comp: "lease", sas: "wd", action: actions.writeContainer, run: leaseContainer },
  { level: "c", method: "GET", comp: "list", sas: "l", action: actions.readBlob, run: list },
];

async function create(context: Context): Promise<BlobReply> {
  refusePublic(context);
  const container = await context.store.database.transaction((trx) =>
    createContainer(trx, containerAddress(context), metadataOf(context)),
  );
  return { status: 201, headers: validators(container) };
}

async function remove(context: Context): Promise<BlobReply> {
  const address = containerAddress(context);
  await context.store.database.transaction(async (trx) => {
    const container = await getContainer(trx, address);
    checkConditions(conditionsOf(context), container, "write");
    checkLease(
      container.lease,
      context.header("x-ms-lease-id"),
      context.store.database.clock.now(),
      "write",
      "Container",
    );
    await deleteContainer(trx, context.store.files, address);
  });
  return { status: 202, headers: {} };
}

async function properties(context: Context): Promise<BlobReply> {
  const container = await getContainer(context.store.database.kysely, containerAddress(context));
  const now = context.store.database.clock.now();
  checkLease(container.lease, context.header("x-ms-lease-id"), now, "read", "Container");
  return {
    status: 200,
    headers: {
      ...validators(container),
      ...metadataHeaders(container.metadata),
      ...leaseHeaders(container.lease, now),
      "x-ms-has-immutability-policy": "false",
      "x-ms-has-legal-hold": "false",
    },
  };
}

async function setMetadata(context: Context): Promise<BlobReply> {
  return change(context, { metadata: metadataOf(context) });
}

async function policies(context: Context): Promise<BlobReply> {
  const container = await getContainer(context.store.database.kysely, containerAddress(context));
  const identifiers = container.policies.map(({ id, start, expiry, permissions }) =>
    xml("SignedIdentifier", [
      xml("Id", id),
      xml("AccessPolicy", [xml("Start", start), xml("Expiry", expiry), xml("Permission", permissions)]),
    ]),
  );
  return xmlReply(xml("SignedIdentifiers", identifiers), validators(container));
}

const mostPolicies = 5;

async function setPolicies(context: Context): Promise<BlobReply> {
  refusePublic(context);
  const body = (await smallBody(context, 64 * 1024)).toString("utf8");
  const identifiers = body.trim() === "" ? [] : parseXml(body).children;
  if (identifiers.length > mostPolicies)
    throw blobErrors.InvalidXmlDocument(`A container has at most ${mostPolicies} stored access policies.`);
  const wanted = identifiers.map((identifier): StoredPolicy => {
    const id = childText(identifier, "Id") ?? "";
    if (id === "" || id.length > 64)
      throw blobErrors.InvalidXmlDocument("The Id of a stored access policy has 1 to 64 characters.");
    const policy = identifier.children.find(({ name }) => name === "AccessPolicy");
    const part = (name: string): string | undefined => {
      const text = policy === undefined ? undefined : childText(policy, name);
      return text === "" ? undefined : text;
    };
    return { id, start: part("Start"), expiry: part("Expiry"), permissions: part("Permission") };
  });
  return change(context, { policies: wanted });
}

async function change(
  context: Context,
  what: { metadata?: Record<string, string>; policies?: readonly StoredPolicy[] },
): Promise<BlobReply> {
  const address = containerAddress(context);
  const changed = await context.store.database.transaction(async (trx) => {
    const container = await getContainer(trx, address);
    checkConditions(conditionsOf(context), container, "write");
    // A lease on a container guards its deletion only; whoever names one must hold it.
    checkLease(
      container.lease,
      context.header("x-ms-lease-id"),
      context.store.database.clock.now(),
      "read",
      "Container",
    );
    return changeContainer(trx, address, what);
  });
  return { status: 200, headers: validators(changed) };
}

async function list(context: Context): Promise<BlobReply> {
  const { store } = context;
  const address = containerAddress(context);
  await getContainer(store.database.kysely, address);
  const limit = pageLimit(context);
  const include = (context.query("include") ?? "").split(",");
  const [prefix, delimiter, marker] = [
    context.query("prefix") ?? "",
    context.query("delimiter"),
    context.query("marker"),
  ];
  const page = await listBlobs(store.database.kysely, address, {
    prefix,
    delimiter: delimiter === "" ? undefined : delimiter,
    marker: marker === "" ? undefined : marker,
    limit,
    snapshots: include.includes("snapshots"),
  });
  const now = store.database.clock.now();
  return xmlReply(
    xml(
      "EnumerationResults",
      [
        xml("Prefix", prefix),
        xml("Marker", marker ?? ""),
        xml("MaxResults", limit),
        xml("Delimiter", delimiter),
        xml(
          "Blobs",
          page.entries.map((entry) => entryXml(entry, now, include.includes("metadata"))),
        ),
        xml("NextMarker", page.nextMarker ?? ""),
      ],
      { ServiceEndpoint: context.accountUrl, ContainerName: address.container },
    ),
  );
}

function entryXml(entry: ListEntry, now: number, withMetadata: boolean): string {
  if ("folder" in entry) return xml("BlobPrefix", [xml("Name", entry.folder)]);
  const { blob } = entry;
  return xml("Blob", [
    xml("Name", blob.name),
    xml("Snapshot", blob.snapshot),
    xml("Properties", propertiesXml(blob, now)),
    ...(withMetadata ? [metadataXml(blob.metadata)] : []),
    xml("OrMetadata", ""),
  ]);
}

function propertiesXml(blob: Blob, now: number): string[] {
  const { settings } = blob;
  const state = leaseState(blob.lease, now);
  const isPage = blob.kind === "PageBlob";
  return [
    xml("Creation-Time", httpDate(blob.createdAt)),
    xml("Last-Modified", httpDate(blob.changedAt)),
    xml("Etag", blob.etag.replaceAll('"', "")),
    xml("Content-Length", blob.size),
    xml("Content-Type", settings.contentType ?? "application/octet-stream"),
    xml("Content-Encoding", settings.contentEncoding ?? ""),
    xml("Content-Language", settings.contentLanguage ?? ""),
    xml("Content-MD5", settings.contentMd5 ?? ""),
    xml("Cache-Control", settings.cacheControl ?? ""),
    xml("Content-Disposition", settings.contentDisposition ?? ""),
    xml("x-ms-blob-sequence-number", isPage ? (settings.sequenceNumber ?? 0) : undefined),
    xml("BlobType", blob.kind),
    xml("AccessTier", isPage ? undefined : (settings.tier ?? "Hot")),
    xml("AccessTierInferred", isPage || settings.tier !== undefined ? undefined : true),
    ...(blob.snapshot === undefined
      ? [
          xml("LeaseStatus", state === "leased" || state === "breaking" ? "locked" : "unlocked"),
          xml("LeaseState", state),
          xml("LeaseDuration", state === "leased" ? (blob.lease.duration === -1 ? "infinite" : "fixed") : undefined),
        ]
      : []),
    xml("ServerEncrypted", false),
  ];
}

function refusePublic(context: Context): void {
  if (context.header("x-ms-blob-public-access") === undefined) return;
  throw blobErrors.FeatureNotSupported(
    "Public access is not permitted on this storage account. Leave x-ms-blob-public-access away and give signatures.",
  );
}

// Where a store's objects are. What is kept of it holds no secret; credentials are sealed apart.

import { isAbsolute, join } from "node:path";
import * as z from "zod";
import { openStore } from "../../store/backends/open-store.ts";
import type { ObjectStore } from "../../store/index.ts";
import type { Agents } from "./place-rules.ts";

export const storeLocation = z.discriminatedUnion("kind", [
  /** Without a path: in the data folder, under the store's name. */
  z.strictObject({
    kind: z.literal("folder"),
    path: z.string().max(4096).refine(isAbsolute, "the path of a folder begins with /").optional(),
  }),
  /** `s3://bucket/prefix?region=…` */
  z.strictObject({ kind: z.literal("s3"), url: z.string().max(4096).startsWith("s3://") }),
  /** `azblob://account/container/prefix?…` */
  z.strictObject({ kind: z.literal("azblob"), url: z.string().max(4096).startsWith("azblob://") }),
]);
export type StoreLocation = z.output<typeof storeLocation>;

export const storeCredential = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("s3"),
    accessKeyId: z.string().min(1),
    secretAccessKey: z.string().min(1),
    sessionToken: z.string().min(1).optional(),
  }),
  z.strictObject({ kind: z.literal("azureKey"), key: z.string().min(1) }),
  z.strictObject({ kind: z.literal("azureSas"), token: z.string().min(1) }),
]);
export type StoreCredential = z.output<typeof storeCredential>;

export interface PlaceOptions {
  /** Of a location without a path of its own. */
  readonly folder: string;
  readonly create: boolean;
  readonly trustFileSystem: boolean | undefined;
  readonly credential: StoreCredential | undefined;
  /** Of connections to services. */
  readonly agents: Agents;
}

export function openPlace(location: StoreLocation, options: PlaceOptions): Promise<ObjectStore> {
  const { create, trustFileSystem, credential, agents } = options;
  const isS3 = credential?.kind === "s3";
  return openStore(location.kind === "folder" ? (location.path ?? options.folder) : location.url, {
    create,
    trustFileSystem,
    agents,
    s3Credentials: isS3 ? credential : undefined,
    azureCredential:
      credential?.kind === "azureKey"
        ? { kind: "key", key: credential.key }
        : credential?.kind === "azureSas"
          ? { kind: "sas", token: credential.token }
          : undefined,
  });
}

/** The folder that we made for a store and remove with it; undefined for places that others own. */
export function ownFolder(location: StoreLocation, dataFolder: string, name: string): string | undefined {
  return location.kind === "folder" && location.path === undefined ? join(dataFolder, name) : undefined;
}

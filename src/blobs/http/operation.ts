// Operations are data: which request it is, what it needs, what it does.

import type { Context } from "./context.ts";
import type { BlobReply } from "./request.ts";

/** What an account's signature calls them: service, container, object. */
export type Level = "s" | "c" | "o";

export interface Need {
  readonly level: Level;
  /** Letters of a signature's permissions; any of them suffices. */
  readonly sas: string;
  /** For tokens; absent: only the key will do. */
  readonly action?: { readonly name: string; readonly kind: "action" | "dataAction" };
}

export interface Operation extends Need {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  readonly comp?: string;
  readonly run: (context: Context) => Promise<BlobReply>;
}

const service = "Microsoft.Storage/storageAccounts/blobServices";

/** The permissions of Azure's roles. */
export const actions = {
  listContainers: { name: `${service}/containers/read`, kind: "action" },
  readContainer: { name: `${service}/containers/read`, kind: "action" },
  writeContainer: { name: `${service}/containers/write`, kind: "action" },
  deleteContainer: { name: `${service}/containers/delete`, kind: "action" },
  delegationKey: { name: `${service}/generateUserDelegationKey/action`, kind: "action" },
  serviceProperties: { name: `${service}/read`, kind: "action" },
  readBlob: { name: `${service}/containers/blobs/read`, kind: "dataAction" },
  writeBlob: { name: `${service}/containers/blobs/write`, kind: "dataAction" },
  deleteBlob: { name: `${service}/containers/blobs/delete`, kind: "dataAction" },
} as const;

// From a location to a store. Locations are shown in messages, process lists and logs, so they never
// carry a secret: credentials come from options or from the environment.

import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { AzureBlobCredential } from "./azblob.ts";
import { withMetrics, type StoreRequest } from "./decorators/metrics.ts";
import { withoutWriting } from "./decorators/read-only.ts";
import { withRetry, type RetryOptions } from "./decorators/retry.ts";
import { withThrottle, type ThrottleOptions } from "./decorators/throttle.ts";
import { objectErrors } from "./errors.ts";
import { openFsStore } from "./fs.ts";
import type { ObjectStore } from "./object-store.ts";
import type { ServiceAgents } from "./service-agents.ts";

export interface OpenStoreOptions {
  /** Make the folder of a `file:` store when it is not there. */
  readonly create?: boolean;
  readonly readOnly?: boolean;
  readonly trustFileSystem?: boolean;
  /** For `s3:`; else AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the rest of the SDK's chain. */
  readonly s3Credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
  /** For `azblob:`; else AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN. */
  readonly azureCredential?: AzureBlobCredential;
  /** Through which services are reached. */
  readonly agents?: ServiceAgents;
  readonly retry?: RetryOptions;
  readonly throttle?: ThrottleOptions;
  readonly observe?: (request: StoreRequest) => void;
}

/** `/folder`, `file:///folder`, `s3://bucket/prefix?…`, `azblob://account/container/prefix?…` */
export async function openStore(location: string, options: OpenStoreOptions = {}): Promise<ObjectStore> {
  const isLocal = !/^[a-z][a-z0-9+.-]*:/i.test(location) || location.startsWith("file:");
  let store = await (isLocal ? openFolder(location, options) : openService(location, options));
  if (options.observe !== undefined) store = withMetrics(store, options.observe);
  if (!isLocal) store = withRetry(store, options.retry);
  if (!isLocal && options.readOnly === true) store = withoutWriting(store);
  return options.throttle === undefined ? store : withThrottle(store, options.throttle);
}

function openFolder(location: string, options: OpenStoreOptions): Promise<ObjectStore> {
  if (!location.startsWith("file:")) {
    if (location === "") throw objectErrors.StoreLocationInvalid("The store's location is empty.");
    return openFsStore(location, options);
  }
  const url = parseUrl(location);
  if (url.host !== "" && url.host !== "localhost") {
    throw objectErrors.StoreLocationInvalid(`${location}: write file:///path with three slashes.`);
  }
  const parameters = parseParameters(fsParameters, url);
  let folder: string;
  try {
    folder = fileURLToPath(new URL(`file://${url.pathname}`));
  } catch (cause) {
    throw objectErrors.StoreLocationInvalid(`${location} is not the location of a folder.`, { cause });
  }
  return openFsStore(folder, { ...options, ...parameters });
}

async function openService(location: string, options: OpenStoreOptions): Promise<ObjectStore> {
  const url = parseUrl(location);
  // The SDKs take a third of a second to load: only who needs one pays for it.
  if (url.protocol === "s3:") {
    const { openS3Store } = await import("./s3.ts");
    const parameters = parseParameters(s3Parameters, url);
    return openS3Store({
      bucket: url.host,
      prefix: plainPath(url.pathname),
      credentials: options.s3Credentials,
      agents: options.agents,
      ...parameters,
    });
  }
  if (url.protocol === "azblob:") {
    const { openAzureBlobStore } = await import("./azblob.ts");
    const [container = "", ...prefix] = plainPath(url.pathname).split("/");
    if (container === "") {
      throw objectErrors.StoreLocationInvalid(`${location} names no container: azblob://account/container/prefix.`);
    }
    return openAzureBlobStore({
      account: url.host,
      container,
      prefix: prefix.join("/"),
      credential: options.azureCredential ?? environmentCredential(),
      agents: options.agents,
      ...parseParameters(azureParameters, url),
    });
  }
  throw objectErrors.StoreLocationInvalid(
    `${url.protocol}// is no kind of store. Known are a folder, file://, s3:// and azblob://.`,
  );
}

const flag = z.enum(["true", "false"]).transform((text) => text === "true");

const fsParameters = z.strictObject({ immutable: flag.optional() });

const s3Parameters = z.strictObject({
  region: z.string().min(1).optional(),
  endpoint: z.url({ protocol: /^https?$/ }).optional(),
  pathStyle: flag.optional(),
  checksums: z.enum(["sha256", "md5", "none"]).optional(),
  objectLock: z.enum(["compliance", "governance"]).optional(),
  conditionalPut: z.enum(["native", "emulated"]).optional(),
});

const azureParameters = z.strictObject({
  endpoint: z.url({ protocol: /^https?$/ }).optional(),
  immutability: z.enum(["Locked", "Unlocked"]).optional(),
});

function parseUrl(location: string): URL {
  let url: URL;
  try {
    url = new URL(location);
  } catch (cause) {
    throw objectErrors.StoreLocationInvalid("The store's location is not a URL.", { cause });
  }
  if (url.username !== "" || url.password !== "" || url.hash !== "") {
    throw objectErrors.StoreLocationInvalid(
      "The store's location holds a user, a password or a fragment: credentials belong into the environment.",
    );
  }
  if (url.host === "" && url.protocol !== "file:") {
    throw objectErrors.StoreLocationInvalid(`${url.protocol}// is followed by no bucket or account.`);
  }
  return url;
}

function parseParameters<T extends z.ZodType>(schema: T, url: URL): z.infer<T> {
  const parsed = schema.safeParse(Object.fromEntries(url.searchParams));
  if (parsed.success) return parsed.data;
  // Values are not repeated: somebody may have put a key there.
  const problems = parsed.error.issues.map((issue) =>
    issue.code === "unrecognized_keys" ? `unknown: ${issue.keys.join(", ")}` : `${issue.path.join(".")}: not allowed`,
  );
  throw objectErrors.StoreLocationInvalid(
    `The parameters of ${url.protocol}//${url.host} are wrong (${problems.join("; ")}).`,
  );
}

function plainPath(path: string): string {
  return decodeURIComponent(path).replace(/^\/+|\/+$/g, "");
}

function environmentCredential(): AzureBlobCredential | undefined {
  const key = process.env["AZURE_STORAGE_KEY"];
  if (key !== undefined && key !== "") return { kind: "key", key };
  const token = process.env["AZURE_STORAGE_SAS_TOKEN"];
  if (token !== undefined && token !== "") return { kind: "sas", token };
  return undefined;
}

// Which places a store may have. Whoever may write a vault may name its place; what lies beyond the data
// folder, and what only this machine can reach, is for the server's own configuration to allow. Checked
// when a place is named; where a service is, each connection is checked again.

import { join, resolve, sep } from "node:path";
import type { HoldfastError } from "../../lib/errors.ts";
import { disk } from "../../lib/files.ts";
import { guardedAgents, isForbiddenAddress, mayReach, plainHost } from "../../lib/network-guard.ts";
import { storesErrors } from "./errors.ts";
import type { StoreCredential, StoreLocation } from "./location.ts";

export interface PlaceRules {
  /** Folders below which places may be, besides the data folder. */
  readonly folders: readonly string[];
  /** Services on this machine. */
  readonly allowLoopback: boolean;
  /** A place without a credential uses what the service's process finds (environment, instance role). */
  readonly useServerCredentials: boolean;
}

export const strictPlaces: PlaceRules = { folders: [], allowLoopback: false, useServerCredentials: false };

export type Agents = ReturnType<typeof guardedAgents>;

export function agentsFor({ allowLoopback }: PlaceRules): Agents {
  return guardedAgents((address) => isForbiddenAddress(address, allowLoopback), refusedHost);
}

export async function checkPlace(
  rules: PlaceRules,
  dataFolder: string,
  { location, hot, credential }: NamedPlace,
): Promise<void> {
  if (hot !== undefined && hot.kind !== "folder") {
    throw storesErrors.PlaceNotAllowed(`The snapshot tier is to be ${hot.url}; it is a folder of this server.`, {
      target: "properties.place.hot",
    });
  }
  for (const each of [location, hot]) {
    if (each === undefined) continue;
    if (each.kind === "folder") await checkFolder(rules, dataFolder, each.path);
    else await checkService(rules, each.url, credential);
  }
}

export interface NamedPlace {
  readonly location: StoreLocation;
  readonly hot?: StoreLocation;
  readonly credential?: StoreCredential;
}

async function checkFolder({ folders }: PlaceRules, dataFolder: string, path: string | undefined): Promise<void> {
  if (path === undefined) return;
  const real = await realPlace(resolve(path));
  for (const each of [dataFolder, ...folders]) {
    const root = await realPlace(resolve(each));
    if (real.startsWith(root.endsWith(sep) ? root : root + sep)) return;
  }
  throw storesErrors.PlaceNotAllowed(
    `The folder ${path} is not below a folder that this server allows: ${[dataFolder, ...folders].join(", ")}.`,
    {
      target: "properties.place.location.path",
      remedy: "Choose a folder below one of them; the administrator adds others with HOLDFAST_PLACES_FOLDERS.",
    },
  );
}

/** Links followed, as far as the path is there. */
export async function realPlace(path: string): Promise<string> {
  const missing: string[] = [];
  for (let at = path; ; at = resolve(at, "..")) {
    if ((await disk.linkStatus(at)) !== undefined) {
      const isThere = (await disk.status(at)) !== undefined;
      // A link to nowhere leads to where somebody makes it lead later.
      return isThere ? join(await disk.realPath(at), ...missing.toReversed()) : sep;
    }
    missing.push(at.slice(at.lastIndexOf(sep) + 1));
    if (at === sep) return path;
  }
}

async function checkService(
  rules: PlaceRules,
  location: string,
  credential: StoreCredential | undefined,
): Promise<void> {
  if (credential === undefined && !rules.useServerCredentials) {
    throw storesErrors.PlaceNotAllowed(`${location} comes without a credential.`, {
      target: "properties.place.credential",
      remedy:
        "Give the credential of the place. The administrator lets places use the server's own with HOLDFAST_PLACES_USE_SERVER_CREDENTIALS=true.",
    });
  }
  const endpoint = URL.parse(URL.parse(location)?.searchParams.get("endpoint") ?? "");
  if (endpoint === null) return;
  const host = plainHost(endpoint);
  if (!(await mayReach(host, (address) => isForbiddenAddress(address, rules.allowLoopback)))) throw refusedHost(host);
}

function refusedHost(host: string): HoldfastError {
  return storesErrors.PlaceNotAllowed(
    `'${host}' is an address of this server or of its local link, where no place of a vault may be.`,
    {
      target: "properties.place.location.url",
      remedy:
        "Name a service elsewhere. For one on this machine the administrator sets HOLDFAST_PLACES_ALLOW_LOOPBACK=true; addresses of the local link (169.254.0.0/16, fe80::/10) are never allowed.",
    },
  );
}

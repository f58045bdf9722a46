// A resource provider is data: its namespace, its types with their api-versions, and its routes.

import { armErrors } from "./errors.ts";
import type { Reader, Writer } from "./resources/resource-store.ts";
import type { Resource } from "./resources/resource.ts";
import type { Route } from "./routes.ts";

export interface ResourceTypeInfo {
  /** Without the namespace: `vaults`, `vaults/backupPolicies`. */
  readonly name: string;
  /** Newest first. What clients discover; the wire accepts any version of the known range. */
  readonly apiVersions: readonly string[];
  /** Types that live nowhere in particular (role assignments, locks). */
  readonly isGlobal?: boolean;
  readonly capabilities?: string;
}

export interface Provider {
  readonly namespace: string;
  readonly resourceTypes: readonly ResourceTypeInfo[];
  readonly routes: readonly Route[];
  /** Features that can be registered in this namespace. */
  readonly features?: readonly string[];
  /** By type without namespace: what deleting one means beyond its row. */
  readonly lifecycles?: Readonly<Record<string, ResourceLifecycle>>;
}

export interface ResourceLifecycle {
  /** Sentences, one for each reason why this resource cannot be deleted now. */
  blockers?(reader: Reader, resource: Resource): Promise<string[]>;
  /** Everything that goes with it, in the transaction that deletes the row. */
  remove?(trx: Writer, resource: Resource): Promise<void>;
}

const earliest = "2014-01-01";
const latest = "2030-12-31";

/** Any version of the known range is served alike: clients send what they were built with. */
export function checkApiVersion(apiVersion: string | undefined, supported: readonly string[]): string {
  if (apiVersion === undefined || apiVersion === "") {
    throw armErrors.MissingApiVersionParameter(
      "The api-version query parameter (?api-version=) is required for all requests.",
      { target: "api-version" },
    );
  }
  const date = /^(\d{4}-\d{2}-\d{2})(-(?:preview|alpha|beta|privatepreview|rc|test))?$/i.exec(apiVersion)?.[1];
  if (date === undefined || Number.isNaN(Date.parse(date)) || date < earliest || date > latest) {
    const versions = supported.length === 0 ? "dates such as 2021-04-01" : `'${supported.join(",")}'`;
    throw armErrors.InvalidApiVersionParameter(
      `The api-version '${apiVersion}' is invalid. The supported versions are ${versions}.`,
      { target: "api-version" },
    );
  }
  return apiVersion;
}

export interface ProviderDirectory {
  readonly providers: readonly Provider[];
  find(namespace: string): Provider | undefined;
  /** The type as its provider spells it, or undefined when nobody offers it. */
  canonicalType(type: string): string | undefined;
  apiVersionsOf(type: string): readonly string[];
  lifecycleOf(type: string): ResourceLifecycle;
}

/** Several providers may share a namespace: each brings some of its types. */
export function providerDirectory(parts: readonly Provider[]): ProviderDirectory {
  const byNamespace = new Map<string, Provider>();
  for (const part of parts) {
    const key = part.namespace.toLowerCase();
    const known = byNamespace.get(key);
    byNamespace.set(key, known === undefined ? part : join(known, part));
  }
  const providers = [...byNamespace.values()].sort((a, b) => (a.namespace < b.namespace ? -1 : 1));
  const types = new Map<string, { type: string; apiVersions: readonly string[]; lifecycle: ResourceLifecycle }>();
  for (const provider of providers) {
    for (const info of provider.resourceTypes) {
      const type = `${provider.namespace}/${info.name}`;
      const lifecycle = provider.lifecycles?.[info.name] ?? {};
      types.set(type.toLowerCase(), { type, apiVersions: info.apiVersions, lifecycle });
    }
  }
  return {
    providers,
    find: (namespace) => byNamespace.get(namespace.toLowerCase()),
    canonicalType: (type) => types.get(type.toLowerCase())?.type,
    apiVersionsOf: (type) => types.get(type.toLowerCase())?.apiVersions ?? [],
    lifecycleOf: (type) => types.get(type.toLowerCase())?.lifecycle ?? {},
  };
}

function join(first: Provider, second: Provider): Provider {
  return {
    namespace: first.namespace,
    resourceTypes: [...first.resourceTypes, ...second.resourceTypes],
    routes: [...first.routes, ...second.routes],
    features: [...(first.features ?? []), ...(second.features ?? [])],
    lifecycles: { ...first.lifecycles, ...second.lifecycles },
  };
}

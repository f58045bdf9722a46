// Who asks for a token: an application of the directory, or one of the well-known public clients
// that every tenant trusts (az, PowerShell, our portal).

import type { Reading } from "../database.ts";
import { findApplicationByClientId, findApplicationInAnyTenant } from "../directory/applications.ts";
import { certificatesOf, type StoredCertificate } from "../directory/certificates.ts";
import type { Tenant } from "../directory/tenants.ts";
import { signInErrors } from "./errors.ts";

export interface OAuthClient {
  readonly appId: string;
  readonly displayName: string;
  readonly isPublic: boolean;
  readonly redirectUris: readonly string[];
  /** Object id of the application; undefined for well-known clients, which have no secrets. */
  readonly applicationId: string | undefined;
  readonly certificates: readonly StoredCertificate[];
  /** undefined: at home in every tenant. */
  readonly tenantId: string | undefined;
}

export const portalClientId = "6b3f3a5e-2d0c-4f0e-9a54-8d1c7be0f2a1";

const loopback = ["http://localhost", "http://127.0.0.1", "http://localhost:8400"];

const wellKnown: readonly OAuthClient[] = [
  publicClient("04b07795-8ddb-461a-bbee-02f9e1bf7b46", "Microsoft Azure CLI", loopback),
  publicClient("1950a258-227b-4e31-a9cf-717495945fc2", "Microsoft Azure PowerShell", loopback),
];

/** The client of that id in that tenant; any tenant's when none is given. */
export async function findClient(
  reading: Reading,
  appId: string,
  tenant: Tenant | undefined,
  portalRedirectUris: readonly string[],
): Promise<OAuthClient> {
  const key = appId.toLowerCase();
  if (key === portalClientId) return publicClient(portalClientId, "Holdfast portal", portalRedirectUris);
  const known = wellKnown.find((client) => client.appId === key);
  if (known !== undefined) return known;
  const application =
    tenant === undefined
      ? await findApplicationInAnyTenant(reading, key)
      : await findApplicationByClientId(reading, tenant.id, key);
  if (application === undefined) {
    const directory = tenant === undefined ? "any tenant" : `the directory '${tenant.displayName}'`;
    throw signInErrors.AADSTS700016(
      `Application with identifier '${appId.slice(0, 100)}' was not found in ${directory}. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.`,
    );
  }
  return {
    appId: application.appId,
    displayName: application.displayName,
    isPublic: application.isPublic,
    redirectUris: application.redirectUris,
    applicationId: application.id,
    certificates: certificatesOf(application.properties),
    tenantId: application.tenantId,
  };
}

/** Exact, but for the port of a public client's loopback address (RFC 8252, section 7.3). */
export function isRegisteredRedirect(client: OAuthClient, redirectUri: string): boolean {
  if (client.redirectUris.includes(redirectUri)) return true;
  if (!client.isPublic || !URL.canParse(redirectUri)) return false;
  const asked = new URL(redirectUri);
  if (asked.protocol !== "http:" || asked.username !== "" || asked.password !== "") return false;
  return client.redirectUris.some((registered) => {
    if (!/^http:\/\/(localhost|127\.0\.0\.1)(\/|$)/.test(registered)) return false;
    const { hostname, pathname } = new URL(registered);
    return asked.hostname === hostname && asked.pathname === pathname && asked.search === "" && asked.hash === "";
  });
}

function publicClient(appId: string, displayName: string, redirectUris: readonly string[]): OAuthClient {
  return {
    appId,
    displayName,
    isPublic: true,
    redirectUris,
    applicationId: undefined,
    certificates: [],
    tenantId: undefined,
  };
}

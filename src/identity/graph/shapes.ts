// Directory objects as Microsoft Graph shows them.

import { isoTime } from "../../lib/clock.ts";
import type { Application } from "../directory/applications.ts";
import { certificatesOf } from "../directory/certificates.ts";
import type { ClientSecret } from "../directory/client-secrets.ts";
import type { Group } from "../directory/groups.ts";
import type { PrincipalSummary } from "../directory/principals.ts";
import type { ServicePrincipal } from "../directory/service-principals.ts";
import type { User } from "../directory/users.ts";

export type GraphObject = Readonly<Record<string, unknown>>;

export function renderSecret(secret: ClientSecret, text: string | null = null): GraphObject {
  return {
    customKeyIdentifier: null,
    displayName: secret.displayName,
    endDateTime: isoTime(secret.endsAt),
    hint: secret.hint,
    keyId: secret.keyId,
    secretText: text,
    startDateTime: isoTime(secret.startsAt),
  };
}

/** Without the certificates themselves, as Graph's lists are. */
function renderCertificates(properties: Readonly<Record<string, unknown>>): GraphObject[] {
  return certificatesOf(properties).map((certificate) => ({ ...certificate, key: null }));
}

export function renderApplication(application: Application, secrets: readonly ClientSecret[]): GraphObject {
  const { api, publicClient, spa, web, ...properties } = application.properties;
  return {
    id: application.id,
    appId: application.appId,
    displayName: application.displayName,
    createdDateTime: isoTime(application.createdAt),
    deletedDateTime: null,
    description: null,
    groupMembershipClaims: null,
    identifierUris: [],
    isFallbackPublicClient: null,
    notes: null,
    signInAudience: "AzureADMyOrg",
    tags: [],
    appRoles: [],
    optionalClaims: null,
    requiredResourceAccess: [],
    ...properties,
    api: withDefaults(api, {
      acceptMappedClaims: null,
      knownClientApplications: [],
      oauth2PermissionScopes: [],
      preAuthorizedApplications: [],
    }),
    publicClient: withDefaults(publicClient, { redirectUris: [] }),
    spa: withDefaults(spa, { redirectUris: [] }),
    web: withDefaults(web, {
      homePageUrl: null,
      logoutUrl: null,
      redirectUris: [],
      implicitGrantSettings: { enableAccessTokenIssuance: false, enableIdTokenIssuance: false },
    }),
    keyCredentials: renderCertificates(application.properties),
    passwordCredentials: secrets
      .filter(({ ownerId }) => ownerId === application.id)
      .map((secret) => renderSecret(secret)),
  };
}

function withDefaults(stored: unknown, defaults: GraphObject): GraphObject {
  return typeof stored === "object" && stored !== null ? { ...defaults, ...stored } : defaults;
}

export function renderServicePrincipal(
  principal: ServicePrincipal,
  application: Application | undefined,
  secrets: readonly ClientSecret[],
): GraphObject {
  return {
    id: principal.id,
    accountEnabled: principal.enabled,
    alternativeNames: principal.resourceId === "" ? [] : ["isExplicit=True", principal.resourceId],
    appDisplayName: application?.displayName ?? null,
    appId: principal.appId,
    appOwnerOrganizationId: principal.tenantId,
    appRoleAssignmentRequired: false,
    appRoles: [],
    createdDateTime: isoTime(principal.createdAt),
    deletedDateTime: null,
    description: null,
    displayName: principal.displayName,
    homepage: null,
    notes: null,
    oauth2PermissionScopes: [],
    passwordCredentials: secrets
      .filter(({ ownerId }) => ownerId === principal.id)
      .map((secret) => renderSecret(secret)),
    replyUrls: application?.redirectUris ?? [],
    servicePrincipalNames: servicePrincipalNames(principal, application),
    servicePrincipalType: principal.kind,
    signInAudience: application === undefined ? null : "AzureADMyOrg",
    tags: [],
    ...principal.properties,
    keyCredentials: renderCertificates(principal.properties),
  };
}

export function servicePrincipalNames(principal: ServicePrincipal, application: Application | undefined): string[] {
  return [principal.appId, ...identifierUris(application)];
}

export function identifierUris(application: Application | undefined): string[] {
  const uris = application?.properties["identifierUris"];
  return Array.isArray(uris) ? uris.filter((uri) => typeof uri === "string") : [];
}

export function renderUser(user: User): GraphObject {
  return {
    id: user.id,
    businessPhones: [],
    displayName: user.displayName,
    givenName: null,
    jobTitle: null,
    mail: null,
    mailNickname: user.mailNickname,
    mobilePhone: null,
    officeLocation: null,
    preferredLanguage: null,
    surname: null,
    userPrincipalName: user.userPrincipalName,
    accountEnabled: user.enabled,
    createdDateTime: isoTime(user.createdAt),
  };
}

export function renderGroup(group: Group): GraphObject {
  return {
    id: group.id,
    createdDateTime: isoTime(group.createdAt),
    deletedDateTime: null,
    description: group.description,
    displayName: group.displayName,
    groupTypes: [],
    mail: null,
    mailEnabled: false,
    mailNickname: group.mailNickname,
    securityEnabled: true,
    visibility: null,
  };
}

const odataTypes = {
  User: "#microsoft.graph.user",
  Group: "#microsoft.graph.group",
  ServicePrincipal: "#microsoft.graph.servicePrincipal",
} as const;

/** What a list of mixed objects shows of each. */
export function renderStub(principal: PrincipalSummary): GraphObject {
  const stub = { "@odata.type": odataTypes[principal.type], id: principal.id, displayName: principal.displayName };
  switch (principal.type) {
    case "User":
      return { ...stub, userPrincipalName: principal.name, mail: null, accountEnabled: principal.enabled };
    case "ServicePrincipal":
      return {
        ...stub,
        appId: principal.name,
        servicePrincipalNames: [principal.name],
        accountEnabled: principal.enabled,
      };
    default:
      return { ...stub, securityEnabled: true, mailEnabled: false };
  }
}

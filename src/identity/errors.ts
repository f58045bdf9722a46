// What identity refuses, with Azure's codes.

import { defineErrors } from "../lib/errors.ts";

/** 401: the caller is not known. */
export const authenticationErrors = defineErrors({
  AuthenticationFailed: { status: 401 },
  ExpiredAuthenticationToken: { status: 401 },
  InvalidAuthenticationToken: { status: 401 },
  InvalidAuthenticationTokenAudience: { status: 401 },
  InvalidAuthenticationTokenTenant: { status: 401 },
});

export const accessErrors = defineErrors({
  AuthorizationFailed: { status: 403 },
  CannotDeleteLastRbacAdminAssignment: {
    status: 412,
    remedy: "Make another enabled user, service principal or group with members Owner at the root scope first.",
  },
  InvalidPrincipalId: { status: 400 },
  InvalidRoleDefinitionId: { status: 400 },
  LinkedAuthorizationFailed: { status: 403 },
  PrincipalNotFound: { status: 400 },
  PrincipalTypeNotSupported: { status: 400 },
  RoleAssignmentExists: { status: 409 },
  RoleAssignmentNotFound: { status: 404 },
  RoleAssignmentUpdateNotPermitted: { status: 400 },
  RoleDefinitionDoesNotExist: { status: 404 },
  RoleDefinitionHasAssignments: { status: 400 },
  RoleDefinitionUpdateNotPermitted: { status: 400 },
  RoleDefinitionWithSameNameExists: { status: 409 },
  ScopeNotAssignable: { status: 400 },
  UnmatchedPrincipalType: { status: 400 },
});

/** What Microsoft Graph answers with. */
export const directoryErrors = defineErrors({
  Request_BadRequest: { status: 400 },
  Request_ResourceNotFound: { status: 404 },
  Request_MultipleObjectsWithSameKeyValue: { status: 409 },
  Authorization_RequestDenied: { status: 403 },
  Request_UnsupportedQuery: { status: 400 },
});

/** What keeps the service from beginning, or its administrator from being made. */
export const bootstrapErrors = defineErrors({
  NoAdministratorYet: { status: 409 },
  TenantIsSettled: { status: 409 },
});

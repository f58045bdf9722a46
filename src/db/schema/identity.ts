// Who there is (directory), what they may do (roles and assignments), how they proved it (keys,
// codes, refresh tokens, sign-ins). Secrets stand here only hashed or sealed.

export interface IdentityTables {
  identity_tenants: TenantRow;
  identity_subscriptions: SubscriptionRow;
  signing_keys: SigningKeyRow;
  directory_applications: ApplicationRow;
  directory_service_principals: ServicePrincipalRow;
  directory_client_secrets: ClientSecretRow;
  directory_users: UserRow;
  directory_groups: GroupRow;
  directory_group_members: GroupMemberRow;
  directory_owners: OwnerRow;
  role_definitions: RoleDefinitionRow;
  role_assignments: RoleAssignmentRow;
  access_version: AccessVersionRow;
  authorization_codes: AuthorizationCodeRow;
  refresh_tokens: RefreshTokenRow;
  sign_ins: SignInRow;
}

interface TenantRow {
  id: string;
  display_name: string;
  /** What new user names end with: `holdfast.local`. */
  default_domain: string;
  is_default: number;
  created_at: number;
}

interface SubscriptionRow {
  id: string;
  tenant_id: string;
  display_name: string;
  created_at: number;
}

interface SigningKeyRow {
  kid: string;
  /** JSON. */
  public_jwk: string;
  /** PKCS #8, sealed. */
  private_key: Uint8Array;
  created_at: number;
  signs_until: number;
  verifies_until: number;
}

interface ApplicationRow {
  id: string;
  tenant_id: string;
  /** The client id. */
  app_id: string;
  display_name: string;
  /** 1 when it keeps no secret: a portal, a command-line client. */
  is_public: number;
  /** JSON array of texts. */
  redirect_uris: string;
  /** JSON object: what clients wrote that nothing here acts on. */
  properties: string;
  created_at: number;
}

interface ServicePrincipalRow {
  id: string;
  tenant_id: string;
  app_id: string;
  /** Application, ManagedIdentity */
  kind: string;
  display_name: string;
  enabled: number;
  /** The resource that a managed identity stands for; "" otherwise. */
  resource_id: string;
  properties: string;
  created_at: number;
}

interface ClientSecretRow {
  key_id: string;
  /** Application or service principal. */
  owner_id: string;
  /** Client id that the secret is good for. */
  app_id: string;
  display_name: string | null;
  /** The first three characters. */
  hint: string;
  hash: string;
  starts_at: number;
  ends_at: number;
}

interface UserRow {
  id: string;
  tenant_id: string;
  user_principal_name: string;
  /** Lower case. */
  user_principal_name_key: string;
  display_name: string;
  mail_nickname: string;
  enabled: number;
  password_hash: string;
  password_changed_at: number;
  must_change_password: number;
  created_at: number;
}

interface GroupRow {
  id: string;
  tenant_id: string;
  display_name: string;
  mail_nickname: string;
  description: string | null;
  created_at: number;
}

interface GroupMemberRow {
  group_id: string;
  member_id: string;
}

interface OwnerRow {
  object_id: string;
  owner_id: string;
}

export interface RoleDefinitionRow {
  /** GUID. */
  name: string;
  tenant_id: string;
  role_name: string;
  description: string;
  /** JSON. */
  permissions: string;
  /** JSON. */
  assignable_scopes: string;
  created_at: number;
  created_by: string;
  updated_at: number;
  updated_by: string;
}

export interface RoleAssignmentRow {
  /** `<scope key>|<name>`. */
  id: string;
  name: string;
  tenant_id: string;
  /** As it was first written; "" is the root. */
  scope: string;
  /** Lower case. */
  scope_key: string;
  principal_id: string;
  /** User, Group, ServicePrincipal */
  principal_type: string;
  /** GUID of the role. */
  role_name: string;
  description: string | null;
  created_at: number;
  created_by: string;
  updated_at: number;
  updated_by: string;
}

interface AccessVersionRow {
  /** Always 1: there is one row. */
  id: number;
  version: number;
}

interface AuthorizationCodeRow {
  code_hash: string;
  tenant_id: string;
  app_id: string;
  user_id: string;
  redirect_uri: string;
  scope: string;
  nonce: string;
  challenge: string;
  /** Family of the refresh tokens that the code led to; "" before it is redeemed. */
  family_id: string;
  expires_at: number;
}

interface RefreshTokenRow {
  token_hash: string;
  family_id: string;
  tenant_id: string;
  app_id: string;
  user_id: string;
  scope: string;
  issued_at: number;
  expires_at: number;
  /** 0 until it was exchanged. */
  used_at: number;
}

interface SignInRow {
  id: string;
  at: number;
  tenant_id: string;
  /** "" when nobody of that name exists. */
  principal_id: string;
  /** What the client called itself: client id or user name. */
  principal_name: string;
  app_id: string;
  grant_type: string;
  address: string;
  /** 0 for success, else the AADSTS number. */
  error_code: number;
  reason: string;
  correlation_id: string;
}

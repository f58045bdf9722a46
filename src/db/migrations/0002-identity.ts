import type { Migration, MigrationTools } from "../migration.ts";

export const identity: Migration = {
  name: "0002-identity",
  apply: async (tools) => {
    await createDirectory(tools);
    await createAccess(tools);
    await createProofs(tools);
  },
};

async function createDirectory({ createTable, trx, types: { text, integer } }: MigrationTools): Promise<void> {
  await createTable("identity_tenants")
    .addColumn("id", text, (column) => column.primaryKey())
    .addColumn("display_name", text, (column) => column.notNull())
    .addColumn("default_domain", text, (column) => column.notNull())
    .addColumn("is_default", integer, (column) => column.notNull())
    .addColumn("created_at", integer, (column) => column.notNull())
    .execute();
  await createTable("identity_subscriptions")
    .addColumn("id", text, (column) => column.primaryKey())
    .addColumn("tenant_id", text, (column) => column.notNull())
    .addColumn("display_name", text, (column) => column.notNull())
    .addColumn("created_at", integer, (column) => column.notNull())
    .execute();
  await createTable("directory_applications")
    .addColumn("id", text, (column) => column.primaryKey())
    .addColumn("tenant_id", text, (column) => column.notNull())
    .addColumn("app_id", text, (column) => column.notNull())
    .addColumn("display_name", text, (column) => column.notNull())
    .addColumn("is_public", integer, (column) => column.notNull())
    .addColumn("redirect_uris", text, (column) => column.notNull())
    .addColumn("properties", text, (column) => column.notNull())
    .addColumn("created_at", integer, (column) => column.notNull())
    .addUniqueConstraint("directory_applications_app", ["tenant_id", "app_id"])
    .execute();
  await createTable("directory_service_principals")
    .addColumn("id", text, (column) => column.primaryKey())
    .addColumn("tenant_id", text, (column) => column.notNull())
    .addColumn("app_id", text, (column) => column.notNull())
    .addColumn("kind", text, (column) => column.notNull())
    .addColumn("display_name", text, (column) => column.notNull())
    .addColumn("enabled", integer, (column) => column.notNull())
    .addColumn("resource_id", text, (column) => column.notNull())
    .addColumn("properties", text, (column) => column.notNull())
    .addColumn("created_at", integer, (column) => column.notNull())
    .addUniqueConstraint("directory_service_principals_app", ["tenant_id", "app_id"])
    .execute();
  await createTable("directory_client_secrets")
    .addColumn("key_id", text, (column) => column.primaryKey())
    .addColumn("owner_id", text, (column) => column.notNull())
    .addColumn("app_id", text, (column) => column.notNull())
    .addColumn("display_name", text)
    .addColumn("hint", text, (column) => column.notNull())
    .addColumn("hash", text, (column) => column.notNull())
    .addColumn("starts_at", integer, (column) => column.notNull())
    .addColumn("ends_at", integer, (column) => column.notNull())
    .execute();
  await trx.schema
    .createIndex("directory_client_secrets_app")
    .on("directory_client_secrets")
    .column("app_id")
    .execute();
  await createTable("directory_users")
    .addColumn("id", text, (column) => column.primaryKey())
    .addColumn("tenant_id", text, (column) => column.notNull())
    .addColumn("user_principal_name", text, (column) => column.notNull())
    .addColumn("user_principal_name_key", text, (column) => column.notNull())
    .addColumn("display_name", text, (column) => column.notNull())
    .addColumn("mail_nickname", text, (column) => column.notNull())
    .addColumn("enabled", integer, (column) => column.notNull())
    .addColumn("password_hash", text, (column) => column.notNull())
    .addColumn("password_changed_at", integer, (column) => column.notNull())
    .addColumn("must_change_password", integer, (column) => column.notNull())
    .addColumn("created_at", integer, (column) => column.notNull())
    .addUniqueConstraint("directory_users_name", ["user_principal_name_key"])
    .execute();
  await createTable("directory_groups")
    .addColumn("id", text, (column) => column.primaryKey())
    .addColumn("tenant_id", text, (column) => column.notNull())
    .addColumn("display_name", text, (column) => column.notNull())
    .addColumn("mail_nickname", text, (column) => column.notNull())
    .addColumn("description", text)
    .addColumn("created_at", integer, (column) => column.notNull())
    .execute();
  await createTable("directory_group_members")
    .addColumn("group_id", text, (column) => column.notNull())
    .addColumn("member_id", text, (column) => column.notNull())
    .addPrimaryKeyConstraint("directory_group_members_key", ["group_id", "member_id"])
    .execute();
  await trx.schema
    .createIndex("directory_group_members_member")
    .on("directory_group_members")
    .column("member_id")
    .execute();
  await createTable("directory_owners")
    .addColumn("object_id", text, (column) => column.notNull())
    .addColumn("owner_id", text, (column) => column.notNull())
    .addPrimaryKeyConstraint("directory_owners_key", ["object_id", "owner_id"])
    .execute();
  await trx.schema.createIndex("directory_owners_owner").on("directory_owners").column("owner_id").execute();
}

async function createAccess({ createTable, trx, types: { text, integer } }: MigrationTools): Promise<void> {
  await createTable("role_definitions")
    .addColumn("name", text, (column) => column.primaryKey())
    .addColumn("tenant_id", text, (column) => column.notNull())
    .addColumn("role_name", text, (column) => column.notNull())
    .addColumn("description", text, (column) => column.notNull())
    .addColumn("permissions", text, (column) => column.notNull())
    .addColumn("assignable_scopes", text, (column) => column.notNull())
    .addColumn("created_at", integer, (column) => column.notNull())
    .addColumn("created_by", text, (column) => column.notNull())
    .addColumn("updated_at", integer, (column) => column.notNull())
    .addColumn("updated_by", text, (column) => column.notNull())
    .execute();
  await createTable("role_assignments")
    .addColumn("id", text, (column) => column.primaryKey())
    .addColumn("name", text, (column) => column.notNull())
    .addColumn("tenant_id", text, (column) => column.notNull())
    .addColumn("scope", text, (column) => column.notNull())
    .addColumn("scope_key", text, (column) => column.notNull())
    .addColumn("principal_id", text, (column) => column.notNull())
    .addColumn("principal_type", text, (column) => column.notNull())
    .addColumn("role_name", text, (column) => column.notNull())
    .addColumn("description", text)
    .addColumn("created_at", integer, (column) => column.notNull())
    .addColumn("created_by", text, (column) => column.notNull())
    .addColumn("updated_at", integer, (column) => column.notNull())
    .addColumn("updated_by", text, (column) => column.notNull())
    .addUniqueConstraint("role_assignments_grant", ["scope_key", "principal_id", "role_name"])
    .execute();
  await trx.schema.createIndex("role_assignments_principal").on("role_assignments").column("principal_id").execute();
  await createTable("access_version")
    .addColumn("id", integer, (column) => column.primaryKey())
    .addColumn("version", integer, (column) => column.notNull())
    .execute();
  await trx.insertInto("access_version").values({ id: 1, version: 1 }).execute();
}

async function createProofs({ createTable, trx, types: { text, integer, bytes } }: MigrationTools): Promise<void> {
  await createTable("signing_keys")
    .addColumn("kid", text, (column) => column.primaryKey())
    .addColumn("public_jwk", text, (column) => column.notNull())
    .addColumn("private_key", bytes, (column) => column.notNull())
    .addColumn("created_at", integer, (column) => column.notNull())
    .addColumn("signs_until", integer, (column) => column.notNull())
    .addColumn("verifies_until", integer, (column) => column.notNull())
    .execute();
  await createTable("authorization_codes")
    .addColumn("code_hash", text, (column) => column.primaryKey())
    .addColumn("tenant_id", text, (column) => column.notNull())
    .addColumn("app_id", text, (column) => column.notNull())
    .addColumn("user_id", text, (column) => column.notNull())
    .addColumn("redirect_uri", text, (column) => column.notNull())
    .addColumn("scope", text, (column) => column.notNull())
    .addColumn("nonce", text, (column) => column.notNull())
    .addColumn("challenge", text, (column) => column.notNull())
    .addColumn("family_id", text, (column) => column.notNull())
    .addColumn("expires_at", integer, (column) => column.notNull())
    .execute();
  await createTable("refresh_tokens")
    .addColumn("token_hash", text, (column) => column.primaryKey())
    .addColumn("family_id", text, (column) => column.notNull())
    .addColumn("tenant_id", text, (column) => column.notNull())
    .addColumn("app_id", text, (column) => column.notNull())
    .addColumn("user_id", text, (column) => column.notNull())
    .addColumn("scope", text, (column) => column.notNull())
    .addColumn("issued_at", integer, (column) => column.notNull())
    .addColumn("expires_at", integer, (column) => column.notNull())
    .addColumn("used_at", integer, (column) => column.notNull())
    .execute();
  await trx.schema.createIndex("refresh_tokens_family").on("refresh_tokens").column("family_id").execute();
  await trx.schema.createIndex("refresh_tokens_user").on("refresh_tokens").column("user_id").execute();
  await createTable("sign_ins")
    .addColumn("id", text, (column) => column.primaryKey())
    .addColumn("at", integer, (column) => column.notNull())
    .addColumn("tenant_id", text, (column) => column.notNull())
    .addColumn("principal_id", text, (column) => column.notNull())
    .addColumn("principal_name", text, (column) => column.notNull())
    .addColumn("app_id", text, (column) => column.notNull())
    .addColumn("grant_type", text, (column) => column.notNull())
    .addColumn("address", text, (column) => column.notNull())
    .addColumn("error_code", integer, (column) => column.notNull())
    .addColumn("reason", text, (column) => column.notNull())
    .addColumn("correlation_id", text, (column) => column.notNull())
    .execute();
  await trx.schema.createIndex("sign_ins_at").on("sign_ins").column("at").execute();
}

import { defineErrors } from "../../lib/errors.ts";

export const keyVaultErrors = defineErrors({
  DeletedVaultNotFound: { status: 404 },
  DeletedVaultPurgeForbidden: { status: 403 },
  SecretNotFound: { status: 404 },
  KeyNotFound: { status: 404 },
  VaultAlreadyExists: { status: 409 },
  VaultNameNotValid: { status: 400 },
  VaultPropertiesInvalid: { status: 400 },
});

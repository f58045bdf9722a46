import { defineErrors } from "../../lib/errors.ts";

export const keyVaultErrors = defineErrors({
  DeletedVaultNotFound: { status: 404 },
  DeletedVaultPurgeForbidden: { status: 403 },
  VaultAlreadyExists: { status: 409 },
  VaultNameNotValid: { status: 400 },
  VaultPropertiesInvalid: { status: 400 },
});

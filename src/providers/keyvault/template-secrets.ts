// Secrets that a deployment's parameters refer to. Azure's rule: the vault is enabled for templates, and
// whoever deploys may deploy from it; a right to read the secret itself is not needed.

import { armErrors } from "../../arm/errors.ts";
import type { Caller } from "../../arm/request.ts";
import { findResource } from "../../arm/resources/resource-store.ts";
import type { SecretReference } from "../../arm/template/deployment-host.ts";
import type { KeyVaultServices } from "./services.ts";

export function templateSecretReader(
  services: KeyVaultServices,
): (reference: SecretReference, caller: Caller) => Promise<string> {
  return async ({ keyVaultId, secretName, secretVersion }, caller) => {
    const principal = { objectId: caller.principalId, name: caller.name };
    await services.access.check({ principal, action: "Microsoft.KeyVault/vaults/deploy/action", scope: keyVaultId });
    const vault = await findResource(services.database.kysely, keyVaultId);
    if (vault?.properties["enabledForTemplateDeployment"] !== true) {
      throw armErrors.BadRequest(
        `The key vault '${keyVaultId}' ${vault === undefined ? "does not exist" : "is not enabled for template deployment"}. Enable it with: az keyvault update --name VAULT --enabled-for-template-deployment true.`,
        { target: keyVaultId },
      );
    }
    return services.keyVaults.templateSecret(keyVaultId, secretName, secretVersion);
  };
}

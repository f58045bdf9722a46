import { armErrors } from "../../../arm/errors.ts";

export const vaultNameRule = "A vault's name has 2 to 50 letters, digits and '-' and begins with a letter.";

export function isVaultName(name: string): boolean {
  return /^[A-Za-z][A-Za-z0-9-]{1,49}$/.test(name);
}

export function checkVaultName(name: string): void {
  if (isVaultName(name)) return;
  throw armErrors.InvalidResourceName(`The vault name '${name.slice(0, 80)}' is invalid. ${vaultNameRule}`, {
    target: "name",
  });
}

// Azure's rule for the names of disks, snapshots, collections and restore points.

import { armErrors } from "../../arm/errors.ts";

export function checkResourceName(name: string): void {
  if (/^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,78}[A-Za-z0-9_])?$/.test(name)) return;
  throw armErrors.InvalidResourceName(
    `The name '${name.slice(0, 100)}' is invalid: 1 to 80 letters, digits, '_', '.' and '-', with a letter, digit or '_' at both ends.`,
    { target: "name" },
  );
}

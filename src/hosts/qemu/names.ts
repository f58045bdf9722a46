// Everything that we put into a QEMU is named so that it can be told from what others put there.
// QEMU allows 31 characters for a node, so sessions have short ids.

import { randomBytes } from "../../lib/random.ts";
import { hostErrors } from "../errors.ts";

const prefix = "holdfast.";

export function isOurs(name: string): boolean {
  return name.startsWith(prefix);
}

export function newSessionId(): string {
  return randomBytes(4).toString("hex");
}

export interface SessionNames {
  readonly job: string;
  readonly export: string;
  readonly overlayNode: string;
  readonly filterNode: string;
  /** The bitmap that says what changed since the last point, while this session lasts. */
  readonly changes: string;
}

export function sessionNames(session: string, index: number): SessionNames {
  const base = `${prefix}${session}.${index}`;
  return {
    job: base,
    export: base,
    overlayNode: `${base}.o`,
    filterNode: `${base}.f`,
    changes: `${prefix}tmp.${session}.${index}`,
  };
}

/** Of the flash that holds UEFI variables. */
export function flashExport(session: string): string {
  return `${prefix}${session}.flash`;
}

export function isSessionBitmap(name: string): boolean {
  return name.startsWith(`${prefix}tmp.`);
}

/** The bitmap that records from a point on, until the next point of its chain is committed. */
export function pointBitmap(chain: string, point: string): string {
  return `${chainPrefix(chain)}${point}`;
}

export function chainPrefix(chain: string): string {
  return `${prefix}${chain}.`;
}

const nameShape = /^[A-Za-z0-9-]{1,64}$/;

export function checkPointName(field: string, name: string): void {
  if (nameShape.test(name) && name !== "tmp") return;
  throw hostErrors.HostSettingsInvalid(
    `${field} "${name.slice(0, 80)}" must be 1 to 64 letters, digits and hyphens, and not "tmp".`,
  );
}

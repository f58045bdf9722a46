// `store repair`: what is bad or lost here and good in a copy of the vault is brought back. A bad pack
// can hide the need for others (the map in it names them), so all of them are scrubbed first.

import { createHash } from "node:crypto";
import { isErrorCode } from "../../lib/errors.ts";
import { repair, scrub, type ObjectStore, type ScrubFinding, type Vault } from "../../store/index.ts";
import { hashOfName, prefixes } from "../../store/format/object-names.ts";
import { hasConfig, readConfig } from "../../store/keys/config-store.ts";
import { quarantinePack } from "../../store/verify/quarantine.ts";
import { exitCodes } from "../exit-codes.ts";
import { openPlace, print, withVault, type VaultAccess } from "./context.ts";
import { toolErrors } from "./errors.ts";
import { openProgress } from "./progress.ts";

interface RepairOptions extends VaultAccess {
  readonly from: string;
  readonly quarantinedOnly?: boolean;
}

export function repairVault(options: RepairOptions): Promise<void> {
  return withVault(options, "write", async (vault, signal) => {
    await using copy = await openPlace(options, "read", options.from);
    await checkSameVault(vault, copy, signal);
    const findings = options.quarantinedOnly === true ? [] : await scrubHere(vault, options, signal);
    const indexes = await repairIndexes(vault.store, copy, findings, signal);
    const { repaired, stillBad } = await repair(vault, copy, signal);
    const outcome = { repaired, indexes: indexes.repaired, stillBad: [...stillBad, ...indexes.stillBad] };
    const text = [
      `Repaired ${repaired.length} packs and ${indexes.repaired.length} index objects from ${copy.location}.`,
      ...outcome.stillBad.map((hash) => `STILL BAD ${hash}: it is not good there either`),
    ].join("\n");
    print(options, outcome, text);
    if (outcome.stillBad.length > 0) process.exitCode = exitCodes.damaged;
  });
}

/** A copy that has lost its config may still have good packs. */
async function checkSameVault(vault: Vault, copy: ObjectStore, signal: AbortSignal): Promise<void> {
  if (!(await hasConfig(copy, signal))) return;
  const { vaultId } = (await readConfig(copy, signal)).config;
  if (vaultId === vault.config.vaultId) return;
  throw toolErrors.CopyForeign(`${copy.location} holds vault ${vaultId}, not a copy of ${vault.config.vaultId}.`);
}

async function scrubHere(vault: Vault, options: RepairOptions, signal: AbortSignal): Promise<ScrubFinding[]> {
  using progress = openProgress("scrubbing", options);
  const onProgress = ({ bytes, totalBytes }: { bytes: number; totalBytes: number }): void =>
    progress.show(bytes, totalBytes);
  const findings = await scrub(vault.store, { signal, onProgress });
  for (const { object, problem, message } of findings) {
    const hash = hashOfName(object);
    if (problem === "foreign" || hash === undefined || !object.startsWith(prefixes.packs)) continue;
    await quarantinePack(vault, hash, message, signal);
  }
  return findings;
}

/** An index object is only a hint, but one that is good saves reading all packs. */
async function repairIndexes(
  here: ObjectStore,
  copy: ObjectStore,
  findings: readonly ScrubFinding[],
  signal: AbortSignal,
): Promise<{ repaired: string[]; stillBad: string[] }> {
  const repaired: string[] = [];
  const stillBad: string[] = [];
  for (const { object, problem } of findings) {
    const hash = hashOfName(object);
    if (problem === "foreign" || hash === undefined || !object.startsWith(prefixes.index)) continue;
    const content = await copy.get(object, { signal }).catch((error: unknown) => {
      if (isErrorCode(error, "ObjectMissing")) return undefined;
      throw error;
    });
    const sha256 = content === undefined ? undefined : createHash("sha256").update(content).digest();
    if (content === undefined || sha256?.toString("hex") !== hash) stillBad.push(hash);
    else {
      await here.put(object, content, { sha256, signal });
      repaired.push(hash);
    }
  }
  return { repaired, stillBad };
}

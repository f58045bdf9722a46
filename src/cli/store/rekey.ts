// `store rekey` and `store export-key`: who can open the vault. The new key is durable in its file
// before the vault knows it, so no moment exists in which nobody could open it.

import { resolve } from "node:path";
import { disk } from "../../lib/files.ts";
import { addRecoveryKey, keyFromBytes, rekey, type ConfigChange, type KeyProvider } from "../../store/index.ts";
import { readConfig } from "../../store/keys/config-store.ts";
import type { VaultConfig } from "../../store/keys/config.ts";
import { interruptible, openPlace, print, type VaultAccess } from "./context.ts";
import { toolErrors } from "./errors.ts";
import { findKey, makeKeyFile, readKeyFile, readPassphrase } from "./key-file.ts";

interface RekeyOptions extends VaultAccess {
  readonly newKey?: string | true;
  readonly newPassphraseFile?: string;
  readonly slot?: string;
  readonly remove?: string;
  readonly newEpoch?: boolean;
}

export function rekeyVault(options: RekeyOptions): Promise<void> {
  if (options.newKey !== undefined && options.newPassphraseFile !== undefined) {
    throw toolErrors.UsageInvalid("--new-key and --new-passphrase-file: one change at a time.");
  }
  const hasNewKey = options.newKey !== undefined || options.newPassphraseFile !== undefined;
  if (!hasNewKey && options.remove === undefined && options.newEpoch !== true) {
    throw toolErrors.UsageInvalid(
      "Say what to change: --new-key, --new-passphrase-file, --remove SLOT or --new-epoch.",
    );
  }
  return interruptible(async (signal) => {
    await using store = await openPlace(options, "write");
    const { config } = await readConfig(store, signal);
    const opener = await findKey(options, config);
    const slots: Record<string, KeyProvider | undefined> = {};
    let keyFile: string | undefined;
    if (options.newPassphraseFile !== undefined) {
      slots[options.slot ?? "passphrase"] = await readPassphrase(options.newPassphraseFile);
    } else if (options.newKey !== undefined) {
      const made = await newKeyFile(options.newKey === true ? undefined : options.newKey);
      keyFile = made.path;
      slots[options.slot ?? "main"] = keyFromBytes(made.key);
    }
    if (options.remove !== undefined) slots[options.remove] = undefined;
    const change: ConfigChange = { slots, newEpoch: options.newEpoch };
    const changed = await rekey(store, opener, change, signal);
    const text = [
      ...(keyFile === undefined ? [] : [`The new key is in ${keyFile}.`]),
      `The vault opens with: ${changed.slots.map(({ name, kind }) => `${name} (${kind})`).join(", ")}.`,
      `New data is written under key epoch ${Math.max(...changed.epochs.map(({ number }) => number))}.`,
    ].join("\n");
    print(options, { keyFile, ...describeKeys(changed) }, text);
  });
}

interface ExportOptions extends VaultAccess {
  readonly to?: string;
  readonly replace?: boolean;
}

export function exportKey(options: ExportOptions): Promise<void> {
  return interruptible(async (signal) => {
    await using store = await openPlace(options, "write");
    const { config } = await readConfig(store, signal);
    const opener = await findKey(options, config);
    if (options.replace !== true && config.slots.some(({ name }) => name === "recovery")) {
      throw toolErrors.UsageInvalid("The vault has a recovery key already.", {
        remedy: "With --replace a new one is made and the old one stops opening the vault.",
      });
    }
    const target = options.to === undefined ? undefined : resolve(options.to);
    if (target !== undefined && (await disk.linkStatus(target)) !== undefined) {
      throw toolErrors.UsageInvalid(`${target} exists already.`);
    }
    const key = await addRecoveryKey(store, opener, signal);
    if (target === undefined) {
      const text = `${key}\n\nThis opens the vault ${config.vaultId}. It is shown once and stored nowhere: print it, keep it away from the vault.`;
      print(options, { recoveryKey: key, vaultId: config.vaultId }, text);
      return;
    }
    await disk.writeDurably(target, `${key}\n`, 0o600);
    print(
      options,
      { file: target, vaultId: config.vaultId },
      `The recovery key is in ${target}. Keep it away from the vault.`,
    );
  });
}

async function newKeyFile(path: string | undefined): Promise<{ readonly path: string; readonly key: Buffer }> {
  if (path === undefined || (await disk.status(path)) === undefined) return makeKeyFile(path);
  return { path, key: await readKeyFile(path) };
}

function describeKeys(config: VaultConfig) {
  return {
    vaultId: config.vaultId,
    keys: config.slots.map(({ name, kind, keyId }) => ({ name, kind, keyId })),
    epochs: config.epochs.map(({ number }) => number),
  };
}

// `config/<number>`: the vault's identity and its wrapped keys. Numbers only grow, each is created
// conditionally, the highest counts.

import { createHmac, timingSafeEqual } from "node:crypto";
import * as z from "zod";
import { storeErrors } from "../errors.ts";
import { checkVersion } from "../format/bytes.ts";
import { formatVersion, maxPackSize, objectKinds } from "../format/layout.ts";
import { parseDocument } from "../format/point.ts";
import { openKey, sealKey, type KeyProvider } from "./kek.ts";
import { deriveKey, nameHashes, vaultKeys, type VaultKeys } from "./vault-keys.ts";

const base64 = z.base64();
const slotSchema = z.object({
  name: z.string().min(1).max(100),
  kind: z.enum(["file", "service", "passphrase", "recovery"]),
  keyId: z.string().optional(),
  wrapped: base64,
  salt: base64.optional(),
  cost: z.object({ N: z.number().int(), r: z.number().int(), p: z.number().int() }).optional(),
});
export type KeySlot = z.infer<typeof slotSchema>;

const configSchema = z.object({
  format: z.number().int(),
  vaultId: z.string().regex(/^[0-9a-f]{32}$/),
  createdAt: z.number().int(),
  packTarget: z
    .number()
    .int()
    .min(1 << 16)
    .max(maxPackSize - (2 << 20)),
  nameHash: z.enum(nameHashes),
  slots: z.array(slotSchema),
  idKey: base64,
  epochs: z.array(z.object({ number: z.number().int().min(1).max(0xffffffff), key: base64 })).min(1),
  mac: z.string(),
});
export type VaultConfig = z.infer<typeof configSchema>;
type ConfigFields = Omit<VaultConfig, "mac">;

export function encodeConfig(vaultKey: Buffer, fields: ConfigFields): Buffer {
  const head = configHead(fields.vaultId);
  const config: VaultConfig = { ...fields, mac: configMac(vaultKey, head, fields).toString("hex") };
  return Buffer.concat([head, Buffer.from(JSON.stringify(config))]);
}

/** What can be read without a key. Nothing of it is trusted before `unlock`. */
export function decodeConfig(bytes: Uint8Array, what: string): VaultConfig {
  checkVersion(bytes[0], what);
  if (bytes[1] !== objectKinds.config) throw storeErrors.ObjectDamaged(`${what} is not a vault's config.`);
  const config = parseDocument(configSchema, bytes.subarray(18), what);
  if (!configHead(config.vaultId).equals(bytes.subarray(0, 18))) {
    throw storeErrors.ObjectDamaged(`${what} names two different vaults.`);
  }
  return config;
}

export interface UnlockedConfig {
  readonly config: VaultConfig;
  readonly vaultKey: Buffer;
  readonly keys: VaultKeys;
}

export async function unlock(config: VaultConfig, provider: KeyProvider): Promise<UnlockedConfig> {
  return openConfig(config, await unwrapVaultKey(config, provider));
}

/** With a vault key that was unwrapped before. */
export function openConfig(config: VaultConfig, vaultKey: Buffer): UnlockedConfig {
  const { mac, ...fields } = config;
  const expected = configMac(vaultKey, configHead(config.vaultId), fields);
  const given = Buffer.from(mac, "hex");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw storeErrors.ObjectDamaged(`The config of vault ${config.vaultId} was changed by somebody without its key.`);
  }
  const vaultId = Buffer.from(config.vaultId, "hex");
  const wrapKey = deriveKey(vaultKey, vaultId, Buffer.from("holdfast 1 wrap"));
  const open = (sealed: string, context: Buffer): Buffer => {
    const key = openKey(wrapKey, Buffer.from(sealed, "base64"), context);
    if (key === undefined)
      throw storeErrors.ObjectDamaged(`A key in the config of vault ${config.vaultId} is damaged.`);
    return key;
  };
  const epochs = new Map(config.epochs.map(({ number, key }) => [number, open(key, epochContext(vaultId, number))]));
  return {
    config,
    vaultKey,
    keys: vaultKeys(vaultId, config.nameHash, open(config.idKey, idContext(vaultId)), epochs),
  };
}

async function unwrapVaultKey(config: VaultConfig, provider: KeyProvider): Promise<Buffer> {
  const candidates = config.slots.filter(
    (slot) => slot.kind === provider.kind && (provider.keyId === undefined || slot.keyId === provider.keyId),
  );
  let refusal: unknown;
  for (const slot of candidates) {
    try {
      return await provider.unwrap(
        {
          wrapped: Buffer.from(slot.wrapped, "base64"),
          salt: slot.salt === undefined ? undefined : Buffer.from(slot.salt, "base64"),
          cost: slot.cost,
        },
        { vaultId: Buffer.from(config.vaultId, "hex"), slot: slot.name },
      );
    } catch (error) {
      refusal = error;
    }
  }
  if (refusal !== undefined) throw refusal;
  const known = config.slots.map((slot) => `${slot.name} (${slot.kind} ${slot.keyId ?? "without id"})`).join(", ");
  throw storeErrors.WrongKey(
    `This ${provider.kind} key${provider.keyId === undefined ? "" : ` (${provider.keyId})`} does not open vault ${config.vaultId}; it opens with: ${known}.`,
  );
}

export async function makeSlot(
  vaultId: Buffer,
  vaultKey: Buffer,
  name: string,
  provider: KeyProvider,
): Promise<KeySlot> {
  const { wrapped, salt, cost } = await provider.wrap(vaultKey, { vaultId, slot: name });
  return {
    name,
    kind: provider.kind,
    keyId: provider.keyId,
    wrapped: wrapped.toString("base64"),
    salt: salt?.toString("base64"),
    cost,
  };
}

export function wrapIdKey(vaultKey: Buffer, vaultId: Buffer, idKey: Buffer): string {
  return wrapInner(vaultKey, vaultId, idKey, idContext(vaultId));
}

export function wrapEpochKey(vaultKey: Buffer, vaultId: Buffer, number: number, key: Buffer): string {
  return wrapInner(vaultKey, vaultId, key, epochContext(vaultId, number));
}

function wrapInner(vaultKey: Buffer, vaultId: Buffer, key: Buffer, context: Buffer): string {
  return sealKey(deriveKey(vaultKey, vaultId, Buffer.from("holdfast 1 wrap")), key, context).toString("base64");
}

const idContext = (vaultId: Buffer): Buffer => Buffer.concat([vaultId, Buffer.from("id")]);

function epochContext(vaultId: Buffer, number: number): Buffer {
  const encoded = Buffer.alloc(4);
  encoded.writeUInt32LE(number);
  return Buffer.concat([vaultId, Buffer.from("epoch"), encoded]);
}

function configHead(vaultId: string): Buffer {
  return Buffer.concat([Buffer.of(formatVersion, objectKinds.config), Buffer.from(vaultId, "hex")]);
}

/** Over the fields in the order of the schema: what zod gives back and what we write agree in it. */
function configMac(vaultKey: Buffer, head: Buffer, fields: ConfigFields): Buffer {
  const key = deriveKey(vaultKey, head.subarray(2), Buffer.from("holdfast 1 config"));
  const ordered = {
    format: fields.format,
    vaultId: fields.vaultId,
    createdAt: fields.createdAt,
    packTarget: fields.packTarget,
    nameHash: fields.nameHash,
    slots: fields.slots.map(({ name, kind, keyId, wrapped, salt, cost }) => ({
      name,
      kind,
      keyId,
      wrapped,
      salt,
      cost: cost === undefined ? undefined : { N: cost.N, r: cost.r, p: cost.p },
    })),
    idKey: fields.idKey,
    epochs: fields.epochs.map(({ number, key }) => ({ number, key })),
  };
  return createHmac("sha256", key).update(head).update(JSON.stringify(ordered)).digest();
}

// A vault's customer-managed key: the key that opens its store is wrapped by a key of a key vault, which
// is used as the vault's own identity. Taking that right away, or disabling the key, stops backups and
// restores at once; nothing is lost, and with the right they go on.

import * as z from "zod";
import type { VaultCaller } from "../../keys/access.ts";
import type { KeyVaults } from "../../keys/key-vaults.ts";
import { defineErrors, HoldfastError } from "../../lib/errors.ts";
import { keyFromService } from "../../store/index.ts";
import type { KeyOfStore, StoreKey } from "../stores/store-key.ts";

export const customerKeyErrors = defineErrors({
  UserErrorCMKKeyUnavailable: {
    status: 409,
    remedy:
      "Enable the key and grant the vault's identity get, wrapKey and unwrapKey on it. Nothing is lost: backups and restores go on when the key is back.",
  },
  UserErrorKeyVaultIdentityMissing: {
    status: 400,
    remedy: "Assign an identity to the vault first: az backup vault identity assign.",
  },
});

const reference = z.object({ keyUri: z.string(), principalId: z.string() });
export type CustomerKey = z.output<typeof reference>;

/** What is kept with the store: which key, and as whom it is used. */
export function storeKeyOf(key: CustomerKey): StoreKey {
  return { kind: "service", reference: JSON.stringify(reference.parse(key)) };
}

const algorithm = "RSA-OAEP-256";
const wrappedKey = z.object({ keyId: z.string(), wrapped: z.string() });

export function customerKeys(
  keyVaults: () => KeyVaults,
  callerOf: (principalId: string) => Promise<VaultCaller>,
): KeyOfStore {
  return async (key) => {
    if (key.kind !== "service") throw new Error("this key is not in a key vault");
    const { keyUri, principalId } = reference.parse(JSON.parse(key.reference));
    const as = (): Promise<VaultCaller> => callerOf(principalId);
    return keyFromService({
      keyId: keyUri,
      wrap: async (bytes) => {
        const { keyId, wrapped } = await unavailable(keyUri, async () =>
          keyVaults().wrapKey(keyUri, bytes, algorithm, await as()),
        );
        // The version is remembered: a key that is rotated still opens what it wrapped before.
        return Buffer.from(JSON.stringify({ keyId, wrapped: wrapped.toString("base64") }));
      },
      unwrap: async (bytes) => {
        const { keyId, wrapped } = wrappedKey.parse(JSON.parse(Buffer.from(bytes).toString("utf8")));
        return unavailable(keyUri, async () =>
          keyVaults().unwrapKey(keyId, Buffer.from(wrapped, "base64"), algorithm, await as()),
        );
      },
    });
  };
}

async function unavailable<T>(keyUri: string, use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (cause) {
    if (!(cause instanceof HoldfastError)) throw cause;
    throw customerKeyErrors.UserErrorCMKKeyUnavailable(
      `The customer-managed key ${keyUri} cannot be used by the vault: ${cause.code}: ${cause.message}`,
      { cause },
    );
  }
}

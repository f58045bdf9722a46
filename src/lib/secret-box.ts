// Secrets at rest: AES-256-GCM under one 32-byte key. A sealed value is
//   version (1) | nonce (12) | tag (16) | ciphertext
// and says nothing about the key: whoever changes keys opens with the old box and seals with the new.

import { createCipheriv, createDecipheriv } from "node:crypto";
import { defineErrors } from "./errors.ts";
import { randomBytes } from "./random.ts";

export interface SecretBox {
  seal(bytes: Uint8Array): Buffer;
  /** Throws SecretUnreadable when the bytes were changed or sealed under another key. */
  open(sealed: Uint8Array): Buffer;
}

export const secretBoxKeyLength = 32;

const version = 1;
const nonceLength = 12;
const tagLength = 16;
const headLength = 1 + nonceLength + tagLength;

const errors = defineErrors({
  SecretUnreadable: { status: 500, remedy: "Start with the key file that the secrets were sealed under." },
  SecretBoxKeyInvalid: { status: 500, remedy: "Restore the key file from a backup of the data folder." },
});

export function secretBox(key: Uint8Array): SecretBox {
  if (key.length !== secretBoxKeyLength) {
    throw errors.SecretBoxKeyInvalid(`A key of ${secretBoxKeyLength} bytes is needed, this one has ${key.length}.`);
  }
  return {
    seal: (bytes) => {
      const nonce = randomBytes(nonceLength);
      const cipher = createCipheriv("aes-256-gcm", key, nonce);
      const body = Buffer.concat([cipher.update(bytes), cipher.final()]);
      return Buffer.concat([Buffer.of(version), nonce, cipher.getAuthTag(), body]);
    },
    open: (sealed) => {
      const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
      if (bytes.length < headLength || bytes[0] !== version) {
        throw errors.SecretUnreadable("A sealed secret is too short or of an unknown version.");
      }
      const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(1, 1 + nonceLength));
      decipher.setAuthTag(bytes.subarray(1 + nonceLength, headLength));
      try {
        return Buffer.concat([decipher.update(bytes.subarray(headLength)), decipher.final()]);
      } catch (error) {
        throw errors.SecretUnreadable("A sealed secret does not open with this key.", { cause: error });
      }
    },
  };
}

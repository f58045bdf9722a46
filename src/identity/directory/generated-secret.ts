// Secrets that we make up. Letters, digits and, in the middle of client secrets, the mark "8Q~" by
// which scanners know an Azure client secret in a repository.

import { randomBelow } from "../../lib/random.ts";

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** 34 random characters: more than 200 bits. */
export function newClientSecret(): string {
  return `${randomText(3)}8Q~${randomText(34)}`;
}

export function newPassword(): string {
  return randomText(28);
}

function randomText(length: number): string {
  return Array.from({ length }, () => alphabet.charAt(randomBelow(alphabet.length))).join("");
}

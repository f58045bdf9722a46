// The recovery key on paper: 32 bytes as base32, 13 groups of 4 letters and a check letter each.

import { storeErrors } from "../errors.ts";

const alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const groupCount = 13;

export function printRecoveryKey(key: Uint8Array): string {
  let bits = 0n;
  for (const byte of key) bits = (bits << 8n) | BigInt(byte);
  bits <<= BigInt(groupCount * 20 - 256);
  const groups: string[] = [];
  for (let position = 0; position < groupCount; position += 1) {
    const chunk = Number((bits >> BigInt((groupCount - 1 - position) * 20)) & 0xfffffn);
    const values = [15, 10, 5, 0].map((shift) => (chunk >> shift) & 31);
    groups.push([...values, checkValue(values, position)].map((value) => alphabet[value]).join(""));
  }
  return groups.join("-");
}

export function parseRecoveryKey(text: string): Buffer {
  const letters = text.toUpperCase().replaceAll(/[^A-Z0-9]/g, "");
  if (letters.length !== groupCount * 5) {
    throw storeErrors.KeyDamaged(
      `A recovery key has ${groupCount} groups of 5 characters; this one has ${letters.length} characters in all.`,
    );
  }
  let bits = 0n;
  for (let position = 0; position < groupCount; position += 1) {
    const group = letters.slice(position * 5, position * 5 + 5);
    const values = [...group].map((letter) => alphabet.indexOf(letter));
    const data = values.slice(0, 4);
    if (values.includes(-1) || values[4] !== checkValue(data, position)) {
      throw storeErrors.KeyDamaged(`Group ${position + 1} of the recovery key (${group}) has a typing mistake.`);
    }
    for (const value of data) bits = (bits << 5n) | BigInt(value);
  }
  const spare = BigInt(groupCount * 20 - 256);
  if ((bits & ((1n << spare) - 1n)) !== 0n) throw storeErrors.KeyDamaged("The recovery key's last group is wrong.");
  bits >>= spare;
  return Buffer.from(bits.toString(16).padStart(64, "0"), "hex");
}

/** Odd weights find every single wrong letter and most swaps of two; the position finds swapped groups. */
function checkValue(values: readonly number[], position: number): number {
  const weights = [1, 3, 7, 11];
  return values.reduce((sum, value, index) => sum + value * (weights[index] ?? 1), position * 5) % 32;
}

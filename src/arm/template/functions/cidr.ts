// Networks in CIDR notation, IPv4 and IPv6, as numbers of 32 or 128 bits.

import { newObject } from "../../relaxed-json/json.ts";
import { integerAt, refuse, textAt } from "./arguments.ts";
import { type BuiltInTable, eager } from "./built-in.ts";

export const cidrFunctions: BuiltInTable = {
  parseCidr: eager(1, 1, (args, _context, name) => {
    const network = readNetwork(name, textAt(name, args, 0));
    const last = network.first + (1n << BigInt(network.bits - network.prefix)) - 1n;
    const keepsEdges = network.bits === 128 || network.prefix >= 31;
    const result = newObject();
    result["network"] = write(network.first, network.bits);
    result["netmask"] = write(mask(network.prefix, network.bits), network.bits);
    if (network.bits === 32) result["broadcast"] = write(last, 32);
    result["firstUsable"] = write(keepsEdges ? network.first : network.first + 1n, network.bits);
    result["lastUsable"] = write(keepsEdges ? last : last - 1n, network.bits);
    result["cidr"] = network.prefix;
    return result;
  }),
  cidrSubnet: eager(3, 3, (args, _context, name) => {
    const network = readNetwork(name, textAt(name, args, 0));
    const [prefix, index] = [integerAt(name, args, 1), integerAt(name, args, 2)];
    if (prefix < network.prefix || prefix > network.bits) {
      throw refuse(name, `the new prefix must be between ${network.prefix} and ${network.bits} and is ${prefix}`);
    }
    if (index < 0 || BigInt(index) >= 1n << BigInt(prefix - network.prefix)) {
      throw refuse(name, `the network has no subnet of size /${prefix} with index ${index}`);
    }
    const first = network.first + (BigInt(index) << BigInt(network.bits - prefix));
    return `${write(first, network.bits)}/${prefix}`;
  }),
  cidrHost: eager(2, 2, (args, _context, name) => {
    const network = readNetwork(name, textAt(name, args, 0));
    const index = integerAt(name, args, 1);
    const size = 1n << BigInt(network.bits - network.prefix);
    const reserved = network.bits === 32 && network.prefix < 31 ? 2n : 1n;
    if (index < 0 || BigInt(index) + reserved > size) throw refuse(name, `the network has no host with index ${index}`);
    return write(network.first + (network.prefix >= network.bits - 1 ? 0n : 1n) + BigInt(index), network.bits);
  }),
};

interface Network {
  readonly first: bigint;
  readonly prefix: number;
  readonly bits: 32 | 128;
}

function readNetwork(name: string, text: string): Network {
  const match = /^([0-9a-fA-F.:]{2,45})\/(\d{1,3})$/.exec(text);
  const address = match?.[1] ?? "";
  const prefix = Number(match?.[2]);
  const bits = address.includes(":") ? 128 : 32;
  const value = bits === 128 ? readIpv6(address) : readIpv4(address);
  if (value === undefined || !(prefix <= bits))
    throw refuse(name, `'${text.slice(0, 80)}' is not a network in CIDR notation`);
  return { first: value & mask(prefix, bits), prefix, bits };
}

function mask(prefix: number, bits: number): bigint {
  return ((1n << BigInt(prefix)) - 1n) << BigInt(bits - prefix);
}

function readIpv4(text: string): bigint | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || parts.some((part) => !/^\d{1,3}$/.test(part) || Number(part) > 255)) return undefined;
  return parts.reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

function readIpv6(text: string): bigint | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head = [], tail = []] = halves.map((half) => (half === "" ? [] : half.split(":")));
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => "0"), ...tail];
  if (groups.some((group) => !/^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  return groups.reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n);
}

function write(value: bigint, bits: number): string {
  if (bits === 32) return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join(".");
  const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - index * 16)) & 0xffffn).toString(16));
  const text = groups.join(":");
  const zeros = text.match(/\b0(?::0\b)+/g)?.toSorted((left, right) => right.length - left.length)[0];
  if (zeros === undefined) return text;
  const at = text.search(new RegExp(`(?<![0-9a-f])${zeros}(?![0-9a-f])`));
  const [before, after] = [text.slice(0, at).replace(/:$/, ""), text.slice(at + zeros.length).replace(/^:/, "")];
  return `${before}::${after}`;
}

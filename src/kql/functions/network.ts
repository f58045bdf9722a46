// IPv4 and IPv6 addresses with their prefixes.

import type { Dynamic } from "../values/dynamic.ts";
import { integer, list, text, type RuntimeFunction } from "./value.ts";

interface Network {
  readonly address: bigint;
  readonly prefix: number;
}

function parse4(value: string): Network | null {
  const match = /^\s*(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:\/(\d{1,2}))?\s*$/.exec(value);
  if (match === null) return null;
  const bytes = match.slice(1, 5).map(Number);
  const prefix = match[5] === undefined ? 32 : Number(match[5]);
  if (bytes.some((byte) => byte > 255) || prefix > 32) return null;
  return { address: bytes.reduce((all, byte) => all * 256n + BigInt(byte), 0n), prefix };
}

/** IPv4 addresses count as ::ffff:a.b.c.d. */
function parse6(value: string, embeddedPrefix = true): Network | null {
  const four = parse4(value);
  if (four !== null) return { address: 0xff_ff_00_00_00_00n + four.address, prefix: four.prefix + 96 };
  const [addressText = "", prefixText] = value.trim().split("/");
  const isEmbedded = /\d+\.\d+\.\d+\.\d+$/.test(addressText);
  const given = prefixText === undefined ? 128 : Number(prefixText);
  const prefix = embeddedPrefix && isEmbedded && given <= 32 ? given + 96 : given;
  if (!(prefix >= 0 && prefix <= 128)) return null;
  const embedded = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(addressText);
  const tail = embedded === null ? null : parse4(embedded[2] ?? "");
  const plain =
    embedded === null || tail === null
      ? addressText
      : `${embedded[1]}${(tail.address >> 16n).toString(16)}:${(tail.address & 0xffffn).toString(16)}`;
  const [head = "", rest, ...more] = plain.split("::");
  if (more.length > 0) return null;
  const groups = (part: string): string[] => (part === "" ? [] : part.split(":"));
  const [before, after] = [groups(head), rest === undefined ? [] : groups(rest)];
  const missing = 8 - before.length - after.length;
  if (rest === undefined ? missing !== 0 : missing < 1) return null;
  const all = [...before, ...Array.from({ length: rest === undefined ? 0 : missing }, () => "0"), ...after];
  if (!all.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return null;
  return { address: all.reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n), prefix };
}

/** For comparisons a prefix always counts from the left of all 128 bits. */
const parse6Plain = (value: string): Network | null => parse6(value, false);

const masked = (address: bigint, prefix: number, bits: number): bigint =>
  (address >> BigInt(bits - prefix)) << BigInt(bits - prefix);

function show4(address: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (address >> shift) & 255n).join(".");
}

const show6 = (address: bigint): string =>
  Array.from({ length: 8 }, (_, index) =>
    ((address >> BigInt(112 - index * 16)) & 0xffffn).toString(16).padStart(4, "0"),
  ).join(":");

function matches(parse: (value: string) => Network | null, bits: number, args: readonly Dynamic[]): bigint | null {
  const [left, right] = [parse(text(args[0])), parse(text(args[1]))];
  if (left === null || right === null) return null;
  const both4 = bits === 128 && parse4(text(args[0])) !== null && parse4(text(args[1])) !== null;
  const given = args[2] === undefined || args[2] === null ? bits : integer(args[2]) + (both4 ? 96 : 0);
  if (given < 0 || given > bits) return null;
  const prefix = Math.min(left.prefix, right.prefix, given);
  const [a, b] = [masked(left.address, prefix, bits), masked(right.address, prefix, bits)];
  return a === b ? 0n : a < b ? -1n : 1n;
}

function inRange(
  parse: (value: string) => Network | null,
  bits: number,
  value: Dynamic | undefined,
  range: Dynamic | undefined,
): boolean | null {
  const [address, network] = [parse(text(value)), parse(text(range))];
  if (address === null || network === null) return null;
  return masked(address.address, network.prefix, bits) === masked(network.address, network.prefix, bits);
}

const inAny =
  (parse: (value: string) => Network | null, bits: number): RuntimeFunction =>
  ([value, ...ranges]) => {
    if (parse(text(value)) === null) return null;
    return ranges
      .flatMap((range) => list(range) ?? [range])
      .some((range) => inRange(parse, bits, value, range) === true);
  };

/** Addresses that stand by themselves in a text. */
function addressesIn(value: string): string[] {
  return [...value.matchAll(/(?<![0-9A-Za-z.])\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?![0-9A-Za-z]|\.\d)/g)]
    .map(([address]) => address)
    .filter((address) => parse4(address) !== null);
}

const terms = (args: readonly Dynamic[]): string[] =>
  args
    .slice(1)
    .flatMap((arg) => list(arg) ?? [arg])
    .map((term) => text(term));

/** A prefix ends with a dot or is a whole address. */
function hasPrefix(address: string, prefix: string): boolean {
  return prefix.endsWith(".") ? address.startsWith(prefix) : address === prefix;
}

function cidrList(from: bigint, to: bigint): string[] {
  const found: string[] = [];
  for (let at = from; at <= to;) {
    let size = 0;
    while (size < 32 && at % 2n ** BigInt(size + 1) === 0n && at + 2n ** BigInt(size + 1) - 1n <= to) size += 1;
    found.push(`${show4(at)}/${32 - size}`);
    at += 2n ** BigInt(size);
  }
  return found;
}

const privateNetworks = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];

function format4(value: Dynamic | undefined, mask: Dynamic | undefined): Network | null {
  const network = typeof value === "bigint" ? { address: value, prefix: 32 } : parse4(text(value));
  const prefix = mask === undefined ? 32 : mask === null ? -1 : integer(mask);
  if (network === null || prefix < 0 || prefix > 32) return null;
  const shortest = Math.min(network.prefix, prefix);
  return { address: masked(network.address, shortest, 32), prefix: shortest };
}

export const networkFunctions: Readonly<Record<string, RuntimeFunction>> = {
  parse_ipv4: ([value]) => {
    const network = parse4(text(value));
    return network === null ? null : masked(network.address, network.prefix, 32);
  },
  parse_ipv4_mask: ([value, prefix]) => {
    const network = parse4(text(value));
    return network === null ? null : masked(network.address, Math.min(network.prefix, integer(prefix, 32)), 32);
  },
  parse_ipv6: ([value]) => {
    const network = parse6(text(value));
    return network === null ? "" : show6(masked(network.address, network.prefix, 128));
  },
  parse_ipv6_mask: ([value, prefix]) => {
    const network = parse6(text(value));
    if (network === null) return "";
    const given = integer(prefix, 128) + (parse4(text(value)) === null || integer(prefix, 128) > 32 ? 0 : 96);
    return show6(masked(network.address, Math.min(network.prefix, given), 128));
  },
  ipv4_compare: (args) => matches(parse4, 32, args),
  ipv4_is_match: (args) => ((found) => (found === null ? null : found === 0n))(matches(parse4, 32, args)),
  ipv6_compare: (args) => matches(parse6Plain, 128, args),
  ipv6_is_match: (args) => ((found) => (found === null ? null : found === 0n))(matches(parse6Plain, 128, args)),
  ipv4_is_in_range: ([value, range]) => inRange(parse4, 32, value, range),
  ipv6_is_in_range: ([value, range]) => inRange((address) => parse6(address), 128, value, range),
  ipv4_is_in_any_range: inAny(parse4, 32),
  ipv6_is_in_any_range: inAny((value) => parse6(value), 128),
  ipv4_is_private: ([value]) =>
    parse4(text(value)) === null ? null : privateNetworks.some((range) => inRange(parse4, 32, value, range) === true),
  ipv4_netmask_suffix: ([value]) =>
    ((network) => (network === null ? null : BigInt(network.prefix)))(parse4(text(value))),
  ipv4_range_to_cidr_list: ([from, to]) => {
    const [start, end] = [parse4(text(from)), parse4(text(to))];
    return start === null || end === null ? null : cidrList(start.address, end.address);
  },
  format_ipv4: ([value, mask]) => ((network) => (network === null ? "" : show4(network.address)))(format4(value, mask)),
  format_ipv4_mask: ([value, mask]) =>
    ((network) => (network === null ? "" : `${show4(network.address)}/${network.prefix}`))(format4(value, mask)),
  has_ipv4: ([source, wanted]) => addressesIn(text(source)).includes(text(wanted)),
  has_any_ipv4: (args) =>
    ((wanted) => addressesIn(text(args[0])).some((address) => wanted.includes(address)))(terms(args)),
  has_ipv4_prefix: ([source, prefix]) => addressesIn(text(source)).some((address) => hasPrefix(address, text(prefix))),
  has_any_ipv4_prefix: (args) =>
    addressesIn(text(args[0])).some((address) => terms(args).some((prefix) => hasPrefix(address, prefix))),
};

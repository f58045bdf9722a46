// Texts as bytes and back: base64, compression, URLs, code points, international domain names.

import { domainToASCII } from "node:url";
import { deflateSync, gunzipSync, gzipSync, inflateSync } from "node:zlib";
import { dynamicToText } from "../values/dynamic.ts";
import { integer, list, points, text, type RuntimeFunction } from "./value.ts";

export const textEncodings: Readonly<Record<string, RuntimeFunction>> = {
  base64_encode_tostring: ([value]) => Buffer.from(text(value), "utf8").toString("base64"),
  base64_decode_tostring: ([value]) => asText(bytesOfBase64(text(value))),
  base64_decode_toarray: ([value]) => {
    const bytes = bytesOfBase64(text(value));
    return bytes === null ? null : [...bytes].map(BigInt);
  },
  base64_encode_fromarray: ([value]) =>
    list(value) === undefined ? "" : Buffer.from((list(value) ?? []).map((byte) => integer(byte))).toString("base64"),
  base64_encode_fromguid: ([value]) => {
    const hex = text(value).replaceAll("-", "");
    const mixed = hex.replace(/^(..)(..)(..)(..)(..)(..)(..)(..)/, "$4$3$2$1$6$5$8$7");
    return Buffer.from(mixed, "hex").toString("base64");
  },
  base64_decode_toguid: ([value]) => {
    const bytes = bytesOfBase64(text(value));
    if (bytes === null || bytes.length !== 16) return null;
    const hex = bytes.toString("hex").replace(/^(..)(..)(..)(..)(..)(..)(..)(..)/, "$4$3$2$1$6$5$8$7");
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  },
  gzip_compress_to_base64_string: ([value]) => gzipped(text(value)).toString("base64"),
  gzip_decompress_from_base64_string: ([value]) => unpacked(text(value), gunzipSync),
  zlib_compress_to_base64_string: ([value]) =>
    deflateSync(text(value), { level: packLevel(text(value)) }).toString("base64"),
  zlib_decompress_from_base64_string: ([value]) => unpacked(text(value), inflateSync),
  url_encode: ([value]) =>
    lowerEscapes(
      encodeURIComponent(text(value))
        .replaceAll("%20", "+")
        .replaceAll(/['~]/g, (c) => `%${c.charCodeAt(0).toString(16)}`),
    ),
  url_encode_component: ([value]) =>
    encodeURIComponent(text(value)).replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`),
  url_decode: ([value]) => decodeUrl(text(value), true),
  unicode_codepoints_from_string: ([value = null]) =>
    value === null ? null : points(dynamicToText(value)).map((point) => BigInt(point.codePointAt(0) ?? 0)),
  unicode_codepoints_to_string: (args) =>
    String.fromCodePoint(...args.flatMap((arg) => list(arg) ?? [arg]).map((point) => integer(point))),
  punycode_from_string: ([value]) => domainToASCII(text(value)).replace(/^xn--/, ""),
  punycode_to_string: ([value]) => decodeLabel(`xn--${text(value)}`),
  punycode_domain_from_string: ([value]) => text(value).split(".").map(decodeLabel).join("."),
  punycode_domain_to_string: ([value]) => domainToASCII(text(value)),
};

const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

function bytesOfBase64(value: string): Buffer | null {
  return /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(value)
    ? Buffer.from(value, "base64")
    : null;
}

function asText(bytes: Uint8Array | null): string {
  try {
    return bytes === null ? "" : strictUtf8.decode(bytes);
  } catch {
    return "";
  }
}

const largestUnpacked = 16 * 1024 * 1024;

function unpacked(value: string, unpack: (bytes: Buffer, options: { maxOutputLength: number }) => Buffer): string {
  const bytes = bytesOfBase64(value);
  try {
    return bytes === null ? "" : asText(unpack(bytes, { maxOutputLength: largestUnpacked }));
  } catch {
    return "";
  }
}

/** The service stores short texts as they are. */
const packLevel = (value: string): number => (value.length < 64 ? 0 : 6);

/** The header names no operating system, as the service's does. */
function gzipped(value: string): Buffer {
  const bytes = gzipSync(value, { level: packLevel(value) });
  bytes[8] = 0;
  bytes[9] = 255;
  return bytes;
}

function decodeUrl(value: string, plus: boolean): string {
  const spaced = plus ? value.replaceAll("+", " ") : value;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}

const lowerEscapes = (value: string): string => value.replaceAll(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase());

/** A label behind `xn--` as RFC 3492 decodes it; the case of plain letters stays. */
function decodeLabel(label: string): string {
  if (!/^xn--/i.test(label)) return label;
  const encoded = label.slice(4);
  const dash = encoded.lastIndexOf("-");
  const output = points(dash < 0 ? "" : encoded.slice(0, dash));
  let [code, index, bias] = [128, 0, 72];
  for (let at = dash + 1; at < encoded.length;) {
    const before = index;
    for (let [weight, step] = [1, 36]; ; step += 36) {
      const digit = Number.parseInt(encoded.charAt(at), 36);
      if (Number.isNaN(digit)) return label;
      const value = digit < 10 ? digit + 26 : digit - 10;
      at += 1;
      index += value * weight;
      const threshold = step <= bias ? 1 : step >= bias + 26 ? 26 : step - bias;
      if (value < threshold) break;
      weight *= 36 - threshold;
    }
    const length = output.length + 1;
    bias = adapted(index - before, length, before === 0);
    code += Math.floor(index / length);
    index %= length;
    if (code > 0x10_ff_ff) return label;
    output.splice(index, 0, String.fromCodePoint(code));
    index += 1;
  }
  return output.join("");
}

function adapted(delta: number, length: number, first: boolean): number {
  let value = Math.floor(delta / (first ? 700 : 2));
  value += Math.floor(value / length);
  let step = 0;
  for (; value > 455; step += 36) value = Math.floor(value / 35);
  return step + Math.floor((36 * value) / (value + 38));
}

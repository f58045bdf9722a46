// Dynamic values as KQL sees them: whole numbers stay apart from reals (1 and 1.0 differ in
// gettype), 64-bit numbers keep their digits, and the keys of a bag keep their order.

import { formatReal } from "./real.ts";

export type Dynamic = null | boolean | string | bigint | number | Dynamic[] | Map<string, Dynamic>;

/** The value that a JSON text holds; undefined when it is not JSON. */
export function parseDynamic(text: string): Dynamic | undefined {
  const reader = new JsonReader(text);
  try {
    return reader.document();
  } catch (error) {
    if (error instanceof NotJson) return undefined;
    throw error;
  }
}

/** Compact JSON text; object keys in their order. */
export function formatDynamic(value: Dynamic): string {
  if (value === null) return "null";
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "boolean" || typeof value === "bigint") return String(value);
  if (typeof value === "number")
    return Number.isFinite(value) ? formatReal(value) : JSON.stringify(nonFiniteName(value));
  if (Array.isArray(value)) return `[${value.map(formatDynamic).join(",")}]`;
  return `{${[...value].map(([key, item]) => `${JSON.stringify(key)}:${formatDynamic(item)}`).join(",")}}`;
}

function nonFiniteName(value: number): string {
  return Number.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
}

/** `tostring()` of a dynamic value: a string is itself, null is empty, the rest is JSON. */
export function dynamicToText(value: Dynamic): string {
  if (value === null) return "";
  return typeof value === "string" ? value : formatDynamic(value);
}

export function dynamicEquals(left: Dynamic, right: Dynamic): boolean {
  if (isNumber(left) && isNumber(right)) return Number(left) === Number(right);
  return formatDynamic(left) === formatDynamic(right);
}

export function isNumber(value: Dynamic): value is bigint | number {
  return typeof value === "bigint" || typeof value === "number";
}

/** The number that a dynamic element stands for, or null. */
export function toNumber(value: Dynamic): number | null {
  if (isNumber(value)) return Number(value);
  if (typeof value === "boolean") return value ? 1 : 0;
  if (value === "NaN") return Number.NaN;
  if (value === "Infinity") return Number.POSITIVE_INFINITY;
  if (value === "-Infinity") return Number.NEGATIVE_INFINITY;
  return null;
}

class NotJson extends Error {}

const maximumDepth = 1000;

class JsonReader {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): Dynamic {
    const value = this.#value();
    this.#blanks();
    if (this.#at !== this.#text.length) throw new NotJson();
    return value;
  }

  #blanks(): void {
    while (this.#at < this.#text.length && " \t\r\n".includes(this.#text.charAt(this.#at))) this.#at += 1;
  }

  #value(): Dynamic {
    this.#blanks();
    const next = this.#text.charAt(this.#at);
    if (next === "{") return this.#nested(() => this.#object());
    if (next === "[") return this.#nested(() => this.#array());
    if (next === '"') return this.#string();
    if (this.#word("true")) return true;
    if (this.#word("false")) return false;
    if (this.#word("null")) return null;
    return this.#number();
  }

  #nested<T>(read: () => T): T {
    this.#depth += 1;
    if (this.#depth > maximumDepth) throw new NotJson();
    const value = read();
    this.#depth -= 1;
    return value;
  }

  #word(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false;
    this.#at += word.length;
    return true;
  }

  #number(): Dynamic {
    const pattern = /-?\d+(\.\d+)?([eE][+-]?\d+)?/y;
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) throw new NotJson();
    this.#at = pattern.lastIndex;
    if (match[1] !== undefined || match[2] !== undefined) return Number(match[0]);
    const whole = BigInt(match[0]);
    return BigInt.asIntN(64, whole) === whole ? whole : Number(match[0]);
  }

  #string(): string {
    const pattern = /"(?:[^"\\]|\\.)*"/y;
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) throw new NotJson();
    this.#at = pattern.lastIndex;
    try {
      return JSON.parse(match[0]) as string;
    } catch {
      throw new NotJson();
    }
  }

  #array(): Dynamic[] {
    const items: Dynamic[] = [];
    this.#at += 1;
    this.#blanks();
    if (this.#take("]")) return items;
    for (;;) {
      items.push(this.#value());
      this.#blanks();
      if (this.#take("]")) return items;
      if (!this.#take(",")) throw new NotJson();
    }
  }

  #object(): Map<string, Dynamic> {
    const bag = new Map<string, Dynamic>();
    this.#at += 1;
    this.#blanks();
    if (this.#take("}")) return bag;
    for (;;) {
      this.#blanks();
      if (this.#text.charAt(this.#at) !== '"') throw new NotJson();
      const key = this.#string();
      this.#blanks();
      if (!this.#take(":")) throw new NotJson();
      bag.set(key, this.#value());
      this.#blanks();
      if (this.#take("}")) return bag;
      if (!this.#take(",")) throw new NotJson();
    }
  }

  #take(character: string): boolean {
    if (this.#text.charAt(this.#at) !== character) return false;
    this.#at += 1;
    return true;
  }
}

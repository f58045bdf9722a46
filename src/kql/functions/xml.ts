// parse_xml(): elements become bags, attributes keys with "@", text beside them "#text", elements of the
// same name an array. Entities other than XML's own five and numbers stay as they are: nothing is fetched.

import type { Dynamic } from "../values/dynamic.ts";
import { text, type RuntimeFunction } from "./value.ts";

const longestText = 1_048_576;
const deepest = 200;

class NotXml extends Error {}

const entities: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function unescaped(value: string): string {
  return value.replaceAll(/&(#x[0-9a-f]{1,6}|#\d{1,7}|\w+);/gi, (whole, name: string) => {
    if (!name.startsWith("#")) return entities[name] ?? whole;
    const code = /^#x/i.test(name) ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
    return code <= 0x10_ff_ff ? String.fromCodePoint(code) : whole;
  });
}

class XmlReader {
  readonly #text: string;
  #at = 0;

  constructor(value: string) {
    this.#text = value;
  }

  document(): Dynamic {
    const found = new Map<string, Dynamic>();
    this.#skip();
    const [name, value] = this.#element(0);
    found.set(name, value);
    this.#skip();
    if (this.#at < this.#text.length) throw new NotXml();
    return found;
  }

  /** Blanks, comments, declarations and instructions. */
  #skip(): void {
    for (;;) {
      if (this.#match(/\s+/y) !== undefined) continue;
      if (this.#match(/<!--[^]*?-->/y) !== undefined) continue;
      if (this.#match(/<\?[^]*?\?>/y) !== undefined) continue;
      if (this.#match(/<!DOCTYPE[^[>]*>/y) !== undefined) continue;
      return;
    }
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null || match[0] === "") return undefined;
    this.#at = pattern.lastIndex;
    return match;
  }

  #element(depth: number): readonly [string, Dynamic] {
    const open = this.#match(/<([\w:.-]+)/y);
    if (open?.[1] === undefined || depth > deepest) throw new NotXml();
    const parts = new Map<string, Dynamic>();
    for (;;) {
      const attribute = this.#match(/\s+([\w:.-]+)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/y);
      if (attribute === undefined) break;
      parts.set(`@${attribute[1]}`, unescaped(attribute[2] ?? attribute[3] ?? ""));
    }
    if (this.#match(/\s*\/>/y) !== undefined) return [open[1], parts.size === 0 ? null : parts];
    if (this.#match(/\s*>/y) === undefined) throw new NotXml();
    this.#content(open[1], parts, depth);
    const [only] = parts;
    if (only === undefined) return [open[1], ""];
    return [open[1], parts.size === 1 && only[0] === "#text" ? only[1] : parts];
  }

  #content(name: string, parts: Map<string, Dynamic>, depth: number): void {
    for (;;) {
      const close = this.#match(/<\/([\w:.-]+)\s*>/y);
      if (close !== undefined) {
        if (close[1] !== name) throw new NotXml();
        return;
      }
      const section = this.#match(/<!\[CDATA\[([^]*?)\]\]>/y);
      if (section !== undefined) {
        add(parts, "#cdata-section", section[1] ?? "");
        continue;
      }
      if (this.#match(/<!--[^]*?-->|<\?[^]*?\?>/y) !== undefined) continue;
      const found = this.#match(/[^<]+/y);
      if (found === undefined) add(parts, ...this.#element(depth + 1));
      else if (found[0].trim() !== "") add(parts, "#text", unescaped(found[0]).trim());
    }
  }
}

function add(parts: Map<string, Dynamic>, key: string, value: Dynamic): void {
  const before = parts.get(key);
  if (before === undefined) parts.set(key, value);
  else if (Array.isArray(before)) before.push(value);
  else parts.set(key, [before, value]);
}

const parseXml: RuntimeFunction = ([value]) => {
  const source = text(value);
  if (source.length > longestText) return null;
  try {
    return new XmlReader(source).document();
  } catch (error) {
    if (error instanceof NotXml) return null;
    throw error;
  }
};

export const xmlFunctions: Readonly<Record<string, RuntimeFunction>> = { parse_xml: parseXml };

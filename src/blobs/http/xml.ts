// XML out, and the little that clients send in. The reader knows elements and text: no attributes are
// kept, and documents with a DTD are refused, so nothing can be expanded.

import { blobErrors } from "../errors.ts";

export interface Element {
  readonly name: string;
  readonly text: string;
  readonly children: readonly Element[];
}

type Content = string | number | boolean | undefined | readonly string[];

/** An element; undefined content leaves it out. */
export function xml(
  name: string,
  content: Content,
  attributes: Readonly<Record<string, string | undefined>> = {},
): string {
  if (content === undefined) return "";
  const shown = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${escape(value ?? "")}"`)
    .join("");
  const inner = typeof content === "object" ? content.join("") : escape(String(content));
  return inner === "" ? `<${name}${shown} />` : `<${name}${shown}>${inner}</${name}>`;
}

export function xmlDocument(root: string): string {
  return `<?xml version="1.0" encoding="utf-8"?>${root}`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

const deepest = 16;

export function parseXml(text: string): Element {
  const pattern =
    /<\?[^>]*\?>|<!--[\s\S]*?-->|<\/([\w.:-]+)\s*>|<([\w.:-]+)((?:\s+[\w.:-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>|([^<]+)/gy;
  const root: MutableElement = { name: "", text: "", children: [] };
  const open: MutableElement[] = [root];
  let at = text.startsWith("\uFEFF") ? 1 : 0;
  while (at < text.length) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match === null) throw malformed(`at character ${at}`);
    at = pattern.lastIndex;
    const [, closed, opened, , selfClosed, characters] = match;
    const current = open.at(-1) ?? root;
    if (closed !== undefined) {
      if (open.length < 2 || current.name !== closed) throw malformed(`</${closed}> closes nothing`);
      open.pop();
    } else if (opened !== undefined) {
      const element: MutableElement = { name: opened, text: "", children: [] };
      current.children.push(element);
      if (selfClosed === "") open.push(element);
      if (open.length > deepest) throw malformed("it is too deep");
    } else if (characters !== undefined) current.text += unescape(characters);
  }
  const [document] = root.children;
  if (open.length !== 1 || root.children.length !== 1 || document === undefined || root.text.trim() !== "")
    throw malformed("it has no single root");
  return document;
}

export function childText(element: Element, name: string): string | undefined {
  return element.children.find((child) => child.name === name)?.text;
}

interface MutableElement extends Element {
  text: string;
  readonly children: MutableElement[];
}

const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function unescape(text: string): string {
  return text.replaceAll(/&(#x[0-9a-fA-F]{1,6}|#\d{1,7}|\w+);?/g, (whole, name: string) => {
    if (!name.startsWith("#")) {
      const known = entities[name];
      if (known === undefined || !whole.endsWith(";")) throw malformed(`${whole} is no entity`);
      return known;
    }
    const point = name[1] === "x" ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
    if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) throw malformed(`${whole} is no character`);
    return String.fromCodePoint(point);
  });
}

function malformed(why: string): Error {
  return blobErrors.InvalidXmlDocument(`XML specified is not syntactically valid: ${why}.`);
}

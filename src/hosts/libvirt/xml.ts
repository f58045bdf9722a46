// Reads the XML that libvirt prints: elements, attributes, texts. What a machine's owner may have put
// into it is hostile, so there are no entities but XML's own, no document types, and limits to all.

import { hostErrors } from "../errors.ts";

export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly XmlElement[];
  /** The element's own text, without that of its children. */
  readonly text: string;
}

const largestText = 4 * 1024 * 1024;
const deepest = 64;
const entities: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };
const token =
  /<!--[^]*?-->|<\?[^]*?\?>|<!\[CDATA\[([^]*?)\]\]>|<\/([\w:.-]+)\s*>|<([\w:.-]+)((?:\s+[\w:.-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>|[^<]+/y;
const attribute = /([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g;

interface Open {
  readonly name: string;
  readonly attributes: Record<string, string>;
  readonly children: XmlElement[];
  text: string;
}

export function parseXml(text: string): XmlElement {
  if (text.length > largestText) throw refuse(`it is larger than ${largestText} characters`);
  const top: Open = { name: "", attributes: {}, children: [], text: "" };
  const open: Open[] = [top];
  token.lastIndex = 0;
  while (token.lastIndex < text.length) {
    const at = token.lastIndex;
    const found = token.exec(text);
    const current = open.at(-1) ?? top;
    if (found === null) throw refuse(`it is not well-formed at "${text.slice(at, at + 40)}"`);
    const [whole, data, closed, opened, attributes, isEmpty] = found;
    if (data !== undefined) current.text += data;
    else if (closed !== undefined) {
      if (open.length === 1 || current.name !== closed) throw refuse(`</${closed}> closes what is not open`);
      open.pop();
    } else if (opened !== undefined) {
      const element: Open = { name: opened, attributes: readAttributes(attributes ?? ""), children: [], text: "" };
      current.children.push(element);
      if (isEmpty !== "/") open.push(element);
      if (open.length > deepest) throw refuse(`it is nested deeper than ${deepest}`);
    } else if (!whole.startsWith("<")) current.text += decode(whole);
  }
  const [root, ...others] = top.children;
  if (open.length !== 1 || root === undefined || others.length > 0 || top.text.trim() !== "")
    throw refuse("it is not one whole element");
  return root;
}

/** The children of a path such as `devices/disk`. */
export function elementsAt(element: XmlElement, path: string): readonly XmlElement[] {
  let found: readonly XmlElement[] = [element];
  for (const name of path.split("/")) {
    found = found.flatMap(({ children }) => children.filter((child) => child.name === name));
  }
  return found;
}

export function elementAt(element: XmlElement, path: string): XmlElement | undefined {
  return elementsAt(element, path)[0];
}

/** For texts and for attribute values. */
export function escapeXml(text: string): string {
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(text))
    throw hostErrors.HostSettingsInvalid(`"${text.slice(0, 80)}" holds characters that XML cannot carry.`);
  return text.replace(/[<>&"'\t\r\n]/g, (character) => `&#${character.charCodeAt(0)};`);
}

function readAttributes(text: string): Record<string, string> {
  const read: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [, name = "", double, single] of text.matchAll(attribute)) read[name] = decode(double ?? single ?? "");
  return read;
}

function decode(text: string): string {
  return text.replace(/&([^;]{0,16};?)/g, (whole, inner: string) => {
    const name = inner.slice(0, -1);
    const number = /^#(?:x([0-9a-fA-F]{1,6})|(\d{1,7}))$/.exec(name);
    const code =
      number === null ? Number.NaN : parseInt(number[1] ?? number[2] ?? "", number[1] === undefined ? 10 : 16);
    const character = code <= 0x10ffff ? String.fromCodePoint(code) : entities[name];
    if (!inner.endsWith(";") || character === undefined) throw refuse(`it names an entity "${whole.slice(0, 20)}"`);
    return character;
  });
}

function refuse(why: string): Error {
  return hostErrors.LibvirtMisbehaved(`A description of a machine cannot be read: ${why}.`);
}

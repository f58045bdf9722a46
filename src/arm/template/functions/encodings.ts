import { parseRelaxedJson } from "../../relaxed-json/parse.ts";
import type { Json } from "../../relaxed-json/json.ts";
import { refuse, textAt } from "./arguments.ts";
import { type BuiltInTable, eager } from "./built-in.ts";

export const encodingFunctions: BuiltInTable = {
  base64: eager(1, 1, (args, _context, name) => Buffer.from(textAt(name, args, 0), "utf8").toString("base64")),
  base64ToString: eager(1, 1, (args, _context, name) => decodeBase64(name, textAt(name, args, 0))),
  base64ToJson: eager(1, 1, (args, _context, name) => readJson(name, decodeBase64(name, textAt(name, args, 0)))),
  json: eager(1, 1, (args, _context, name) => readJson(name, textAt(name, args, 0))),
  dataUri: eager(
    1,
    1,
    (args, _context, name) =>
      `data:text/plain;charset=utf8;base64,${Buffer.from(textAt(name, args, 0), "utf8").toString("base64")}`,
  ),
  dataUriToString: eager(1, 1, (args, _context, name) => readDataUri(name, textAt(name, args, 0))),
  uri: eager(2, 2, (args, _context, name) => {
    const [base, relative] = [textAt(name, args, 0), textAt(name, args, 1)];
    const combined = URL.canParse(base) ? URL.parse(relative, base) : null;
    if (combined === null) throw refuse(name, `the base '${base.slice(0, 200)}' must be an absolute URI`);
    return combined.href;
  }),
  uriComponent: eager(1, 1, (args, _context, name) => encodeComponent(textAt(name, args, 0))),
  uriComponentToString: eager(1, 1, (args, _context, name) => {
    const text = textAt(name, args, 0);
    try {
      return decodeURIComponent(text);
    } catch (cause) {
      throw refuse(name, "the value is not a URI encoded string", { cause });
    }
  }),
};

/** Reserved characters that encodeURIComponent leaves alone are encoded too. */
function encodeComponent(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function decodeBase64(name: string, text: string): string {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) {
    throw refuse(name, "the value cannot be decoded from base64 representation");
  }
  return Buffer.from(text, "base64").toString("utf8");
}

function readJson(name: string, text: string): Json {
  try {
    return parseRelaxedJson(text).value;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : "";
    throw refuse(name, `the value cannot be converted to JSON: ${reason}`, { cause });
  }
}

function readDataUri(name: string, text: string): string {
  const match = /^data:([^,]*),(.*)$/is.exec(text);
  if (match === null) throw refuse(name, "the value is not a data URI");
  const content = match[2] ?? "";
  if (/;base64$/i.test(match[1] ?? "")) return decodeBase64(name, content);
  try {
    return decodeURIComponent(content);
  } catch (cause) {
    throw refuse(name, "the data URI is not URI encoded", { cause });
  }
}

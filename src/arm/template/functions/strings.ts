import type { Json } from "../../relaxed-json/json.ts";
import { numberText, toText, typeName } from "../expression/values.ts";
import { arrayAt, integerAt, optionalTextAt, refuse, textAt, unexpected } from "./arguments.ts";
import { any, type BuiltInTable, eager } from "./built-in.ts";
import { formatComposite } from "./composite-format.ts";

export const stringFunctions: BuiltInTable = {
  endsWith: eager(2, 2, (args, _context, name) =>
    textAt(name, args, 0)
      .toLowerCase()
      .endsWith(textAt(name, args, 1).toLowerCase()),
  ),
  startsWith: eager(2, 2, (args, _context, name) =>
    textAt(name, args, 0)
      .toLowerCase()
      .startsWith(textAt(name, args, 1).toLowerCase()),
  ),
  format: eager(1, any, (args, context, name) =>
    formatComposite(textAt(name, args, 0), args.slice(1), context.budget, name),
  ),
  join: eager(2, 2, (args, context, name) => {
    const elements = arrayAt(name, args, 0).map((element) => scalarText(name, element));
    const delimiter = textAt(name, args, 1);
    context.budget.reserve(elements.reduce((sum, element) => sum + element.length + delimiter.length, 0));
    return elements.join(delimiter);
  }),
  padLeft: eager(2, 3, (args, context, name) => {
    const value = args[0] ?? null;
    if (typeof value !== "string" && typeof value !== "number")
      throw unexpected(name, 0, "a string or an integer", args);
    const padding = optionalTextAt(name, args, 2) ?? " ";
    if (padding.length !== 1)
      throw refuse(name, `the padding must be a single character and is '${padding.slice(0, 20)}'`);
    const width = integerAt(name, args, 1);
    if (width < 0) throw refuse(name, `the total length must not be negative and is ${width}`);
    context.budget.reserve(width);
    return toText(value).padStart(width, padding);
  }),
  replace: eager(3, 3, (args, context, name) => {
    const [text, old, replacement] = [textAt(name, args, 0), textAt(name, args, 1), textAt(name, args, 2)];
    if (old === "") throw refuse(name, "the string to be replaced must not be empty");
    const parts = text.split(old);
    context.budget.reserve(text.length + (parts.length - 1) * replacement.length);
    return parts.join(replacement);
  }),
  split: eager(2, 2, (args, context, name) => {
    const delimiters = Array.isArray(args[1])
      ? args[1].map((_, index) => textAt(name, args[1] as Json[], index))
      : [textAt(name, args, 1)];
    const parts = splitByAny(
      textAt(name, args, 0),
      delimiters.filter((delimiter) => delimiter !== ""),
    );
    context.budget.reserve(parts.length * 8);
    return parts;
  }),
  string: eager(1, 1, (args, context) => {
    const value = args[0] ?? null;
    const text = toText(value);
    context.budget.reserve(text.length);
    return text;
  }),
  substring: eager(2, 3, (args, _context, name) => {
    const text = textAt(name, args, 0);
    const start = integerAt(name, args, 1);
    const length = args.length > 2 ? integerAt(name, args, 2) : text.length - start;
    if (start < 0 || length < 0 || start + length > text.length) {
      throw refuse(
        name,
        `the index and length parameters must refer to a location within the string. The index parameter: '${start}', the length parameter: '${length}', the length of the string parameter: '${text.length}'`,
      );
    }
    return text.slice(start, start + length);
  }),
  toLower: eager(1, 1, (args, _context, name) => textAt(name, args, 0).toLowerCase()),
  toUpper: eager(1, 1, (args, _context, name) => textAt(name, args, 0).toUpperCase()),
  trim: eager(1, 1, (args, _context, name) => textAt(name, args, 0).trim()),
};

function scalarText(name: string, value: Json): string {
  if (typeof value === "string") return value;
  if (typeof value === "number") return numberText(value);
  if (typeof value === "boolean") return toText(value);
  throw refuse(name, `the array must hold strings, and one of its elements is of type '${typeName(value)}'`);
}

/** At each place the first delimiter of the list that fits cuts. */
function splitByAny(text: string, delimiters: readonly string[]): string[] {
  const [only] = delimiters;
  if (only === undefined) return [text];
  if (delimiters.length === 1) return text.split(only);
  const pattern = new RegExp(delimiters.map(escapeForPattern).join("|"), "g");
  return text.split(pattern);
}

function escapeForPattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}

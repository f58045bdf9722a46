// .NET's composite formatting for format(): `{index[,alignment][:format]}`, with the standard and
// custom number formats in the invariant culture.

import type { Json } from "../../relaxed-json/json.ts";
import type { Budget } from "../expression/budget.ts";
import { toText } from "../expression/values.ts";
import { refuse } from "./arguments.ts";
import { formatDate, parseDate } from "./date-format.ts";

export function formatComposite(pattern: string, values: readonly Json[], budget: Budget, name: string): string {
  let text = "";
  let offset = 0;
  while (offset < pattern.length) {
    const brace = pattern.slice(offset).search(/[{}]/);
    if (brace < 0) return text + pattern.slice(offset);
    text += pattern.slice(offset, offset + brace);
    offset += brace;
    const character = pattern[offset] ?? "";
    if (pattern[offset + 1] === character) {
      text += character;
      offset += 2;
      continue;
    }
    const item = /^\{\s*(\d{1,7})\s*(?:,\s*(-?\d{1,9})\s*)?(?::((?:[^{}]|\{\{|\}\})*))?\}/.exec(pattern.slice(offset));
    if (item === null)
      throw refuse(name, `the format string '${pattern.slice(0, 200)}' is not valid at position ${offset}`);
    const index = Number(item[1]);
    if (index >= values.length) {
      throw refuse(name, `the format string names argument ${index}, but only ${values.length} argument(s) follow it`);
    }
    const width = Number(item[2] ?? 0);
    budget.reserve(Math.abs(width));
    const formatted = formatValue(
      values[index] ?? null,
      item[3]?.replaceAll("{{", "{").replaceAll("}}", "}") ?? "",
      name,
    );
    text += width < 0 ? formatted.padEnd(-width) : formatted.padStart(width);
    budget.reserve(formatted.length);
    offset += item[0].length;
  }
  return text;
}

function formatValue(value: Json, format: string, name: string): string {
  if (format === "") return toText(value);
  if (typeof value === "number") return formatNumber(value, format, name);
  if (typeof value === "string") {
    const date = /^\d{4}-\d\d-\d\dT/.test(value) ? parseDate(value) : undefined;
    return date === undefined ? value : formatDate(date, format);
  }
  return toText(value);
}

export function formatNumber(value: number, format: string, name: string): string {
  const standard = /^([A-Za-z])(\d{0,3})$/.exec(format);
  if (standard === null) return formatCustom(value, format);
  const letter = (standard[1] ?? "").toUpperCase();
  const precision = standard[2] === "" ? undefined : Math.min(Number(standard[2]), 100);
  switch (letter) {
    case "C":
      return value < 0 ? `(¤${grouped(-value, precision ?? 2)})` : `¤${grouped(value, precision ?? 2)}`;
    case "D":
    case "B":
    case "X":
      return formatInteger(value, standard[1] ?? "", precision ?? 0, name);
    case "E":
      return exponential(value, precision ?? 6, standard[1] ?? "E", 3);
    case "F":
      return value.toFixed(precision ?? 2);
    case "N":
      return grouped(value, precision ?? 2);
    case "P":
      return `${grouped(value * 100, precision ?? 2)} %`;
    case "G":
    case "R":
      return precision === undefined || precision === 0 ? toText(value) : general(value, precision, standard[1] ?? "G");
    default:
      throw refuse(name, `the format specifier '${format}' is not valid for a number`);
  }
}

function formatInteger(value: number, letter: string, digits: number, name: string): string {
  if (!Number.isInteger(value)) throw refuse(name, `the format specifier '${letter}' needs an integer`);
  if (letter === "D" || letter === "d")
    return (value < 0 ? "-" : "") + BigInt(Math.abs(value)).toString().padStart(digits, "0");
  const bits = Math.abs(value) <= 0x7fffffff ? 32 : 64;
  const unsigned = BigInt.asUintN(bits, BigInt(value)).toString(letter.toUpperCase() === "X" ? 16 : 2);
  return (letter === "X" ? unsigned.toUpperCase() : unsigned).padStart(digits, "0");
}

function grouped(value: number, decimals: number): string {
  const [whole = "", fraction] = Math.abs(value).toFixed(decimals).split(".");
  const text = whole.replace(/\B(?=(\d{3})+$)/g, ",") + (fraction === undefined ? "" : `.${fraction}`);
  return value < 0 && /[1-9]/.test(text) ? `-${text}` : text;
}

function exponential(value: number, decimals: number, letter: string, exponentDigits: number): string {
  const [mantissa = "", exponent = "+0"] = value.toExponential(decimals).split("e");
  return `${mantissa}${letter}${exponent[0] ?? "+"}${exponent.slice(1).padStart(exponentDigits, "0")}`;
}

function general(value: number, precision: number, letter: string): string {
  const exponent = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  if (exponent >= precision || exponent < -5) {
    const text = exponential(
      value,
      precision - 1,
      letter.toUpperCase() === "G" ? (letter === "g" ? "e" : "E") : "E",
      2,
    );
    return text.replace(/\.?0+(?=[Ee])/, "");
  }
  return String(Number(value.toPrecision(precision)));
}

/** `0`, `#`, `.`, `,`, `%`, literals in quotes or behind a backslash, and up to three sections. */
function formatCustom(value: number, format: string): string {
  const sections = format.split(";");
  const [positive = "", negative, zero] = sections;
  if (value === 0 && zero !== undefined) return formatSection(0, zero);
  if (value < 0 && negative !== undefined && negative !== "") return formatSection(-value, negative);
  return (value < 0 ? "-" : "") + formatSection(Math.abs(value), positive);
}

function formatSection(value: number, section: string): string {
  const tokens: readonly string[] = section.match(/'[^']*'|"[^"]*"|\\.|[0#]|[.,%]|[^]/g) ?? [];
  const point = tokens.indexOf(".");
  const isDigit = (token: string): boolean => token === "0" || token === "#";
  const wholeTokens = point < 0 ? tokens : tokens.slice(0, point);
  const fractionTokens = point < 0 ? [] : tokens.slice(point + 1);
  const scaled = tokens.includes("%") ? value * 100 : value;
  const decimals = Math.min(fractionTokens.filter(isDigit).length, 100);
  const minDecimals = fractionTokens.findLastIndex((token) => token === "0") + 1;
  const [wholeDigits = "0", allFraction = ""] = scaled.toFixed(decimals).split(".");
  const keptDecimals = fractionTokens.slice(0, minDecimals).filter(isDigit).length;
  const fraction = allFraction.replace(/0+$/, "").padEnd(keptDecimals, "0");
  const firstZero = wholeTokens.indexOf("0");
  const minWhole = firstZero < 0 ? 0 : wholeTokens.slice(firstZero).filter(isDigit).length;
  let whole = (wholeDigits === "0" ? "" : wholeDigits).padStart(minWhole, "0");
  const digitCount = wholeTokens.filter(isDigit).length;
  const firstDigit = wholeTokens.findIndex(isDigit);
  const lastDigit = wholeTokens.findLastIndex(isDigit);
  const isGrouped = wholeTokens.slice(firstDigit, lastDigit).includes(",");
  if (isGrouped) whole = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  if (digitCount === 0 && fractionTokens.length === 0) return tokens.map(literal).join("");
  const before = wholeTokens.slice(0, Math.max(firstDigit, 0)).map(literal).join("");
  const inside =
    digitCount === 0
      ? ""
      : wholeTokens
          .slice(lastDigit + 1)
          .filter((token) => token !== ",")
          .map(literal)
          .join("");
  const after = fractionTokens
    .filter((token) => !isDigit(token))
    .map(literal)
    .join("");
  return `${before}${whole}${inside}${fraction === "" ? "" : `.${fraction}`}${after}`;
}

function literal(token: string): string {
  if (token.length > 1) return token.startsWith("\\") ? token.slice(1) : token.slice(1, -1);
  return token;
}

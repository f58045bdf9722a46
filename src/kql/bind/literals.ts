// Literals are read from their text: the parser's own values lose digits.

import { semantic } from "../errors.ts";
import { literal, type LiteralExpression } from "../plan/expression.ts";
import { child, elements, items, kindOf, spanOf, tokenText, type SyntaxNode } from "../syntax/node.ts";
import { typeNamed, type ScalarType } from "../types.ts";
import { formatDynamic, type Dynamic } from "../values/dynamic.ts";
import { readDatetime } from "../values/read-datetime.ts";
import { parseLong, parseReal } from "../values/real.ts";
import { formatDatetime, formatTimespan, parseTimespan, ticksOf } from "../values/ticks.ts";

const literalTypes: Readonly<Record<string, ScalarType>> = {
  LongLiteralExpression: "long",
  IntLiteralExpression: "int",
  RealLiteralExpression: "real",
  DecimalLiteralExpression: "decimal",
  BooleanLiteralExpression: "bool",
  DateTimeLiteralExpression: "datetime",
  TimespanLiteralExpression: "timespan",
  GuidLiteralExpression: "guid",
};

/** The literal that a node is, or undefined when it is none. */
export function bindLiteral(node: SyntaxNode): LiteralExpression | undefined {
  const kind = kindOf(node);
  if (kind === "StringLiteralExpression") return literal("string", String(node["LiteralValue"]));
  if (kind === "CompoundStringLiteralExpression") return literal("string", String(node["LiteralValue"]));
  if (kind === "NullLiteralExpression") {
    const type = typeNamed(/^\s*(\w+)\s*\(/.exec(tokenText(node, "Token"))?.[1] ?? "") ?? "dynamic";
    return literal(type, type === "string" ? "" : null);
  }
  if (kind === "DynamicExpression") return dynamicLiteral(child(node, "Expression"));
  if (kind === "TypeOfLiteralExpression") return literal("string", typeOfNames(node).join(","));
  const type = literalTypes[kind];
  if (type === undefined) return undefined;
  return typedLiteral(type, tokenText(node, "Token"), node);
}

export function typeOfNames(node: SyntaxNode): string[] {
  return elements(child(node, "Types")).map((type) => typeNamed(tokenText(type, "Type")) ?? "dynamic");
}

function typedLiteral(type: ScalarType, text: string, node: SyntaxNode): LiteralExpression {
  const wrapped = /^\s*[A-Za-z_]\w*\s*\(([\s\S]*)\)\s*$/.exec(text);
  const inner = (wrapped?.[1] ?? text).trim();
  if (inner === "null" || inner === "") return literal(type, null);
  const value = valueOf(type, inner.replaceAll(/^["']|["']$/g, ""), wrapped !== null);
  if (value === undefined) throw semantic(`'${text}' is no valid ${type} value.`, spanOf(node));
  return literal(type, value);
}

function valueOf(type: ScalarType, text: string, wrapped: boolean): LiteralExpression["value"] | undefined {
  switch (type) {
    case "int":
    case "long":
      return parseLong(text) ?? parseLong(String(Math.trunc(parseReal(text) ?? Number.NaN))) ?? undefined;
    case "real":
      return parseReal(text) ?? undefined;
    case "decimal":
      return /^[+-]?\d*\.?\d*([eE][+-]?\d+)?$/.test(text) ? text : undefined;
    case "bool":
      return text.toLowerCase() === "true" || (/^\d+$/.test(text) && Number(text) !== 0);
    case "datetime":
      return datetimeValue(text);
    case "timespan":
      return timespanValue(text, wrapped);
    default:
      return /^[0-9a-f-]{32,36}$/i.test(text) ? text.toLowerCase() : undefined;
  }
}

function datetimeValue(text: string): bigint | undefined {
  const parts = /^(\d{1,4})\s*,\s*(\d{1,2})\s*,\s*(\d{1,2})$/.exec(text);
  if (parts !== null) return ticksOf(Number(parts[1]), Number(parts[2]), Number(parts[3])) ?? undefined;
  return readDatetime(text) ?? undefined;
}

function timespanValue(text: string, wrapped: boolean): bigint | undefined {
  const exponent = /^([\d.]+(?:e[+-]?\d+)?)([a-z]+)$/i.exec(text);
  const ticks = parseTimespan(text);
  if (ticks !== null) return ticks;
  return wrapped || exponent === null
    ? undefined
    : (parseTimespan(`${Number(exponent[1])}${exponent[2]}`) ?? undefined);
}

function dynamicLiteral(node: SyntaxNode): LiteralExpression {
  const value = dynamicValue(node);
  return literal("dynamic", value === null ? null : formatDynamic(value));
}

function dynamicValue(node: SyntaxNode): Dynamic {
  switch (kindOf(node)) {
    case "JsonObjectExpression": {
      const bag = new Map<string, Dynamic>();
      for (const pair of items(node, "Pairs")) {
        const key = (pair["Name"] as { readonly ValueText: string }).ValueText;
        bag.set(key, dynamicValue(child(pair, "Value")));
      }
      return bag;
    }
    case "JsonArrayExpression":
      return items(node, "Values").map(dynamicValue);
    case "UnaryMinusExpression": {
      const digits =
        kindOf(child(node, "Expression")) === "LongLiteralExpression"
          ? tokenText(child(node, "Expression"), "Token")
          : "";
      if (digits !== "") return parseLong(`-${digits}`) ?? Number(`-${digits}`);
      const value = dynamicValue(child(node, "Expression"));
      return typeof value === "bigint" || typeof value === "number" ? -value : value;
    }
    case "UnaryPlusExpression":
    case "DynamicExpression":
      return dynamicValue(child(node, "Expression"));
    default:
      return scalarInDynamic(node);
  }
}

function scalarInDynamic(node: SyntaxNode): Dynamic {
  const kind = kindOf(node);
  if (kind === "LongLiteralExpression") {
    const text = tokenText(node, "Token");
    return parseLong(text) ?? Number(text);
  }
  const found = bindLiteral(node);
  if (found === undefined) throw semantic("A dynamic literal may hold only literals.", spanOf(node));
  switch (found.type) {
    case "datetime":
      return found.value === null ? null : formatDatetime(found.value as bigint);
    case "timespan":
      return found.value === null ? null : formatTimespan(found.value as bigint);
    case "decimal":
      return found.value === null ? null : Number(found.value);
    default:
      return found.value;
  }
}

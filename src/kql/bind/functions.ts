// A call of a built-in function: which overload fits, what the arguments become, what comes out.

import { semantic, type Span } from "../errors.ts";
import { call, literal, type Expression } from "../plan/expression.ts";
import type { FunctionInfo, ParameterInfo, SignatureInfo } from "../syntax/signatures.ts";
import { isInteger, isNumeric, typeNamed, type ScalarType } from "../types.ts";
import { cast, commonType } from "./casts.ts";

/** Names that mean the same function. */
const synonyms: Readonly<Record<string, string>> = {
  iif: "iff",
  toboolean: "tobool",
  totime: "totimespan",
  merge_tdigest: "tdigest_merge",
  todouble: "toreal",
  double: "toreal",
  real: "toreal",
  parse_json: "parsejson",
  todynamic: "parsejson",
  toobject: "parsejson",
  parsejson: "parsejson",
  notempty: "isnotempty",
  notnull: "isnotnull",
  floor: "bin",
  pack: "bag_pack",
  pack_dictionary: "bag_pack",
  datepart: "datetime_part",
  weekofyear: "week_of_year",
  strcat_array: "strcat_array",
  array_strcat: "strcat_array",
  array_iif: "array_iff",
  extractjson: "extract_json",
  extractall: "extract_all",
  replace: "replace_regex",
  base64_encodestring: "base64_encode_tostring",
  base64_decodestring: "base64_decode_tostring",
  parseurl: "parse_url",
  parseurlquery: "parse_urlquery",
  parseipv4: "parse_ipv4",
  make_string: "unicode_codepoints_to_string",
  to_utf8: "unicode_codepoints_from_string",
  makeset: "make_set",
  makelist: "make_list",
  any: "take_any",
  anyif: "take_anyif",
  argmax: "arg_max",
  argmin: "arg_min",
  make_dictionary: "make_bag",
};

export function canonicalName(name: string): string {
  return synonyms[name] ?? name;
}

/** The engine returns long where the language service says int. */
const returnsLong = new Set(["getyear", "getmonth", "monthofyear", "hourofday", "datetime_part", "week_of_year"]);

/** Names whose last argument is the first one of what they became: replace(regex, rewrite, source). */
const sourceLast = new Set(["replace"]);

const returnsReal = new Set(["jaccard_index", "ceiling"]);

export function bindBuiltIn(info: FunctionInfo, args: readonly Expression[], span: Span): Expression {
  const name = canonicalName(info.name);
  const signature = bestSignature(info, args);
  if (signature === undefined) {
    throw semantic(`${info.name}() does not take ${args.length} argument${args.length === 1 ? "" : "s"}.`, span);
  }
  const parameters = spread(signature, args.length);
  refuseScalars(args, parameters, span);
  const isWeeks = name === "datetime_diff" && args[0]?.kind === "literal" && /^weeks?$/i.test(String(args[0].value));
  const type = isWeeks
    ? "real"
    : returnsLong.has(name)
      ? "long"
      : returnsReal.has(name)
        ? "real"
        : returnType(signature, args, name);
  const typed = args.map((arg, index) => adapt(arg, parameters[index], type, name));
  const adapted = sourceLast.has(info.name) ? [...typed.slice(2), ...typed.slice(0, 2)] : typed;
  return call(name, adapted, type, span);
}

/** An array or a bag may turn out to be something else, but a text or a number never is one. */
function refuseScalars(
  args: readonly Expression[],
  parameters: readonly (ParameterInfo | undefined)[],
  span: Span,
): void {
  for (const [index, { type }] of args.entries()) {
    const kind = parameters[index]?.kind;
    if (type === "dynamic" || (kind !== "DynamicArray" && kind !== "DynamicBag")) continue;
    throw semantic(
      `Argument ${index + 1} must be a dynamic ${kind === "DynamicBag" ? "bag" : "array"}, not ${type}.`,
      span,
    );
  }
}

/** The parameters one by one for `count` arguments: repeatable ones repeat as a group. */
function spread(signature: SignatureInfo, count: number): (ParameterInfo | undefined)[] {
  const { parameters } = signature;
  const firstRepeatable = parameters.findIndex(({ repeatable }) => repeatable);
  if (firstRepeatable < 0) return [...parameters];
  const group = parameters.filter(({ repeatable }) => repeatable);
  const tail = parameters.slice(firstRepeatable + group.length);
  const fixedTail = tail.filter(({ optional }) => !optional).length;
  const found: (ParameterInfo | undefined)[] = parameters.slice(0, firstRepeatable);
  while (found.length < count - fixedTail) found.push(group[(found.length - firstRepeatable) % group.length]);
  return [...found, ...tail.slice(0, Math.max(0, count - found.length))];
}

function accepts(signature: SignatureInfo, count: number): boolean {
  const { parameters } = signature;
  const required = parameters.filter(({ optional }) => !optional).length;
  return count >= required && (parameters.some(({ repeatable }) => repeatable) || count <= parameters.length);
}

function bestSignature(info: FunctionInfo, args: readonly Expression[]): SignatureInfo | undefined {
  const fitting = info.signatures.filter((signature) => accepts(signature, args.length));
  const cost = (signature: SignatureInfo): number => {
    const parameters = spread(signature, args.length);
    return args.reduce((sum, arg, index) => sum + mismatch(parameters[index], arg.type), 0);
  };
  return fitting.map((signature) => [cost(signature), signature] as const).toSorted((a, b) => a[0] - b[0])[0]?.[1];
}

function mismatch(parameter: ParameterInfo | undefined, type: ScalarType): number {
  if (parameter === undefined) return 5;
  switch (parameter.kind) {
    case "Declared":
      if (parameter.types.includes(type)) return 0;
      return type === "dynamic" || (isNumeric(type) && parameter.types.some(isNumeric)) ? 1 : 10;
    case "Integer":
      return isInteger(type) ? 0 : 4;
    case "Number":
      return isNumeric(type) ? 0 : 4;
    case "DynamicArray":
    case "DynamicBag":
      return type === "dynamic" ? 0 : 4;
    default:
      return 1;
  }
}

/** Their seconds may have a fraction, whatever the language service says. */
const withFractions = new Set(["make_datetime", "make_timespan"]);

function adapt(arg: Expression, parameter: ParameterInfo | undefined, returned: ScalarType, name: string): Expression {
  switch (parameter?.kind) {
    case "Declared": {
      const wanted = parameter.types[0];
      if (wanted === undefined || parameter.types.includes(arg.type)) return arg;
      return cast(arg, wanted);
    }
    case "Integer":
      if (withFractions.has(name) && arg.type === "real") return arg;
      return name === "tohex" && arg.type === "int" ? arg : cast(arg, "long");
    case "Number":
      return arg.type === "dynamic" || arg.type === "string" ? cast(arg, "real") : arg;
    case "CommonScalarOrDynamic":
    case "CommonScalar":
    case "CommonOrderable":
      return cast(arg, returned);
    default:
      return arg;
  }
}

function returnType(signature: SignatureInfo, args: readonly Expression[], name: string): ScalarType {
  const first = args[0]?.type ?? "dynamic";
  switch (signature.returnKind) {
    case "Declared":
      return signature.returnType ?? "dynamic";
    case "Parameter0":
    case "Parameter0Promoted":
      return first === "int" && signature.returnKind === "Parameter0Promoted" ? "long" : first;
    case "Parameter1":
      return args[1]?.type ?? "dynamic";
    case "Parameter0Array":
      return "dynamic";
    case "Parameter0Literal":
    case "Parameter1Literal":
    case "ParameterNLiteral":
      return literalType(args, name);
    case "Common":
    case "CommonNonDynamic":
      return commonType(branches(name, args).map(({ type }) => type));
    case "Widest":
      return commonType(args.map(({ type }) => (type === "dynamic" ? "real" : type)));
    default:
      return name === "bin_auto" ? first : "dynamic";
  }
}

/** The arguments whose type the result has. */
function branches(name: string, args: readonly Expression[]): readonly Expression[] {
  if (name === "iff") return args.slice(1);
  if (name !== "case") return args;
  return args.filter((_, index) => index % 2 === 1 || index === args.length - 1);
}

/** `typeof(long)` is a text literal by now. */
function literalType(args: readonly Expression[], name: string): ScalarType {
  const last = args.at(-1);
  const named = last?.kind === "literal" && typeof last.value === "string" ? typeNamed(last.value) : undefined;
  return named ?? (name === "percentile_tdigest" ? "real" : "string");
}

export const nullLiteral = (type: ScalarType): Expression => literal(type, type === "string" ? "" : null);

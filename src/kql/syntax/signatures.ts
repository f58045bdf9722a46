// What Microsoft's language service knows of functions: overloads, return types, and how a result
// column is named. We read it instead of keeping a second list.

import { scalarTypes, typeNamed, type ScalarType } from "../types.ts";
import { enumName, kusto, toArray, type KustoObject } from "./kusto.ts";

export interface ParameterInfo {
  readonly name: string;
  /** `Declared`, `Scalar`, `Number`, `Integer`, `DynamicArray`, … */
  readonly kind: string;
  readonly types: readonly ScalarType[];
  readonly optional: boolean;
  readonly repeatable: boolean;
}

export interface SignatureInfo {
  readonly parameters: readonly ParameterInfo[];
  /** `Declared`, `Parameter0`, `Common`, `Widest`, `Custom`, … */
  readonly returnKind: string;
  readonly returnType: ScalarType | undefined;
}

export interface FunctionInfo {
  readonly name: string;
  /** `None`, `FirstArgument`, `NameAndFirstArgument`, `PrefixAndFirstArgument`, `PrefixOnly`, … */
  readonly resultName: string;
  readonly resultPrefix: string;
  readonly signatures: readonly SignatureInfo[];
}

export const functionInfos = read("Functions");
export const aggregateInfos = read("Aggregates");

function read(list: "Functions" | "Aggregates"): ReadonlyMap<string, FunctionInfo> {
  const found = new Map<string, FunctionInfo>();
  for (const symbol of toArray((kusto.GlobalState.Default as KustoObject)[list])) {
    const name = symbol["Name"] as string;
    found.set(name, {
      name,
      resultName: enumName("ResultNameKind", symbol["ResultNameKind"]),
      resultPrefix: (symbol["ResultNamePrefix"] as string | null) ?? name,
      signatures: toArray(symbol["Signatures"]).map(signature),
    });
  }
  return found;
}

function signature(symbol: KustoObject): SignatureInfo {
  const declared = symbol["DeclaredReturnType"] as KustoObject | null;
  return {
    parameters: toArray(symbol["Parameters"]).map(parameter),
    returnKind: enumName("ReturnTypeKind", symbol["ReturnKind"]),
    returnType: declared === null ? undefined : scalarTypeOf(declared),
  };
}

function parameter(symbol: KustoObject): ParameterInfo {
  return {
    name: symbol["Name"] as string,
    kind: enumName("ParameterTypeKind", symbol["TypeKind"]),
    types: toArray(symbol["DeclaredTypes"]).flatMap((type) => scalarTypeOf(type) ?? []),
    optional: symbol["IsOptional"] === true,
    repeatable: symbol["IsRepeatable"] === true,
  };
}

/** The dynamic types of the service (arrays, bags, primitives) are all `dynamic` to us. */
function scalarTypeOf(type: KustoObject): ScalarType | undefined {
  const name = type["Name"] as string;
  return scalarTypes.find((known) => known === name) ?? (name.startsWith("dynamic") ? "dynamic" : typeNamed(name));
}

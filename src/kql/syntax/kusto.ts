// Microsoft's parser. It is a Bridge.NET build: it hangs off globals, its members have no usable
// types, and literals lose digits in it. All of that stays behind this file and its neighbours.

import { createRequire } from "node:module";

/** An object of the parser: we name the members that we use. */
export interface KustoObject {
  readonly [member: string]: unknown;
}

interface KustoConstructor {
  new (...args: unknown[]): KustoObject;
  readonly [member: string]: unknown;
}

interface BridgeRuntime {
  toArray(list: unknown): KustoObject[];
  is(value: unknown, type: unknown): boolean;
}

interface KustoLanguage {
  readonly KustoCode: {
    Parse(text: string): KustoObject;
    ParseAndAnalyze(text: string, globals: KustoObject): KustoObject;
  };
  readonly GlobalState: { readonly Default: GlobalState };
  readonly Symbols: Readonly<Record<string, KustoConstructor>>;
  readonly Syntax: Readonly<Record<string, unknown>>;
}

export interface GlobalState extends KustoObject {
  WithCluster(cluster: KustoObject): GlobalState;
  WithDatabase(database: KustoObject): GlobalState;
  WithFunctions(list: unknown): GlobalState;
  WithCache(): GlobalState;
}

interface NetRuntime {
  readonly Enum: { toString(type: unknown, value: unknown): string };
  readonly Array: { init(items: readonly unknown[], type: unknown): unknown };
  readonly Collections: { readonly Generic: { List$1(type: unknown): { readonly $ctor1: KustoConstructor } } };
}

const require = createRequire(import.meta.url);
require("@kusto/language-service-next/bridge.min.js");
require("@kusto/language-service-next/Kusto.Language.Bridge.min.js");

const globals = globalThis as unknown as {
  readonly Bridge: BridgeRuntime;
  readonly System: NetRuntime;
  readonly Kusto: { readonly Language: KustoLanguage };
};

export const kusto = globals.Kusto.Language;

export function toArray(list: unknown): KustoObject[] {
  return list === null || list === undefined ? [] : globals.Bridge.toArray(list);
}

export function enumName(type: string, value: unknown): string {
  return globals.System.Enum.toString(kusto.Symbols[type] ?? kusto.Syntax[type], value);
}

/** A .NET list of the parser's own type. */
export function listOf(type: string, items: readonly KustoObject[]): unknown {
  const elementType = kusto.Symbols[type];
  const list = globals.System.Collections.Generic.List$1(elementType);
  return new list.$ctor1(globals.System.Array.init(items, elementType));
}

/** Calls the overload of a constructor that the build numbered. */
export function construct(type: string, overload: string, ...args: unknown[]): KustoObject {
  const constructor = kusto.Symbols[type]?.[overload] as KustoConstructor;
  return new constructor(...args);
}

// Text and catalogue in, syntax tree out; what the language service objects to becomes a refusal.

import { QueryRefusal } from "../errors.ts";
import type { DatabaseSchema } from "../types.ts";
import { construct, kusto, listOf, toArray, type GlobalState, type KustoObject } from "./kusto.ts";
import type { SyntaxNode } from "./node.ts";

export interface Limits {
  readonly maxQueryLength: number;
  readonly maxNestingDepth: number;
}

/**
 * The engine accepts some queries that the language service marks: count(x) of a number and reals in
 * make_timespan, wildcards without a table under isfuzzy, and plugins that it does not know yet. Types
 * of join keys are compared by the binder, which knows better which functions give long; functions of
 * arrays take bags, and the other way round, and give null.
 */
const tolerated = new Set(["KS107", "KS134", "KS124", "KS116", "KS205", "KS227", "KS234", "KS235"]);

export function globalsFor(databases: readonly DatabaseSchema[]): GlobalState {
  const symbols = databases.map(databaseSymbol);
  const cluster = construct("ClusterSymbol", "ctor", "local", symbols);
  let globals = kusto.GlobalState.Default.WithCluster(cluster);
  if (symbols[0] !== undefined) globals = globals.WithDatabase(symbols[0]);
  const functions = [...toArray(globals["Functions"]), databaseFunction("workspace"), databaseFunction("app")];
  return globals.WithFunctions(listOf("FunctionSymbol", functions));
}

/** What the analyser works out about functions and tables stays with these; without, each query begins anew. */
export function withMemory(globals: GlobalState): GlobalState {
  return globals.WithCache();
}

function databaseSymbol(database: DatabaseSchema): KustoObject {
  const tables = database.tables.map((table) => {
    const columns = table.columns.map(({ name, type }) => construct("ColumnSymbol", "ctor", name, typeSymbol(type)));
    return construct("TableSymbol", "$ctor4", table.name, columns);
  });
  // The language service only has to know what a function gives; the binder reads the real body.
  const functions = database.functions.map(({ name, parameters, body, returns }) =>
    construct(
      "FunctionSymbol",
      "$ctor16",
      name,
      `(${parameters})`,
      returns === undefined ? `{${body}}` : `{datatable(${returns})[]}`,
      null,
    ),
  );
  return construct("DatabaseSymbol", "ctor", database.name, [...tables, ...functions]);
}

function typeSymbol(type: string): unknown {
  const types = kusto.Symbols["ScalarTypes"] as unknown as Readonly<Record<string, unknown>>;
  const member: Readonly<Record<string, string>> = {
    datetime: "DateTime",
    timespan: "TimeSpan",
  };
  return types[member[type] ?? type.charAt(0).toUpperCase() + type.slice(1)];
}

function databaseFunction(name: string): KustoObject {
  const kind = (kusto.Symbols["ReturnTypeKind"] as unknown as Readonly<Record<string, unknown>>)["Parameter0Database"];
  const parameter = construct("Parameter", "$ctor2", "name", typeSymbol("string"));
  return construct("FunctionSymbol", "$ctor2", name, kind, [parameter]);
}

export interface Analysis {
  readonly statements: SyntaxNode[];
  /** What the language service objects to; our own words for the same thing are better if we have them. */
  readonly objection: QueryRefusal | undefined;
}

/** The statements of a query; throws for what is no KQL at all. */
export function analyze(text: string, globals: GlobalState, limits: Limits): Analysis {
  refuseHugeText(text, limits);
  // Not even parsed: the grammar of commands takes seconds to load.
  if (/^\s*\./.test(text)) {
    throw new QueryRefusal("Unsupported", "Management commands (.show, .create, …) are not queries.", {
      start: text.search(/\./),
      length: 1,
    });
  }
  const code = kusto.KustoCode.ParseAndAnalyze(text, globals);
  const all = toArray((code["GetDiagnostics"] as () => unknown).call(code));
  if (all.length > 0) refuseSyntax(code);
  const diagnostics = all.filter((item) => !isAboutAdvice(item, text));
  return { statements: statementsOf(code), objection: refusalOf(diagnostics, "SemanticError", tolerated) };
}

/** Syntax alone, for the text of a saved function. */
export function parseOnly(text: string): SyntaxNode[] {
  const code = kusto.KustoCode.Parse(text);
  refuseSyntax(code);
  return statementsOf(code);
}

function statementsOf(code: KustoObject): SyntaxNode[] {
  const block = code["Syntax"] as SyntaxNode & { readonly Statements: SyntaxNode };
  const found: SyntaxNode[] = [];
  for (let index = 0; index < block.Statements.ChildCount; index += 1) {
    const element = block.Statements.GetChild(index) as (SyntaxNode & { readonly Element$1: SyntaxNode }) | null;
    if (element !== null) found.push(element.Element$1);
  }
  return found;
}

/** Each + of a sum is a level for the parser. */
const mostSums = 1_000;

/** Cheap checks before the parser runs: it needs seconds for thousands of nested brackets. */
function refuseHugeText(text: string, limits: Limits): void {
  if (text.length > limits.maxQueryLength) {
    throw new QueryRefusal(
      "QueryTooComplex",
      `The query has ${text.length} characters; at most ${limits.maxQueryLength} are read.`,
    );
  }
  let [depth, signs, sums] = [0, 0, 0];
  let quote = "";
  for (let index = 0; index < text.length; index += 1) {
    const character = text.charAt(index);
    if (quote !== "") {
      if (character === quote || character === "\n") quote = "";
      continue;
    }
    if (character === '"' || character === "'") quote = character;
    if (character === "(" || character === "[" || character === "{") depth += 1;
    else if (character === ")" || character === "]" || character === "}") depth -= 1;
    signs = character === "-" || character === "+" ? signs + 1 : character === " " ? signs : 0;
    if (character === "+") sums += 1;
    if (depth > limits.maxNestingDepth || signs > limits.maxNestingDepth || sums > mostSums) {
      throw new QueryRefusal("QueryTooComplex", `Expressions are nested more than ${limits.maxNestingDepth} deep.`, {
        start: index,
        length: 1,
      });
    }
  }
}

/** A hint never changes what is answered; runbooks have values that no engine knows any more. */
function isAboutAdvice(item: KustoObject, text: string): boolean {
  return item["Code"] === "KS005" && /\bhint\.\w+\s*=\s*$/.test(text.slice(0, item["Start"] as number));
}

function refuseSyntax(code: KustoObject): void {
  const diagnostics = toArray((code["GetSyntaxDiagnostics"] as () => unknown).call(code));
  const refusal = refusalOf(diagnostics, "SyntaxError", new Set());
  if (refusal !== undefined) throw refusal;
}

function refusalOf(
  diagnostics: readonly KustoObject[],
  code: "SyntaxError" | "SemanticError",
  accepted: ReadonlySet<string>,
): QueryRefusal | undefined {
  const first = diagnostics.find(
    (item) =>
      item["Severity"] === "Error" &&
      !accepted.has(item["Code"] as string) &&
      // A wildcard that no table fits: isfuzzy lets it pass, and the binder knows.
      !(item["Code"] === "KS142" && accepted.size > 0 && /'[^']*\*[^']*'/.test(String(item["Message"]))),
  );
  if (first === undefined) return undefined;
  const message = String(first["Message"]);
  return new QueryRefusal(/syntax depth/i.test(message) ? "QueryTooComplex" : code, message, {
    start: first["Start"] as number,
    length: first["Length"] as number,
  });
}

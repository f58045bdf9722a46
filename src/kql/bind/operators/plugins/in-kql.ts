// Plugins that KQL itself can say: each is a query over its input `T`, with the plugin's arguments as
// names. `{0}` stands for the name of the column that is argument 0, `{dims}` for `, ` and the names of
// the further columns.

import { semantic } from "../../../errors.ts";
import { literal } from "../../../plan/expression.ts";
import { parseOnly } from "../../../syntax/analyze.ts";
import { child, kindOf, nameOf, spanOf, type SyntaxNode } from "../../../syntax/node.ts";
import { Scope } from "../../scope.ts";
import type { Bound } from "../../session.ts";
import type { PluginCall } from "./call.ts";
import { isTabular } from "../../tabular.ts";
import { columnNamed } from "../shape.ts";
import { declareLet, insideSaved } from "../../declarations.ts";
import { share } from "../expand.ts";

interface PluginText {
  /** `c` is a column, any other word the name of a value; what follows them are dimensions, if `dims` says so. */
  readonly parameters: readonly string[];
  readonly dims: boolean;
  /** Flags behind the parameters, with what they are when they are absent. */
  readonly options?: Readonly<Record<string, boolean>>;
  /** One period may stand before the dimensions (`{cohort}`), and a table of ids behind them (`{lookback}`). */
  readonly cohorts?: boolean;
  readonly text: string;
}

const inPeriod = "T | where {1} >= Start and {1} <= End";

const pluginTexts: Readonly<Record<string, PluginText>> = {
  /** The window of a bin is the bin and those before it. */
  rolling_percentile: {
    parameters: ["c", "Percent", "c", "BinSize", "BinsPerWindow"],
    dims: true,
    text: `
      let Binned = T | project V = {0}, B = bin({2}, BinSize){dims};
      Binned
      | extend Step = range(0, BinsPerWindow - 1, 1)
      | mv-expand Step to typeof(long)
      | extend B = B + Step * BinSize
      | summarize V = percentile(V, Percent) by B{dims}
      | join kind=leftsemi (Binned | distinct B{dims}) on B{dims}
      | project {2} = B{dims}, rolling_{:BinsPerWindow}_percentile_{:0}_{:Percent} = V`,
  },
  /** An id that was not seen for the whole look-back begins a session. */
  session_count: {
    parameters: ["c", "c", "Start", "End", "Bin", "LookBack"],
    dims: true,
    text: `
      T | where {1} >= Start and {1} < End
      | project I = {0}, At = {1}{dims}
      | partition hint.strategy=native by I (sort by At asc | extend Gap = At - prev(At) | extend Begins = isnull(Gap) or Gap >= LookBack)
      | where Begins
      | summarize count_sessions = count() by At = bin(At, Bin){dims}
      | project {1} = At{dims}, count_sessions
      | sort by {1} asc`,
  },
  /** An id is active where it was there in enough periods of the look-back that ends with one of its rows. */
  active_users_count: {
    parameters: ["c", "c", "Start", "End", "LookBack", "Period", "ActivePeriods", "Bin"],
    dims: true,
    text: `
      let Seen = T | where {1} > Start - LookBack and {1} <= End | project I = {0}, At = {1}{dims};
      Seen
      | where At >= Start
      | distinct I, At{dims}
      | join kind=inner (Seen | project I, Before = At{dims}) on I{dims}
      | where Before <= At and Before > At - LookBack
      | summarize Periods = dcount(bin(Before, Period)) by I, At{dims}
      | where Periods >= ActivePeriods
      | summarize dcount = dcount(I) by At = bin_at(At, Bin, Start){dims}
      | project {1} = At{dims}, dcount`,
  },
  activity_counts_metrics: {
    parameters: ["c", "c", "Start", "End", "Window"],
    dims: true,
    text: `
      let Seen = ${inPeriod} | project I = {0}, At = bin_at({1}, Window, Start){dims};
      let First = Seen | summarize At = min(At) by I{dims} | summarize new_dcount = count() by At{dims};
      Seen
      | summarize count = count(), dcount = dcount(I) by At{dims}
      | join kind=leftouter First on At{dims}
      | extend new_dcount = coalesce(new_dcount, 0)
      | sort by {sortdims}At asc
      | extend aggregated_dcount = row_cumsum(new_dcount, {restart})
      | project {1} = At{dims}, ['count'], dcount, new_dcount, aggregated_dcount`,
  },
  /** Each window against the one before it; where that one saw nobody the rates are not numbers, as in the first. */
  activity_metrics: {
    parameters: ["c", "c", "Start", "End", "Window"],
    dims: true,
    text: `
      let Seen = ${inPeriod} | project I = {0}, At = bin_at({1}, Window, Start){dims} | distinct *;
      let Sizes = Seen | summarize Size = count() by At{dims};
      let Kept = Seen | join kind=leftsemi (Seen | extend At = At + Window) on I, At{dims} | summarize Kept = count() by At{dims};
      Sizes
      | join kind=leftouter Kept on At{dims}
      | join kind=leftouter (Sizes | project Before = toreal(Size), At = At + Window{dims}) on At{dims}
      | extend Kept = coalesce(Kept, 0), Before = coalesce(Before, 0.0)
      | project {1} = At{dims}, dcount_values = Size, dcount_newvalues = Size - Kept, retention_rate = Kept / Before, churn_rate = (Before - Kept) / Before
      | sort by {sortdims}{1} asc`,
  },
  /**
   * Who was first seen in one window (its cohort), in each window from there on. What is new in a window
   * was seen in none up to the cohort's; in the cohort's own, that is the cohort.
   */
  new_activity_metrics: {
    parameters: ["c", "c", "Start", "End", "Window"],
    dims: true,
    cohorts: true,
    text: `
      let Seen = ${inPeriod} | project I = {0}, At = bin_at({1}, Window, Start){dims} | distinct *;
      let First = Seen | join kind=leftanti ({lookback}) on $left.I == $right.{0} | summarize First = min(At) by I{dims};
      let Known = Seen | join kind=inner First on I{dims} | summarize Ids = count() by At, First{dims};
      let Windows = range At from bin_at(Start, Window, Start) to bin_at(End, Window, Start) step Window;
      let Slices = Seen | summarize Rows = count() by One = 1{dims};
      let Pairs = Slices
        | join kind=inner (Windows | project From = At, One = 1 | where {cohort}) on One
        | join kind=inner (Windows | project To = At, One = 1) on One
        | where To >= From;
      Pairs
      | join kind=leftouter (Known | where At == First | project From = First, Size = Ids{dims}) on From{dims}
      | join kind=leftouter (Known | project From = First, To = At, Kept = Ids{dims}) on From, To{dims}
      | join kind=leftouter (
          Pairs
          | join kind=inner (Known | project To = At, First, Ids{dims}) on To{dims}
          | where First > From or (To == From and First == From)
          | summarize New = sum(Ids) by From, To{dims}) on From, To{dims}
      | extend Size = coalesce(Size, 0), Kept = coalesce(Kept, 0), New = coalesce(New, 0)
      | project from_{:1} = From, to_{:1} = To, dcount_new_values = New, dcount_retained_values = Kept,
          dcount_churn_values = Size - Kept, retention_rate = toreal(Kept) / Size, churn_rate = toreal(Size - Kept) / Size{dims}
      | sort by {sortdims}from_{:1} asc, to_{:1} asc`,
  },
  /** Each bin with the rows of the look-back that ends with it. */
  sliding_window_counts: {
    parameters: ["c", "c", "Start", "End", "LookBack", "Bin"],
    dims: true,
    text: `
      T | where {1} > Start - LookBack and {1} <= End
      | project I = {0}, At = bin_at({1}, Bin, Start){dims}
      | extend Step = range(0, tolong(ceiling(LookBack / Bin)) - 1, 1)
      | mv-expand Step to typeof(long)
      | extend At = At + Step * Bin
      | where At >= Start and At <= End
      | summarize Count = count(), Dcount = dcount(I) by At{dims}
      | project {1} = At{dims}, Count, Dcount
      | sort by {1} asc`,
  },
  /** One schema out of several that getschema gave; a column at another place is marked. */
  schema_merge: {
    parameters: [],
    dims: false,
    options: { PreserveOrder: true },
    text: `
      T
      | summarize Last = max(ColumnOrdinal), First = min(ColumnOrdinal) by ColumnName, DataType, ColumnType
      | extend Moved = PreserveOrder and Last != First
      | sort by Last asc
      | project
          ColumnName,
          ColumnOrdinal = iff(Moved, -1, tolong(Last)),
          DataType = iff(Moved, "ERROR(unknown CSL type:ERROR(columns are out of order))", DataType),
          ColumnType = iff(Moved, "ERROR(columns are out of order)", ColumnType)`,
  },
};

export function hasPluginText(name: string): boolean {
  return pluginTexts[name] !== undefined;
}

export function bindPluginText(name: string, { session, args, named, input, scope, node }: PluginCall): Bound {
  const plugin = pluginTexts[name];
  const span = spanOf(node);
  if (plugin === undefined || args.length < plugin.parameters.length) {
    throw semantic(`${name} needs ${plugin?.parameters.length ?? 0} arguments.`, span);
  }
  const inner = new Scope();
  const again = share(session, input);
  inner.declare("T", { kind: "table", bind: again });
  const words = new Map<string, string>();
  plugin.parameters.forEach((parameter, index) => {
    const arg = args[index];
    if (arg === undefined) return;
    if (parameter === "c") {
      words.set(String(index), columnNamed(arg, input.columns).name);
      return;
    }
    const value = session.expression(arg, { scope, columns: [] });
    inner.declare(parameter, { kind: "scalar", value });
    words.set(parameter, value.kind === "literal" ? String(value.value) : parameter);
  });
  const rest = args.slice(plugin.parameters.length);
  for (const [option, preset] of Object.entries(plugin.options ?? {})) {
    const given = named.get(option.toLowerCase()) ?? rest.shift();
    const value = given === undefined ? literal("bool", preset) : session.expression(given, { scope, columns: [] });
    inner.declare(option, { kind: "scalar", value });
  }
  let cohort = "true";
  if (plugin.cohorts === true) {
    const last = rest.at(-1);
    const table = last !== undefined && isTabular(session, last, scope) ? session.table(last, scope) : undefined;
    if (table !== undefined) rest.pop();
    // Without a table of its own the plugin looks back on nothing.
    inner.declare("Before", { kind: "table", bind: share(session, table ?? input) });
    const [period] = rest;
    if (period !== undefined && !input.columns.some((column) => column.name === nameIn(period))) {
      inner.declare("Cohort", { kind: "scalar", value: session.expression(period, { scope, columns: [] }) });
      rest.shift();
      cohort = "From == bin_at(Cohort, Window, Start)";
    }
    words.set("lookback", table === undefined ? "Before | where false" : "Before");
  }
  if (rest.length > 0 && !plugin.dims) throw semantic(`${name} does not take ${args.length} arguments.`, span);
  const dims = rest.map((arg) => columnNamed(arg, input.columns).name);
  const text = filled(plugin.text, words, dims)
    .replaceAll("{cohort}", () => cohort)
    .replaceAll("{lookback}", () => words.get("lookback") ?? "");
  return insideSaved(name, span, () => {
    let result: Bound | undefined;
    for (const statement of parseOnly(text)) {
      if (kindOf(statement) === "LetStatement")
        declareLet(session, statement, inner, (node) => isTabular(session, node, inner));
      else result = session.table(child(statement, "Expression"), inner);
    }
    if (result === undefined) throw semantic(`${name} gives nothing.`);
    return result;
  });
}

const nameIn = (node: SyntaxNode): string | undefined => (kindOf(node) === "NameReference" ? nameOf(node) : undefined);

const quoted = (name: string): string => `['${name.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}']`;

function filled(text: string, words: ReadonlyMap<string, string>, dims: readonly string[]): string {
  const list = dims.map(quoted);
  const restart = list.map((name) => `${name} != prev(${name})`).join(" or ");
  return text
    .replaceAll("{dims}", () => list.map((name) => `, ${name}`).join(""))
    .replaceAll("{sortdims}", () => list.map((name) => `${name} asc, `).join(""))
    .replaceAll("{restart}", () => restart || "false")
    .replaceAll(/\w*(?:\{:\w+\}\w*)+/g, (name) =>
      quoted(name.replaceAll(/\{:(\w+)\}/g, (_, word: string) => words.get(word) ?? word)),
    )
    .replaceAll(/\{(\d)\}/g, (_, index: string) => quoted(words.get(index) ?? ""));
}

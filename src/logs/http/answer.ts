// Answers a query of the wire; runs where the rows are.

import { z } from "zod";
import { kqlErrors, toJsonValue, type QueryResult, type QueryTable } from "../../kql/index.ts";
import { HoldfastError } from "../../lib/errors.ts";
import type { LogQueries } from "../query/log-queries.ts";
import type { LookUp } from "../query/query-workspace.ts";
import { intersect, parseTimespan } from "../query/timespan.ts";
import type { TimeRange } from "../store/sources.ts";
import { chartOf } from "./chart.ts";
import { refusal, type WireAnswer, type WireQuery } from "./wire.ts";

const bodySchema = z.object({
  query: z.string(),
  timespan: z.string().nullish(),
  workspaces: z.array(z.string()).max(100).nullish(),
});
const longestWait = 600;
const usualWait = 180;

export async function answerQuery(
  queries: LogQueries,
  now: number,
  wire: WireQuery,
  lookUp: LookUp,
  signal: AbortSignal,
): Promise<WireAnswer> {
  const parsed = bodySchema.safeParse(wire.body);
  if (!parsed.success)
    return refusal(400, "BadArgumentError", "The request had some invalid properties", {
      code: "QueryValidationError",
      message: "Failed parsing the query",
      details: [{ code: "InvalidJsonBody", message: "The body must be JSON with the text 'query'.", target: null }],
    });
  const { query, timespan, workspaces } = parsed.data;
  let range: TimeRange = {};
  for (const text of [timespan, wire.timespan]) {
    if (text === undefined || text === null || text === "") continue;
    const given = parseTimespan(text, now);
    if (given === undefined)
      return refusal(400, "BadArgumentError", "The request had some invalid properties", {
        code: "InvalidTimespan",
        message: `'${text}' is no ISO 8601 duration or interval.`,
      });
    range = intersect(range, given);
  }
  const preferences = parsePrefer(wire.prefer);
  const deadline = AbortSignal.timeout(preferences.wait * 1000);
  try {
    const others = await Promise.all((workspaces ?? []).map(lookUp));
    const all = [...new Map([...wire.workspaces, ...others].map((one) => [one.customerId, one])).values()];
    const result = await queries.run(
      { text: query, workspaces: all, slice: { ...range, resource: wire.resource }, lookUp },
      AbortSignal.any([signal, deadline]),
    );
    return { status: 200, json: JSON.stringify(render(result, preferences)) };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    if (deadline.aborted)
      return refusal(504, "GatewayTimeout", `The query did not end within ${preferences.wait} seconds.`);
    return queryRefusal(error);
  }
}

function render(result: QueryResult, preferences: Preferences): object {
  const { statistics, render: chart, partial } = result;
  return {
    tables: result.tables.map((table, index) => renderTable(table, index)),
    ...(preferences.statistics && {
      statistics: {
        query: {
          executionTime: (statistics.translateMilliseconds + statistics.executeMilliseconds) / 1000,
          datasetStatistics: [{ tableRowCount: statistics.rows }],
        },
      },
    }),
    ...(preferences.render && { render: chart === undefined ? {} : chartOf(chart) }),
    ...(partial !== undefined && {
      error: {
        code: "PartialError",
        message: "There were some errors when processing your query.",
        details: [{ code: partial.code, message: partial.message }],
      },
    }),
  };
}

function renderTable(table: QueryTable, index: number): object {
  return {
    name: index === 0 ? "PrimaryResult" : table.name === "" ? `Table_${index}` : table.name,
    columns: table.columns,
    rows: table.rows.map((row) =>
      table.columns.map(({ type }, at) => {
        const value = row[at] ?? null;
        if (value === null || type === "dynamic") return value;
        const shown = toJsonValue(value, type);
        return type === "datetime" ? String(shown).replace(/\.?0+Z$/, "Z") : shown;
      }),
    ),
  };
}

interface Preferences {
  readonly wait: number;
  readonly statistics: boolean;
  readonly render: boolean;
}

function parsePrefer(text = ""): Preferences {
  const given = new Map(
    text.split(/[,;]/).map((item): [string, string] => {
      const [name = "", value = ""] = item.split("=");
      return [name.trim().toLowerCase(), value.trim().toLowerCase()];
    }),
  );
  const wait = Number(given.get("wait") ?? usualWait);
  return {
    wait: wait >= 1 ? Math.min(wait, longestWait) : usualWait,
    statistics: given.get("include-statistics") === "true",
    render: given.get("include-render") === "true",
  };
}

const statements: Readonly<
  Record<string, { readonly code: string; readonly message: string; readonly kusto: string }>
> = {
  SyntaxError: { code: "SyntaxError", message: "A recognition error occurred in the query.", kusto: "SYN0002" },
  SemanticError: { code: "SemanticError", message: "A semantic error occurred.", kusto: "SEM0100" },
  Unsupported: { code: "SemanticError", message: "The query uses what this service does not have.", kusto: "SEM0001" },
  QueryTooComplex: { code: "QueryTooComplex", message: "The query is too complex.", kusto: "SYN0001" },
};

function queryRefusal(error: HoldfastError): WireAnswer {
  const known = statements[error.code];
  if (known !== undefined) {
    return refusal(400, "BadArgumentError", "The request had some invalid properties", {
      code: known.code,
      message: known.message,
      innererror: { code: known.kusto, message: error.sentence },
    });
  }
  if (error.code in kqlErrors) return refusal(error.status, error.code, error.message);
  return refusal(error.status, error.code, error.sentence);
}

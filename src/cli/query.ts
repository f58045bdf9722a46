// `./holdfast query`: KQL over a workspace of the running service.

import { Option, type Command } from "commander";
import { z } from "zod";
import { defineErrors } from "../lib/errors.ts";
import { dataOption } from "./data-option.ts";
import { connectService } from "./service-client.ts";

const errors = defineErrors({ QueryRefused: { status: 400 }, UsageInvalid: { status: 400 } });

const tableSchema = z.object({
  columns: z.array(z.object({ name: z.string(), type: z.string() })),
  rows: z.array(z.array(z.unknown())),
});
const answerSchema = z.object({ tables: z.array(tableSchema) });
type Table = z.output<typeof tableSchema>;

interface Options {
  readonly data: string;
  readonly workspace?: string;
  readonly timespan?: string;
  readonly output: "table" | "json" | "csv";
}

export function addQueryCommand(program: Command): void {
  program
    .command("query")
    .description("run a KQL query over the logs of a workspace")
    .argument("<kql>", "the query")
    .addOption(dataOption())
    .requiredOption("-w, --workspace <workspace>", "name or id of the workspace")
    .option("--timespan <timespan>", "only rows of this time: PT12H, or start/end")
    .addOption(
      new Option("-o, --output <format>", "how the rows are printed")
        .choices(["table", "json", "csv"])
        .default("table"),
    )
    .action(async (query: string, options: Options) => {
      const client = await connectService(options.data);
      const path = `/v1/workspaces/${encodeURIComponent(options.workspace ?? "")}/query`;
      const { status, text } = await client.postJson(path, { query, timespan: options.timespan });
      if (status !== 200) throw errors.QueryRefused(innermost(text));
      for (const table of answerSchema.parse(JSON.parse(text)).tables)
        process.stdout.write(printers[options.output](table));
    });
}

/** The deepest of the nested errors is the one that says what is wrong. */
function innermost(text: string): string {
  const level: z.ZodType<Level> = z.lazy(() =>
    z.object({ message: z.string().optional(), innererror: level.optional() }),
  );
  const parsed = z.object({ error: level }).safeParse(JSON.parse(text));
  let error = parsed.data?.error;
  while (error?.innererror !== undefined) error = error.innererror;
  return error?.message ?? text.slice(0, 500);
}

interface Level {
  readonly message?: string | undefined;
  readonly innererror?: Level | undefined;
}

const printers: Readonly<Record<Options["output"], (table: Table) => string>> = {
  json: ({ columns, rows }) => {
    const objects = rows.map((row) => Object.fromEntries(columns.map(({ name }, index) => [name, row[index]])));
    return `${JSON.stringify(objects, null, 2)}\n`;
  },
  csv: ({ columns, rows }) =>
    [columns.map(({ name }) => name), ...rows]
      .map((row) => `${row.map((value) => quoted(cell(value))).join(",")}\r\n`)
      .join(""),
  table: ({ columns, rows }) => {
    const lines = [columns.map(({ name }) => name), ...rows.map((row) => row.map(cell))];
    const widths = columns.map((_, index) =>
      lines.reduce((width, line) => Math.max(width, Math.min(60, line[index]?.length ?? 0)), 0),
    );
    const shown = lines.map((line) =>
      line
        .map((value, index) => value.padEnd(widths[index] ?? 0))
        .join("  ")
        .trimEnd(),
    );
    return `${[shown[0], widths.map((width) => "-".repeat(width)).join("  "), ...shown.slice(1)].join("\n")}\n`;
  },
};

function cell(value: unknown): string {
  // A control character in a log must not reach the terminal.
  return value === null || value === undefined ? "" : String(value).replaceAll(/\p{Cc}/gu, " ");
}

function quoted(text: string): string {
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

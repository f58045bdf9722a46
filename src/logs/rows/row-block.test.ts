import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import fc from "fast-check";
import { openDuckDb, quoteName, type ColumnSchema } from "../../kql/index.ts";
import { entryFrame, readEntry } from "../journal/entry.ts";
import { payloadOf } from "../journal/frames.ts";
import { beginGeneration } from "../store/recent.ts";
import { typeRecords, type LogRecord } from "./type-records.ts";
import type { RowBlock } from "./row-block.ts";

const columns: readonly ColumnSchema[] = [
  { name: "TimeGenerated", type: "datetime" },
  { name: "Text", type: "string" },
  { name: "Whole", type: "long" },
  { name: "Real", type: "real" },
  { name: "Yes", type: "bool" },
  { name: "Any", type: "dynamic" },
];
const table = { name: "T", columns };

describe("rows as columns of text", () => {
  let duckdb: DuckDBInstance;
  let connection: DuckDBConnection;
  let generations = 0;
  before(async () => {
    duckdb = await openDuckDb({ memoryLimitMiB: 256 });
    connection = await duckdb.connect();
  });
  after(() => {
    connection.closeSync();
    duckdb.closeSync();
  });

  /** Through typing, the journal and DuckDB, in as many batches as there are lists. */
  const roundTrip = async (batches: readonly (readonly LogRecord[])[]): Promise<unknown[][]> => {
    const blocks = batches
      .filter((records) => records.length > 0)
      .flatMap((records): readonly RowBlock[] => {
        const typed = typeRecords(table, columns, records, 0);
        const block = { workspace: "w", table: "T", count: records.length, columns: typed.columns };
        return readEntry(payloadOf(entryFrame({ origin: undefined, blocks: [block] }))).blocks;
      });
    generations += 1;
    const generation = await beginGeneration(connection, generations);
    await generation.append("w/T", columns, blocks);
    const [recent] = generation.tables.get("w/T") ?? [];
    assert.ok(recent);
    const list = columns.slice(1).map(({ name, type }) => {
      if (!recent.columns.has(name)) return type === "string" ? "''" : "NULL";
      return type === "long" ? `${quoteName(name)}::VARCHAR` : quoteName(name);
    });
    const rows = await connection.run(
      `SELECT epoch_us(TimeGenerated)::VARCHAR, ${list.join(", ")} FROM ${recent.from}`,
    );
    const found = await rows.getRows();
    await generation.drop(connection);
    return found;
  };

  const text = fc.oneof(
    fc.string({ unit: "grapheme" }),
    fc.string({
      unit: fc.constantFrom("\u0000", "\u001d", "\u001e", "\u001f", "d", "e", "f", "'", "é", "\u0301", "\n"),
    }),
  );
  const record = fc.record(
    {
      TimeGenerated: fc.integer({ min: -1_000_000_000, max: 80_000_000 }),
      Text: text,
      Whole: fc.maxSafeInteger(),
      Real: fc.double({ noNaN: true, noDefaultInfinity: true }),
      Yes: fc.boolean(),
      Any: text,
    },
    { requiredKeys: ["TimeGenerated"] },
  );

  test("what goes in comes out, whatever characters and gaps it has", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(record, { maxLength: 5 }), { minLength: 1, maxLength: 4 }),
        async (batches) => {
          fc.pre(batches.flat().length > 0);
          const expected = batches.flat().map(({ TimeGenerated, Text, Whole, Real, Yes, Any }) => [
            String(TimeGenerated * 1000),
            Text ?? "",
            Whole === undefined ? null : String(Whole),
            // JSON and text know no negative zero.
            Real === undefined ? null : Real === 0 ? 0 : Real,
            Yes ?? null,
            Any ?? null,
          ]);
          assert.deepEqual(await roundTrip(batches), expected);
        },
      ),
      { numRuns: 60, seed: 20 },
    );
  });

  test("a string is never null: without one there is the empty one, and in dynamic they stay apart", async () => {
    const rows = await roundTrip([[{ Text: "", Any: "" }, {}, { Text: "\u001e" }], [{ Whole: 1 }]]);
    assert.deepEqual(
      rows.map(([, found]) => found),
      ["", "", "\u001e", ""],
    );
    assert.deepEqual(
      rows.map((row) => row.at(-1)),
      ["", null, null, null],
    );
  });

  test("a null among the strings of an older journal is read as the empty string", async () => {
    generations += 1;
    const generation = await beginGeneration(connection, generations);
    const texts = [
      { name: "Text", text: "a\u001f\u001e\u001fb", isEscaped: false },
      { name: "Whole", text: "1\u001f\u001e\u001f3", isEscaped: false },
    ];
    await generation.append("w/T", columns, [{ workspace: "w", table: "T", count: 3, columns: texts }]);
    const [recent] = generation.tables.get("w/T") ?? [];
    const rows = await connection.run(`SELECT Text, Whole::VARCHAR FROM ${recent?.from}`);
    assert.deepEqual(await rows.getRows(), [
      ["a", "1"],
      ["", null],
      ["b", "3"],
    ]);
  });

  test("a batch of a version that nobody knows is refused, not skipped", () => {
    assert.throws(() => readEntry(Buffer.from('{"batch":[]}')), { code: "JournalDamaged" });
  });
});

// Times: the calendar is DuckDB's, the last digit is ours.

import { startOfUnit, type CalendarUnit } from "../../values/calendar-units.ts";
import { validTicks } from "../../values/ticks.ts";
import type { FunctionEmitter } from "../context.ts";
import { literalSql, sql, timestamp, type Sql } from "../sql.ts";

/** Null outside of the years 1 to 9999. */
export function validDatetime(text: string): string {
  return `(CASE WHEN ${text} BETWEEN 0 AND 3155378975999999999 THEN ${text} END)`;
}

/** The start of a unit, some units on, where all of it is known while the query is written. */
function knownStart(value: Sql, unit: CalendarUnit, offset: Sql | undefined, more = 0n): bigint | undefined {
  const units = offset === undefined ? 0n : offset.constant;
  if (typeof value.constant !== "bigint" || typeof units !== "bigint") return undefined;
  if (units < -1_000_000n || units > 1_000_000n) return undefined;
  return validTicks(startOfUnit(value.constant, unit, units + more)) ?? undefined;
}

/** A calendar unit's start, moved by whole units. */
function startOf(unit: "day" | "month" | "year", months: number): FunctionEmitter {
  return ([value, offset]) => {
    if (value === undefined) return undefined as never;
    const known = knownStart(value, unit, offset);
    if (known !== undefined) return literalSql("datetime", known);
    const start = `date_trunc('${unit}', ${timestamp(value)})`;
    const result = moved(start, unit, months, offset);
    return value.timestamp ? sql("datetime", result, { timestamp: true }) : sql("datetime", stampTicks(result));
  };
}

function moved(start: string, unit: CalendarUnit, months: number, offset: Sql | undefined): string {
  if (offset === undefined) return `(${start})::TIMESTAMP`;
  const interval =
    unit === "day"
      ? `to_days((${offset.text})::INTEGER)`
      : unit === "week"
        ? `to_days((${offset.text} * 7)::INTEGER)`
        : `to_months((${offset.text} * ${months})::INTEGER)`;
  return `(${start} + ${interval})::TIMESTAMP`;
}

function stampTicks(text: string): string {
  return `((epoch_us(${text}) + 62135596800000000) * 10)`;
}

const weekStart = (value: Sql): string =>
  `(date_trunc('day', ${timestamp(value)}) - to_days(dayofweek(${timestamp(value)})::INTEGER))`;

/** The last tick of a unit: the start of the next one less one tick. */
function endOf(unit: CalendarUnit, months: number): FunctionEmitter {
  return ([value, offset]) => {
    if (value === undefined) return undefined as never;
    const next = knownStart(value, unit, offset, 1n);
    if (next !== undefined) return literalSql("datetime", next - 1n);
    const start = unit === "week" ? weekStart(value) : `date_trunc('${unit}', ${timestamp(value)})`;
    const width = unit === "day" ? "to_days(1)" : unit === "week" ? "to_days(7)" : `to_months(${months})`;
    return sql("datetime", `(${stampTicks(`(${moved(start, unit, months, offset)} + ${width})::TIMESTAMP`)} - 1)`);
  };
}

/** DuckDB knows abbreviations and relics beside the names of the time zone database. */
const isZoneOfTheDatabase =
  `name NOT LIKE 'SystemV/%' AND name NOT IN ('Factory', 'US/Pacific-New', 'Canada/East-Saskatchewan')` +
  ` AND (NOT regexp_matches(name, '^[A-Z]{3}$') OR name IN ('CET', 'EET', 'EST', 'GMT', 'HST', 'MET', 'MST', 'PRC', 'ROC', 'ROK', 'UCT', 'UTC', 'WET'))`;

const part =
  (name: string): FunctionEmitter =>
  ([value]) =>
    sql("long", `${name}(${timestamp(value as Sql)})`);

const fromUnix =
  (factor: bigint): FunctionEmitter =>
  ([value]) => {
    if (value === undefined) return undefined as never;
    const text =
      value.type === "real" ? `trunc(${value.text} * ${factor})::BIGINT` : `(${value.text})::BIGINT * ${factor}`;
    return sql("datetime", validDatetime(`(${text} + 621355968000000000)`));
  };

export const timeFunctions: Readonly<Record<string, FunctionEmitter>> = {
  datetime_list_timezones: () =>
    sql("dynamic", `(SELECT to_json(list(name ORDER BY name)) FROM pg_timezone_names() WHERE ${isZoneOfTheDatabase})`),
  now: (_args, _call, emitter) => literalSql("datetime", emitter.context.now),
  startofday: startOf("day", 0),
  startofmonth: startOf("month", 1),
  startofyear: startOf("year", 12),
  startofweek: ([value, offset]) => {
    if (value === undefined) return undefined as never;
    const known = knownStart(value, "week", offset);
    if (known !== undefined) return literalSql("datetime", known);
    const result = moved(weekStart(value), "week", 0, offset);
    return value.timestamp ? sql("datetime", result, { timestamp: true }) : sql("datetime", stampTicks(result));
  },
  endofday: endOf("day", 0),
  endofweek: endOf("week", 0),
  endofmonth: endOf("month", 1),
  endofyear: endOf("year", 12),
  getyear: part("year"),
  getmonth: part("month"),
  monthofyear: part("month"),
  dayofmonth: part("day"),
  dayofyear: part("dayofyear"),
  hourofday: part("hour"),
  week_of_year: part("weekofyear"),
  dayofweek: ([value]) => sql("timespan", `(dayofweek(${timestamp(value as Sql)}) * 864000000000)`),
  unixtime_seconds_todatetime: fromUnix(10_000_000n),
  unixtime_milliseconds_todatetime: fromUnix(10_000n),
  unixtime_microseconds_todatetime: fromUnix(10n),
  unixtime_nanoseconds_todatetime: ([value]) => {
    if (value === undefined) return undefined as never;
    return sql("datetime", validDatetime(`((${value.text})::BIGINT // 100 + 621355968000000000)`));
  },
  ingestion_time: () => literalSql("datetime", null),
};

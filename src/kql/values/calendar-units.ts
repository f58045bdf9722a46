// Where days, weeks, months and years begin.

import { calendarOf, ticksOf, ticksPerDay, weekday } from "./ticks.ts";

export type CalendarUnit = "day" | "week" | "month" | "year";

/** The start of the unit that a time lies in, or of one that many units later; null outside of the calendar. */
export function startOfUnit(ticks: bigint, unit: CalendarUnit, offset: bigint): bigint | null {
  const { year, month } = calendarOf(ticks);
  if (unit === "year") return ticksOf(year + Number(offset), 1, 1);
  if (unit === "month") {
    const months = year * 12 + month - 1 + Number(offset);
    return ticksOf(Math.floor(months / 12), (months % 12) + 1, 1);
  }
  const day = ticks - (ticks % ticksPerDay);
  const start = unit === "day" ? day : day - BigInt(weekday(ticks)) * ticksPerDay;
  return start + offset * ticksPerDay * (unit === "week" ? 7n : 1n);
}

// The many ways in which a datetime is written: ISO 8601 and its relatives, RFC 822, month first.

import { endOfTime, ticksOf, ticksPerHour, ticksPerMinute, ticksPerSecond, validTicks } from "./ticks.ts";

const monthNames = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

const time = String.raw`(?:[T\s]+(\d{1,2})(?::(\d{1,2})(?::(\d{1,2})(?:[.,](\d+))?)?)?\s*(AM|PM)?)?`;
const zone = String.raw`\s*(Z|UTC|GMT|[+-]\d{1,2}:?\d{2}|[+-]\d{2})?`;

const yearFirst = new RegExp(String.raw`^(\d{4})(?:[-/.](\d{1,2})(?:[-/.](\d{1,2}))?)?${time}${zone}$`, "i");
const monthFirst = new RegExp(String.raw`^(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})${time}${zone}$`, "i");
const namedMonth = new RegExp(
  String.raw`^(?:[A-Za-z]{3,9},?\s+)?(\d{1,2})[-\s]([A-Za-z]{3,9})[-\s](\d{2,4})${time}${zone}$`,
  "i",
);
const monthNameFirst = new RegExp(String.raw`^([A-Za-z]{3,9})\s+(\d{1,2}),?\s+(\d{4})${time}${zone}$`, "i");
const compact = /^(\d{4})(\d{2})(\d{2})(?:[T\s]?(\d{2})(\d{2})(\d{2})?Z?)?$/;

/** Ticks since 0001-01-01, or null when the text is no datetime. */
export function readDatetime(text: string): bigint | null {
  const trimmed = text.trim();
  const iso = yearFirst.exec(trimmed);
  if (iso !== null) return assemble(Number(iso[1]), Number(iso[2] ?? 1), Number(iso[3] ?? 1), iso.slice(4));
  const american = monthFirst.exec(trimmed);
  if (american !== null) {
    return assemble(Number(american[3]), Number(american[1]), Number(american[2]), american.slice(4));
  }
  const named = namedMonth.exec(trimmed);
  if (named !== null) {
    return assemble(fullYear(named[3] ?? ""), monthNumber(named[2] ?? ""), Number(named[1]), named.slice(4));
  }
  const spoken = monthNameFirst.exec(trimmed);
  if (spoken !== null) {
    return assemble(Number(spoken[3]), monthNumber(spoken[1] ?? ""), Number(spoken[2]), spoken.slice(4));
  }
  const digits = compact.exec(trimmed);
  if (digits !== null) {
    return assemble(Number(digits[1]), Number(digits[2]), Number(digits[3]), digits.slice(4, 7));
  }
  return null;
}

function fullYear(text: string): number {
  const year = Number(text);
  return text.length > 2 ? year : year < 50 ? 2000 + year : 1900 + year;
}

function monthNumber(name: string): number {
  return monthNames.indexOf(name.slice(0, 3).toLowerCase()) + 1;
}

function assemble(year: number, month: number, day: number, parts: readonly (string | undefined)[]): bigint | null {
  const [hourText = "0", minuteText = "0", secondText = "0", fraction = "", half, offset] = parts;
  let hour = Number(hourText);
  if (half !== undefined) hour = (hour % 12) + (half.toUpperCase() === "PM" ? 12 : 0);
  if (hour > 23 || Number(minuteText) > 59 || Number(secondText) > 59) return null;
  const start = ticksOf(year, month, day);
  if (start === null) return null;
  const ticks =
    start +
    BigInt(hour) * ticksPerHour +
    BigInt(minuteText) * ticksPerMinute +
    BigInt(secondText) * ticksPerSecond +
    BigInt(fraction.slice(0, 7).padEnd(7, "0")) -
    offsetTicks(offset);
  return ticks < endOfTime ? validTicks(ticks) : null;
}

function offsetTicks(offset: string | undefined): bigint {
  const match = /^([+-])(\d{1,2}):?(\d{2})?$/.exec(offset ?? "");
  if (match === null) return 0n;
  const ticks = BigInt(match[2] ?? "0") * ticksPerHour + BigInt(match[3] ?? "0") * ticksPerMinute;
  return match[1] === "-" ? -ticks : ticks;
}

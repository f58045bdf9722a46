// Calendars: parts, differences, formats, time zones.

import {
  calendarOf,
  endOfTime,
  floorDivide,
  ticksOf,
  ticksPerDay,
  ticksPerHour,
  ticksPerMillisecond,
  ticksPerMinute,
  ticksPerSecond,
  validTicks,
  weekday,
} from "../values/ticks.ts";
import type { Dynamic } from "../values/dynamic.ts";
import { formatDatetime, formatTimespan } from "../values/ticks.ts";
import { text, type RuntimeFunction } from "./value.ts";

const fixedUnits: Readonly<Record<string, bigint>> = {
  week: 7n * ticksPerDay,
  day: ticksPerDay,
  hour: ticksPerHour,
  minute: ticksPerMinute,
  second: ticksPerSecond,
  millisecond: ticksPerMillisecond,
  microsecond: 10n,
};

const monthUnits: Readonly<Record<string, number>> = { year: 12, quarter: 3, month: 1 };

function unitName(value: Dynamic | undefined): string {
  const name = text(value).toLowerCase();
  return name.endsWith("s") ? name.slice(0, -1) : name;
}

function addMonths(ticks: bigint, months: number): bigint | null {
  const at = calendarOf(ticks);
  const total = at.year * 12 + at.month - 1 + months;
  const [year, month] = [Math.floor(total / 12), (total % 12) + 1];
  const lastDay = new Date(Date.UTC(2000 + (((year % 400) + 400) % 400), month, 0)).getUTCDate();
  return ticksOf(year, month, Math.min(at.day, lastDay), ticks % ticksPerDay);
}

function datetimeAdd(unit: string, amount: bigint, ticks: bigint): bigint | null {
  const months = monthUnits[unit];
  if (months !== undefined) return addMonths(ticks, Number(amount) * months);
  if (unit === "nanosecond") return validTicks(ticks + amount / 100n);
  const size = fixedUnits[unit];
  return size === undefined ? null : validTicks(ticks + amount * size);
}

/** How many boundaries of the unit lie between the two. */
function datetimeDiff(unit: string, later: bigint, earlier: bigint): bigint | null {
  const months = monthUnits[unit];
  if (months !== undefined) {
    const count = (ticks: bigint): number => {
      const at = calendarOf(ticks);
      return Math.floor((at.year * 12 + at.month - 1) / months);
    };
    return BigInt(count(later) - count(earlier));
  }
  if (unit === "week") {
    const week = (ticks: bigint): bigint => floorDivide(ticks + ticksPerDay, 7n * ticksPerDay);
    return week(later) - week(earlier);
  }
  if (unit === "nanosecond") return (later - earlier) * 100n;
  const size = fixedUnits[unit];
  return size === undefined ? null : later / size - earlier / size;
}

function isoWeek(ticks: bigint): number {
  const day = weekday(ticks) === 0 ? 7 : weekday(ticks);
  const thursday = ticks - (ticks % ticksPerDay) + BigInt(4 - day) * ticksPerDay;
  const start = ticksOf(calendarOf(thursday).year, 1, 1) ?? 0n;
  return Number((thursday - start) / ticksPerDay / 7n) + 1;
}

function datetimePart(unit: string, ticks: bigint): bigint | null {
  const at = calendarOf(ticks);
  const startOfYear = ticksOf(at.year, 1, 1) ?? 0n;
  const parts: Readonly<Record<string, number>> = {
    year: at.year,
    quarter: Math.ceil(at.month / 3),
    month: at.month,
    week_of_year: isoWeek(ticks),
    weekofyear: isoWeek(ticks),
    day: at.day,
    dayofyear: Number((ticks - startOfYear) / ticksPerDay) + 1,
    hour: at.hour,
    minute: at.minute,
    second: at.second,
    millisecond: Math.floor(at.fraction / 10_000),
    microsecond: Math.floor(at.fraction / 10),
    nanosecond: at.fraction * 100,
  };
  const found = parts[text(unit).toLowerCase()] ?? parts[unit];
  return found === undefined ? null : BigInt(found);
}

const pad = (value: number | bigint, length: number): string => String(value).padStart(length, "0");

function fractionToken(token: string, fraction: number): string {
  const digits = pad(fraction, 7).slice(0, token.length);
  return token.startsWith("F") ? digits.replace(/0+$/, "") : digits;
}

function formatDatetimeAs(ticks: bigint, format: string): string {
  const at = calendarOf(ticks);
  const half = at.hour % 12 === 0 ? 12 : at.hour % 12;
  return format.replaceAll(/yyyy|yy|MM?|dd?|hh?|HH?|mm?|ss?|tt?|f{1,7}|F{1,7}/g, (token) => {
    const size = token.length;
    switch (token.charAt(0)) {
      case "y":
        return size === 4 ? pad(at.year, 4) : pad(at.year % 100, 2);
      case "M":
        return pad(at.month, size);
      case "d":
        return pad(at.day, size);
      case "h":
        return pad(half, size);
      case "H":
        return pad(at.hour, size);
      case "m":
        return pad(at.minute, size);
      case "s":
        return pad(at.second, size);
      case "t":
        return (at.hour < 12 ? "AM" : "PM").slice(0, size);
      default:
        return fractionToken(token, at.fraction);
    }
  });
}

function formatTimespanAs(ticks: bigint, format: string): string {
  const size = ticks < 0n ? -ticks : ticks;
  const body = format.replaceAll(/d{1,8}|hh?|HH?|mm?|ss?|f{1,7}|F{1,7}/g, (token) => {
    switch (token.charAt(0)) {
      case "d":
        return pad(size / ticksPerDay, token.length);
      case "h":
      case "H":
        return pad((size / ticksPerHour) % 24n, token.length);
      case "m":
        return pad((size / ticksPerMinute) % 60n, token.length);
      case "s":
        return pad((size / ticksPerSecond) % 60n, token.length);
      default:
        return fractionToken(token, Number(size % ticksPerSecond));
    }
  });
  return ticks < 0n ? `-${body}` : body;
}

/** Calendars are made to show whole seconds; making one costs more than showing a moment. */
const clocks = new Map<string, Intl.DateTimeFormat>();
const keptClocks = 64;

function clockOf(zone: string): Intl.DateTimeFormat {
  const known = clocks.get(zone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat("en-US", {
    timeZone: zone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  if (clocks.size >= keptClocks) clocks.clear();
  clocks.set(zone, made);
  return made;
}

/** The offset of a zone at a moment, in ticks. */
function zoneOffset(ticks: bigint, zone: string): bigint | null {
  try {
    const seconds = floorDivide(ticks, ticksPerSecond);
    const shown = clockOf(zone).formatToParts(Number(seconds - 62_135_596_800n) * 1000);
    const part = (type: string): number => Number(shown.find((item) => item.type === type)?.value ?? 0);
    const ofDay = BigInt((part("hour") * 60 + part("minute")) * 60 + part("second")) * ticksPerSecond;
    const local = ticksOf(part("year"), part("month"), part("day"), ofDay);
    return local === null ? null : local - seconds * ticksPerSecond;
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function toUtc(local: bigint, zone: string): bigint | null {
  const first = zoneOffset(local, zone);
  if (first === null) return null;
  const second = zoneOffset(local - first, zone) ?? first;
  // A local time that the change to summer time skips has the offset of after the change.
  const exists = zoneOffset(local - second, zone) === second;
  return validTicks(local - (exists ? second : first));
}

/** A bigint argument, or null. */
const ticks = (value: Dynamic | undefined): bigint | null => (typeof value === "bigint" ? value : null);

function timeParts(args: readonly Dynamic[]): bigint | null {
  const [hour = 0n, minute = 0n, second = 0] = args;
  if ([hour, minute, second].includes(null)) return null;
  const [h, m, s] = [Number(hour), Number(minute), Number(second)];
  if (h < 0 || h > 23 || m < 0 || m > 59 || s < 0 || s >= 60) return null;
  return BigInt(h) * ticksPerHour + BigInt(m) * ticksPerMinute + BigInt(Math.trunc(s * 1e7 + 0.5));
}

export const timeFunctions: Readonly<Record<string, RuntimeFunction>> = {
  datetime_add: ([unit, amount, at]) => {
    const [count, moment] = [ticks(amount), ticks(at)];
    return count === null || moment === null ? null : datetimeAdd(unitName(unit), count, moment);
  },
  datetime_diff: ([unit, later, earlier]) => {
    const [to, from] = [ticks(later), ticks(earlier)];
    return to === null || from === null ? null : datetimeDiff(unitName(unit), to, from);
  },
  datetime_part: ([unit, at]) => (ticks(at) === null ? null : datetimePart(text(unit), ticks(at) ?? 0n)),
  format_datetime: ([at, format]) => (ticks(at) === null ? "" : formatDatetimeAs(ticks(at) ?? 0n, text(format))),
  format_timespan: ([span, format]) => (ticks(span) === null ? "" : formatTimespanAs(ticks(span) ?? 0n, text(format))),
  make_datetime: ([year, month, day, ...time]) => {
    if (typeof year !== "bigint" || typeof month !== "bigint" || typeof day !== "bigint") return null;
    const ofDay = timeParts(time);
    return ofDay === null ? null : ticksOf(Number(year), Number(month), Number(day), ofDay);
  },
  make_timespan: (args) => {
    const days = args.length === 4 ? args[0] : 0n;
    const ofDay = timeParts(args.length === 4 ? args.slice(1) : args);
    return typeof days !== "bigint" || ofDay === null ? null : days * ticksPerDay + ofDay;
  },
  datetime_utc_to_local: ([at, zone]) => {
    const moment = ticks(at);
    const offset = moment === null ? null : zoneOffset(moment, text(zone));
    return moment === null || offset === null ? null : validTicks(moment + offset);
  },
  datetime_local_to_utc: ([at, zone]) => (ticks(at) === null ? null : toUtc(ticks(at) ?? 0n, text(zone))),
  datetime_list: ([from, to, step]) => series(from, to, step, (value) => formatDatetime(value)),
  timespan_list: ([from, to, step]) => series(from, to, step, (value) => formatTimespan(value)),
};

function series(
  from: Dynamic | undefined,
  to: Dynamic | undefined,
  step: Dynamic | undefined,
  show: (value: bigint) => string,
): Dynamic {
  const [start, end, width] = [ticks(from), ticks(to), ticks(step)];
  if (start === null || end === null || width === null || width === 0n || end >= endOfTime) return null;
  const found: string[] = [];
  for (let at = start; width > 0n ? at <= end : at >= end; at += width) {
    if (found.length > 1_048_576) break;
    found.push(show(at));
  }
  return found;
}

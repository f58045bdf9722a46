// Times are ticks of 100 ns: a timespan counts them, a datetime counts them since 0001-01-01.

export const ticksPerMillisecond = 10_000n;
export const ticksPerSecond = 10_000_000n;
export const ticksPerMinute = 600_000_000n;
export const ticksPerHour = 36_000_000_000n;
export const ticksPerDay = 864_000_000_000n;
/** 1970-01-01 in ticks. */
const epochTicks = 621_355_968_000_000_000n;
/** One tick after 9999-12-31T23:59:59.9999999. */
export const endOfTime = 3_155_378_976_000_000_000n;

export interface CalendarTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  /** 0 to 9,999,999. */
  readonly fraction: number;
}

export function validTicks(ticks: bigint | null): bigint | null {
  return ticks !== null && ticks >= 0n && ticks < endOfTime ? ticks : null;
}

export function fromMilliseconds(milliseconds: number): bigint {
  return BigInt(Math.trunc(milliseconds)) * ticksPerMillisecond + epochTicks;
}

export function ticksOf(year: number, month: number, day: number, ticksOfDay = 0n): bigint | null {
  if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1) return null;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return null;
  return fromMilliseconds(date.getTime()) + ticksOfDay;
}

export function floorDivide(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  return value % divisor !== 0n && value < 0n !== divisor < 0n ? quotient - 1n : quotient;
}

export function calendarOf(ticks: bigint): CalendarTime {
  const milliseconds = Number(floorDivide(ticks - epochTicks, ticksPerMillisecond));
  const date = new Date(milliseconds);
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
    fraction: Number(ticks % ticksPerSecond),
  };
}

/** 0 is Sunday. */
export function weekday(ticks: bigint): number {
  return Number((ticks / ticksPerDay + 1n) % 7n);
}

const pad = (value: number | bigint, length: number): string => String(value).padStart(length, "0");

/** `2020-06-15T13:45:09.1234567Z` */
export function formatDatetime(ticks: bigint): string {
  const at = calendarOf(ticks);
  const time = `${pad(at.hour, 2)}:${pad(at.minute, 2)}:${pad(at.second, 2)}.${pad(at.fraction, 7)}`;
  return `${pad(at.year, 4)}-${pad(at.month, 2)}-${pad(at.day, 2)}T${time}Z`;
}

/** `[-][d.]hh:mm:ss[.fffffff]` */
export function formatTimespan(ticks: bigint): string {
  const size = ticks < 0n ? -ticks : ticks;
  const days = size / ticksPerDay;
  const fraction = size % ticksPerSecond;
  return [
    ticks < 0n ? "-" : "",
    days > 0n ? `${days}.` : "",
    `${pad((size / ticksPerHour) % 24n, 2)}:${pad((size / ticksPerMinute) % 60n, 2)}:${pad((size / ticksPerSecond) % 60n, 2)}`,
    fraction > 0n ? `.${pad(fraction, 7)}` : "",
  ].join("");
}

const timespanUnits: Readonly<Record<string, bigint>> = {
  d: ticksPerDay,
  day: ticksPerDay,
  days: ticksPerDay,
  h: ticksPerHour,
  hr: ticksPerHour,
  hrs: ticksPerHour,
  hour: ticksPerHour,
  hours: ticksPerHour,
  m: ticksPerMinute,
  min: ticksPerMinute,
  minute: ticksPerMinute,
  minutes: ticksPerMinute,
  s: ticksPerSecond,
  sec: ticksPerSecond,
  second: ticksPerSecond,
  seconds: ticksPerSecond,
  ms: ticksPerMillisecond,
  milli: ticksPerMillisecond,
  millis: ticksPerMillisecond,
  millisec: ticksPerMillisecond,
  millisecond: ticksPerMillisecond,
  milliseconds: ticksPerMillisecond,
  micro: 10n,
  micros: 10n,
  microsec: 10n,
  microsecond: 10n,
  microseconds: 10n,
  nanos: 0n,
  nanosecond: 0n,
  nanoseconds: 0n,
  tick: 1n,
  ticks: 1n,
};

/** Reads `1.02:03:04.5`, `02:03`, `5` (days) and `1.5h`. */
export function parseTimespan(text: string): bigint | null {
  const trimmed = text.trim();
  const unit = /^([+-]?)(\d+(?:\.\d+)?)\s*([a-z]+)$/i.exec(trimmed);
  if (unit !== null) {
    const size = timespanUnits[(unit[3] ?? "").toLowerCase()];
    if (size === undefined) return null;
    const [whole = "0", fraction = ""] = (unit[2] ?? "0").split(".");
    const scaled = (BigInt(whole + fraction) * size) / 10n ** BigInt(fraction.length);
    return unit[1] === "-" ? -scaled : scaled;
  }
  const clock = /^([+-]?)(?:(\d+)\.|(?=\d+:\d+:\d+:\d)(\d+):)?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,7}))?)?$/.exec(
    trimmed,
  );
  if (clock !== null) return clockTicks(clock);
  const days = /^([+-]?)(\d+)$/.exec(trimmed);
  if (days === null) return null;
  const ticks = BigInt(days[2] ?? "0") * ticksPerDay;
  return days[1] === "-" ? -ticks : ticks;
}

function clockTicks(match: RegExpExecArray): bigint | null {
  const [, sign, dotted, colon, hours = "0", minutes = "0", seconds = "0", fraction = ""] = match;
  const days = dotted ?? colon ?? "0";
  if (Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 59) return null;
  const ticks =
    BigInt(days) * ticksPerDay +
    BigInt(hours) * ticksPerHour +
    BigInt(minutes) * ticksPerMinute +
    BigInt(seconds) * ticksPerSecond +
    BigInt(fraction.padEnd(7, "0"));
  return sign === "-" ? -ticks : ticks;
}

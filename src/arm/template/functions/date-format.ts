// Dates as .NET's invariant culture reads and writes them, always in UTC.

import { months, weekdays } from "../../../lib/calendar-names.ts";

const iso =
  /^(\d{4})-?(\d\d)-?(\d\d)(?:[T ](\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d{1,9}))?)?)?\s*(?:Z|([+-])(\d\d):?(\d\d))?$/i;
const slashed = /^(\d{1,2})\/(\d{1,2})\/(\d{4})(?: (\d{1,2}):(\d\d)(?::(\d\d))? ?(AM|PM)?)?$/i;

/** Milliseconds since the epoch, or undefined for what is no date. No zone means UTC. */
export function parseDate(text: string): number | undefined {
  const trimmed = text.trim();
  const match = iso.exec(trimmed);
  if (match !== null) {
    const [
      ,
      year,
      month,
      day,
      hour = "0",
      minute = "0",
      second = "0",
      fraction = "0",
      sign,
      zoneHour = "0",
      zoneMinute = "0",
    ] = match;
    const time = checkedTime(Number(year), Number(month), Number(day), Number(hour), Number(minute), Number(second));
    if (time === undefined) return undefined;
    const zone = (Number(zoneHour) * 60 + Number(zoneMinute)) * 60_000 * (sign === "-" ? -1 : 1);
    return time + Math.floor(Number(`0.${fraction}`) * 1000) - zone;
  }
  const american = slashed.exec(trimmed);
  if (american === null) return undefined;
  const [, month, day, year, hour = "0", minute = "0", second = "0", half] = american;
  const clock = half === undefined ? Number(hour) : (Number(hour) % 12) + (half.toUpperCase() === "PM" ? 12 : 0);
  return checkedTime(Number(year), Number(month), Number(day), clock, Number(minute), Number(second));
}

function checkedTime(
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
): number | undefined {
  if (year < 1 || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59) return undefined;
  const date = new Date(Date.UTC(2000, month - 1, day, hour, minute, second));
  date.setUTCFullYear(year, month - 1, day);
  return date.getUTCDate() === day ? date.getTime() : undefined;
}

const standardFormats: Readonly<Record<string, string>> = {
  d: "MM/dd/yyyy",
  D: "dddd, dd MMMM yyyy",
  f: "dddd, dd MMMM yyyy HH:mm",
  F: "dddd, dd MMMM yyyy HH:mm:ss",
  g: "MM/dd/yyyy HH:mm",
  G: "MM/dd/yyyy HH:mm:ss",
  m: "MMMM dd",
  M: "MMMM dd",
  o: "yyyy-MM-ddTHH:mm:ss.fffffffK",
  O: "yyyy-MM-ddTHH:mm:ss.fffffffK",
  r: "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
  R: "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
  s: "yyyy-MM-ddTHH:mm:ss",
  t: "HH:mm",
  T: "HH:mm:ss",
  u: "yyyy-MM-dd HH:mm:ss'Z'",
  U: "dddd, dd MMMM yyyy HH:mm:ss",
  y: "yyyy MMMM",
  Y: "yyyy MMMM",
};

const customTokens = /'[^']*'|"[^"]*"|\\.|%.|d{1,4}|f{1,7}|F{1,7}|h+|H+|K|m+|M{1,4}|s+|t+|y{1,5}|z+|g+|[^]/g;

export function formatDate(milliseconds: number, format: string): string {
  const pattern = format.length === 1 ? standardFormats[format] : format;
  if (pattern === undefined) throw new RangeError(`'${format}' is not a valid date format`);
  const date = new Date(milliseconds);
  return pattern.replace(customTokens, (token) => formatToken(date, token));
}

function formatToken(date: Date, token: string): string {
  const first = token[0] ?? "";
  if (first === "%") return formatToken(date, token.slice(1));
  if ("'\"".includes(first)) return token.length > 1 ? token.slice(1, -1) : token;
  if (first === "\\") return token.slice(1);
  const pad = (value: number): string => String(value).padStart(Math.min(token.length, 2), "0");
  const fraction = String(date.getUTCMilliseconds()).padStart(3, "0").padEnd(7, "0");
  switch (first) {
    case "d":
      if (token.length > 2) return shortOrLong(weekdays[date.getUTCDay()] ?? "", token.length);
      return pad(date.getUTCDate());
    case "M":
      if (token.length > 2) return shortOrLong(months[date.getUTCMonth()] ?? "", token.length);
      return pad(date.getUTCMonth() + 1);
    case "y": {
      const year = date.getUTCFullYear();
      return token.length <= 2
        ? String(year % 100).padStart(token.length, "0")
        : String(year).padStart(token.length, "0");
    }
    case "H":
      return pad(date.getUTCHours());
    case "h":
      return pad(date.getUTCHours() % 12 === 0 ? 12 : date.getUTCHours() % 12);
    case "m":
      return pad(date.getUTCMinutes());
    case "s":
      return pad(date.getUTCSeconds());
    case "f":
      return fraction.slice(0, token.length);
    case "F":
      return fraction.slice(0, token.length).replace(/0+$/, "");
    case "t":
      return (date.getUTCHours() < 12 ? "AM" : "PM").slice(0, token.length);
    case "K":
      return "Z";
    case "z":
      return ["+0", "+00", "+00:00"][Math.min(token.length, 3) - 1] ?? "+00:00";
    case "g":
      return "A.D.";
    default:
      return token;
  }
}

function shortOrLong(name: string, length: number): string {
  return length === 3 ? name.slice(0, 3) : name;
}

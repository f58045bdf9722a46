import type { EvaluationContext } from "../expression/scope.ts";
import { integerAt, optionalTextAt, refuse, textAt } from "./arguments.ts";
import { type BuiltInTable, eager } from "./built-in.ts";
import { formatDate, parseDate } from "./date-format.ts";

const isoSeconds = "yyyy-MM-ddTHH:mm:ssZ".replace("Z", "'Z'");
const compact = "yyyyMMddTHHmmss'Z'";

export const dateFunctions: BuiltInTable = {
  dateTimeAdd: eager(2, 3, (args, _context, name) => {
    const base = textAt(name, args, 0);
    const sum = dateOf(name, base) + durationOf(name, textAt(name, args, 1));
    return written(name, sum, optionalTextAt(name, args, 2) ?? formatLike(base));
  }),
  dateTimeFromEpoch: eager(1, 1, (args, _context, name) => written(name, integerAt(name, args, 0) * 1000, isoSeconds)),
  dateTimeToEpoch: eager(1, 1, (args, _context, name) => Math.floor(dateOf(name, textAt(name, args, 0)) / 1000)),
  utcNow: eager(0, 1, (args, context, name) => {
    onlyInParameterDefault(context, name);
    return written(name, context.scope.facts.now, optionalTextAt(name, args, 0) ?? compact);
  }),
};

export function onlyInParameterDefault(context: EvaluationContext, name: string): void {
  if (context.place.isParameterDefault) return;
  throw refuse(name, `the function can only be used in the default value of a parameter`);
}

function dateOf(name: string, text: string): number {
  const date = parseDate(text);
  if (date === undefined) throw refuse(name, `'${text.slice(0, 80)}' is not a date and time in ISO 8601 format`);
  return date;
}

/** The result is written as the base was: compact stays compact, all else is ISO 8601. */
function formatLike(base: string): string {
  if (/^\d{8}T\d{6}Z$/.test(base)) return compact;
  return /\.\d+Z?$/.test(base) ? "yyyy-MM-ddTHH:mm:ss.fffffff'Z'" : isoSeconds;
}

function written(name: string, milliseconds: number, format: string): string {
  if (!(milliseconds >= -62_135_596_800_000 && milliseconds <= 253_402_300_799_999)) {
    throw refuse(name, "the date is not between the years 1 and 9999");
  }
  try {
    return formatDate(milliseconds, format);
  } catch (cause) {
    throw refuse(name, `'${format.slice(0, 80)}' is not a date format`, { cause });
  }
}

const durationShape =
  /^(-)?P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;

/** Azure counts a year as 365 days and a month as 30. */
function durationOf(name: string, text: string): number {
  const match = text.length < 100 && /\d[A-Z]/.test(text) ? durationShape.exec(text) : null;
  if (match === null) throw refuse(name, `'${text.slice(0, 80)}' is not a duration in ISO 8601 format`);
  const part = (index: number): number => Number(match[index] ?? 0);
  const dayCount = part(2) * 365 + part(3) * 30 + part(4) * 7 + part(5);
  const seconds = dayCount * 86_400 + part(6) * 3_600 + part(7) * 60 + part(8);
  return seconds * 1000 * (match[1] === "-" ? -1 : 1);
}

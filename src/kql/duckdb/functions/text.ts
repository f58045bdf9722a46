// Text: operators with term semantics, cutting, searching, regular expressions (RE2 on both sides).

import type { Emitter, FunctionEmitter } from "../context.ts";
import { runtimeCall } from "../runtime-call.ts";
import { literalSql, plain, quoteText, sql, type Sql } from "../sql.ts";
import { parseDynamic } from "../../values/dynamic.ts";
import { escapeRegex } from "../../values/escape-regex.ts";
import { semantic } from "../../errors.ts";
import { boundedBy, edgesOf, noTermCharacter, termCharacter } from "../../values/terms.ts";
import { textOf } from "./convert.ts";

/** What bounds a term for sure. The tables of Unicode's letters take RE2 some 10 ms for each pattern. */
const plainBoundary = String.raw`[^A-Za-z0-9\x{80}-\x{10FFFF}]`;

const unicodeClasses: Readonly<Record<string, readonly [bare: string, inClass: string]>> = {
  d: [String.raw`\p{Nd}`, String.raw`\p{Nd}`],
  s: [String.raw`[\s\p{Z}]`, String.raw`\s\p{Z}`],
  w: [String.raw`[\p{L}\p{N}\p{M}_]`, String.raw`\p{L}\p{N}\p{M}_`],
  D: [String.raw`\P{Nd}`, String.raw`\P{Nd}`],
  S: [String.raw`[^\s\p{Z}]`, String.raw`\S`],
  W: [String.raw`[^\p{L}\p{N}\p{M}_]`, String.raw`\W`],
};

/** Classes of letters, digits and blanks mean all of Unicode in KQL and only ASCII in RE2. */
function unicodeRegex(pattern: string): string {
  let inClass = false;
  return pattern.replaceAll(/\\(.)|\[\^?|\]/gs, (piece: string, escaped: string | undefined) => {
    if (escaped === undefined) {
      if (piece === "]") inClass = false;
      else if (!inClass) inClass = true;
      return piece;
    }
    return unicodeClasses[escaped]?.[inClass ? 1 : 0] ?? piece;
  });
}

/** A pattern argument; a literal one is translated. */
const regex = (value: Sql | undefined): string =>
  typeof value?.constant === "string" ? quoteText(unicodeRegex(value.constant)) : plain(value as Sql);

const lower = (value: Sql): string =>
  typeof value.constant === "string" ? quoteText(value.constant.toLowerCase()) : `lower(${plain(value)})`;

/** Whole terms: a cheap search first, then the regular expression decides. */
function term(before: boolean, after: boolean, ignoreCase: boolean): FunctionEmitter {
  return ([text, word], _call, { context }) => {
    if (text === undefined || word === undefined) return undefined as never;
    const flag = ignoreCase ? "(?i)" : "";
    const contained = ignoreCase
      ? `contains(${lower(text)}, ${lower(word)})`
      : `contains(${plain(text)}, ${plain(word)})`;
    if (typeof word.constant === "string") {
      if (word.constant === "") return sql("bool", "true");
      const own = edgesOf(word.constant);
      const edges = { before: before && own.before, after: after && own.after };
      if (!edges.before && !edges.after) return sql("bool", contained);
      const escaped = escapeRegex(word.constant);
      const matched = `regexp_matches(${plain(text)}, ${quoteText(flag + boundedBy(plainBoundary, escaped, edges))})`;
      const full = literalSql("string", boundedBy(noTermCharacter, escaped, edges));
      const among = runtimeCall("matches_unicode", [text, full, literalSql("bool", ignoreCase)], "bool", context);
      const isForeign = `strlen(${plain(text)}) > length(${plain(text)})`;
      const found = [isWhole(text, word.constant), matched, `(${isForeign} AND ${among.text})`];
      return sql("bool", `(${contained} AND (${found.join(" OR ")}))`);
    }
    const edge = (test: string, bound: string): string =>
      `(CASE WHEN regexp_matches(${plain(word)}, ${quoteText(test)}) THEN ${quoteText(bound)} ELSE '' END)`;
    const start = before ? edge(`^${termCharacter}`, `(^|${noTermCharacter})`) : "''";
    const end = after ? edge(`${termCharacter}$`, `($|${noTermCharacter})`) : "''";
    const pattern = `${quoteText(flag)} || ${start} || regexp_escape(${plain(word)}) || ${end}`;
    return sql("bool", `(${plain(word)} = '' OR (${contained} AND regexp_matches(${plain(text)}, ${pattern})))`);
  };
}

/**
 * What contains the word and has its length is the word: codes and categories need no regular expression.
 * Where letters change their length with their case, the rest of a text of as many bytes is too short for
 * a word of ASCII.
 */
function isWhole(text: Sql, word: string): string {
  return /^[\x20-\x7e]*$/.test(word) ? `strlen(${plain(text)}) = ${word.length}` : "false";
}

function search(name: string, ignoreCase: boolean): FunctionEmitter {
  return ([text, part]) => {
    if (text === undefined || part === undefined) return undefined as never;
    const side = ignoreCase ? lower : plain;
    return sql("bool", `${name}(${side(text)}, ${side(part)})`);
  };
}

const like =
  (ignoreCase: boolean): FunctionEmitter =>
  ([text, pattern]) =>
    sql("bool", `(${plain(text as Sql)} ${ignoreCase ? "ILIKE" : "LIKE"} ${plain(pattern as Sql)})`);

export const textFunctions: Readonly<Record<string, FunctionEmitter>> = {
  has: term(true, true, true),
  hasCs: term(true, true, false),
  hasPrefix: term(true, false, true),
  hasPrefixCs: term(true, false, false),
  hasSuffix: term(false, true, true),
  hasSuffixCs: term(false, true, false),
  contains: search("contains", true),
  containsCs: search("contains", false),
  startsWith: search("starts_with", true),
  startsWithCs: search("starts_with", false),
  endsWith: search("ends_with", true),
  endsWithCs: search("ends_with", false),
  like: like(true),
  likeCs: like(false),
  equalIgnoreCase: ([left, right]) => sql("bool", `(${lower(left as Sql)} = ${lower(right as Sql)})`),
  matchesRegex: ([text, pattern]) => sql("bool", `regexp_matches(${plain(text as Sql)}, ${regex(pattern)})`),
  strcat: (args) => sql("string", `(${args.map(textOf).join(" || ")})`),
  strlen: ([text]) => sql("long", `length(${textOf(text as Sql)})`),
  string_size: ([text]) => sql("long", `strlen(${textOf(text as Sql)})`),
  tolower: ([text]) => sql("string", `lower(${textOf(text as Sql)})`),
  toupper: ([text]) => sql("string", `upper(${textOf(text as Sql)})`),
  reverse: ([text]) => sql("string", `reverse(${textOf(text as Sql)})`),
  strrep: ([text, times, delimiter]) => {
    const count = `greatest(least(${(times as Sql).text}, 1024), 0)`;
    if (delimiter === undefined) return sql("string", `repeat(${textOf(text as Sql)}, ${count})`);
    return sql(
      "string",
      `array_to_string(list_transform(range(${count}), lambda i: ${textOf(text as Sql)}), ${textOf(delimiter)})`,
    );
  },
  substring: ([text, start, length]) => {
    const from = (start as Sql).text;
    const whole = textOf(text as Sql);
    const first =
      typeof (start as Sql).constant === "bigint" && ((start as Sql).constant as bigint) >= 0n
        ? `${from} + 1`
        : `(CASE WHEN ${from} >= 0 THEN ${from} WHEN length(${whole}) + ${from} < 0 THEN length(${whole}) ELSE length(${whole}) + ${from} END) + 1`;
    if (length === undefined) return sql("string", `coalesce(substr(${whole}, (${first})::BIGINT), '')`);
    return sql("string", `coalesce(substr(${whole}, (${first})::BIGINT, greatest(${length.text}, 0)::BIGINT), '')`);
  },
  replace_string: ([text, from, to]) => {
    const whole = textOf(text as Sql);
    if (typeof (from as Sql).constant === "string" && (from as Sql).constant !== "") {
      return sql("string", `replace(${whole}, ${plain(from as Sql)}, ${plain(to as Sql)})`);
    }
    return sql(
      "string",
      `(CASE WHEN ${plain(from as Sql)} = '' THEN ${whole} ELSE replace(${whole}, ${plain(from as Sql)}, ${plain(to as Sql)}) END)`,
    );
  },
  replace_regex: ([text, pattern, to]) =>
    sql("string", `regexp_replace(${textOf(text as Sql)}, ${regex(pattern)}, ${plain(to as Sql)}, 'g')`),
  extract: ([pattern, group, text], call) => {
    const found = sql(
      "string",
      `coalesce(regexp_extract(${textOf(text as Sql)}, ${regex(pattern)}, (${(group as Sql).text})::INTEGER), '')`,
    );
    return call.type === "string" ? found : (undefined as never);
  },
  extract_all: ([pattern, ...rest]) => extractAll(pattern, rest),
  hash_md5: ([value], call, emitter) => textDigest(value, call.name, emitter),
  hash_sha1: ([value], call, emitter) => textDigest(value, call.name, emitter),
  hash_sha256: ([value], call, emitter) => textDigest(value, call.name, emitter),
  parse_version: ([value], _call, emitter) => {
    const digits = runtimeCall("version_text", [sql("string", textOf(value as Sql))], "string", emitter.context);
    return sql("decimal", `try_cast(nullif(${digits.text}, '') AS DECIMAL(38,0))`);
  },
  indexof: ([text, wanted, ...range], _call, emitter) => asTexts("indexof", [text, wanted], range, emitter),
  indexof_regex: ([text, pattern, ...range]) => sql("long", regexPosition(textOf(text as Sql), regex(pattern), range)),
  /** Whole numbers of 32 bits have eight digits. */
  tohex: ([value, ...rest], _call, { context }) => {
    if (value?.type !== "int") return undefined as never;
    return runtimeCall("tohex", [sql("long", `(${value.text}::BIGINT & 4294967295)`), ...rest], "string", context);
  },
  /** The value behind the first key of that name; the pattern's groups are key and value. */
  parse_kv_regex: ([text, pattern, key]) => {
    const all = (group: number): string => `regexp_extract_all(${plain(text as Sql)}, ${regex(pattern)}, ${group})`;
    const keys = `list_transform(${all(1)}, lambda k: trim(k))`;
    return sql("string", `coalesce(trim(${all(2)}[list_position(${keys}, ${plain(key as Sql)})]), '')`);
  },
  countof: ([text, wanted, kind]) => {
    if (kind?.constant !== "regex") return undefined as never;
    return sql("long", `len(regexp_extract_all(${plain(text as Sql)}, ${regex(wanted)}))::BIGINT`);
  },
  regex_quote: ([text]) => sql("string", `regexp_escape(${textOf(text as Sql)})`),
  trim: ([pattern, text]) => {
    const expression = `(${regex(pattern)})`;
    const start = `regexp_replace(${textOf(text as Sql)}, '^(?:' || ${expression} || ')', '')`;
    return sql("string", `regexp_replace(${start}, '(?:' || ${expression} || ')$', '')`);
  },
  trim_start: ([pattern, text]) =>
    sql("string", `regexp_replace(${textOf(text as Sql)}, '^(?:' || ${regex(pattern)} || ')', '')`),
  trim_end: ([pattern, text]) =>
    sql("string", `regexp_replace(${textOf(text as Sql)}, '(?:' || ${regex(pattern)} || ')$', '')`),
  strcat_delim: ([delimiter, ...args]) =>
    sql("string", `(${args.map(textOf).join(` || ${textOf(delimiter as Sql)} || `)})`),
  strcmp: ([left, right]) => {
    const [a, b] = [textOf(left as Sql), textOf(right as Sql)];
    return sql("long", `(CASE WHEN ${a} = ${b} THEN 0 WHEN ${a} < ${b} THEN -1 ELSE 1 END)::BIGINT`);
  },
  capture: ([text, pattern, group]) =>
    sql(
      "string",
      `coalesce(regexp_extract(${plain(text as Sql)}, ${plain(pattern as Sql)}, (${(group as Sql).text})::INTEGER, 's'), '')`,
    ),
  captures: ([text, pattern]) => sql("bool", `regexp_matches(${plain(text as Sql)}, ${plain(pattern as Sql)}, 's')`),
};

/** One group gives texts, several give arrays of texts; without a match there is nothing. */
function extractAll(pattern: Sql | undefined, rest: readonly Sql[]): Sql {
  const [chosen, text] = rest.length === 2 ? rest : [undefined, rest[0]];
  if (pattern === undefined || text === undefined || typeof pattern.constant !== "string") return undefined as never;
  const wanted = chosen === undefined ? undefined : parseDynamic(String(chosen.constant));
  const groups = Array.isArray(wanted)
    ? wanted.map((group) => (typeof group === "string" ? groupNamed(group, pattern) : Number(group)))
    : Array.from({ length: groupCount(pattern.constant) }, (_, index) => index + 1);
  if (groups.length === 0) groups.push(0);
  const lists = groups.map((group) => `regexp_extract_all(${plain(text)}, ${regex(pattern)}, ${group})`);
  const all =
    lists.length === 1
      ? `to_json(${lists[0]})`
      : `to_json(list_transform(range(1, len(${lists[0]}) + 1), lambda i: [${lists.map((list) => `${list}[i]`).join(", ")}]))`;
  return sql("dynamic", `(CASE WHEN regexp_matches(${plain(text)}, ${regex(pattern)}) THEN ${all} END)`);
}

/** The groups of a pattern that catch something, each from its parenthesis on. */
function groupsOf(pattern: string): string[] {
  return [...pattern.matchAll(/\\.|\[(?:\\.|[^\]\\])*\]|\((?!\?)|\(\?P?<[A-Za-z]\w*>/g)].flatMap(([piece]) =>
    piece.startsWith("(") ? [piece] : [],
  );
}

const groupCount = (pattern: string): number => groupsOf(pattern).length;

function groupNamed(name: string, pattern: Sql): number {
  const at = groupsOf(String(pattern.constant)).findIndex((group) => group.endsWith(`<${name}>`));
  if (at < 0) throw semantic(`The pattern has no group '${name}'.`);
  return at + 1;
}

function asTexts(name: string, texts: readonly (Sql | undefined)[], more: readonly Sql[], emitter: Emitter): Sql {
  const args = texts.map((value) => sql("string", textOf(value as Sql)));
  return runtimeCall(name, [...args, ...more], "long", emitter.context);
}

/** No text that is searched holds it. */
const mark = "chr(1114110)";

/**
 * Where the nth match begins in the stretch that is looked at: behind what lies between the matches
 * before it, and behind these.
 */
function regexPosition(whole: string, pattern: string, range: readonly Sql[]): string {
  const number = (at: number, absent: string): string => {
    const value = range[at];
    return value === undefined ? absent : `(${value.text})::BIGINT`;
  };
  const [start, length, occurrence] = [number(0, "0"), number(1, "-1"), number(2, "1")];
  const stretch = `(CASE WHEN ${length} < 0 THEN substr(${whole}, ${start} + 1) ELSE substr(${whole}, ${start} + 1, ${length}) END)`;
  const between = `string_split(regexp_replace(${stretch}, ${pattern}, ${mark}, 'g'), ${mark})`;
  const matches = `regexp_extract_all(${stretch}, ${pattern})`;
  const size = (list: string): string => `coalesce(list_sum(list_transform(${list}, lambda p: length(p))), 0)`;
  const nth = `greatest(${occurrence}, 1)`;
  const position = `(${start} + ${size(`${between}[:${nth}]`)} + ${size(`${matches}[:${nth} - 1]`)})::BIGINT`;
  return `(CASE WHEN ${start} < 0 OR ${length} < -1 OR ${occurrence} < 0 THEN NULL WHEN len(${matches}) < ${nth} THEN -1 ELSE ${position} END)`;
}

/** Digests are of the text that tostring() gives. */
function textDigest(value: Sql | undefined, name: string, emitter: Emitter): Sql {
  return runtimeCall(name, [sql("string", textOf(value as Sql))], "string", emitter.context);
}

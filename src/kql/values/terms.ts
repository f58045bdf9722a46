// What `has` finds. A term is a run of letters and digits. A word that begins or ends with something else
// (".exe", "@", "/vaults/") bounds itself there: only a letter or digit must not continue on that side.

/** One character of a term, for regular expressions of RE2 and of JavaScript alike. */
export const termCharacter = String.raw`[\p{L}\p{N}]`;
export const noTermCharacter = String.raw`[^\p{L}\p{N}]`;

const begins = new RegExp(`^${termCharacter}`, "u");
const ends = new RegExp(`${termCharacter}$`, "u");

export interface TermEdges {
  readonly before: boolean;
  readonly after: boolean;
}

/** On which sides of the word a term must end. */
export function edgesOf(word: string): TermEdges {
  return { before: begins.test(word), after: ends.test(word) };
}

/** The expression with its bounds on the sides that need them. */
export function boundedBy(edge: string, body: string, { before, after }: TermEdges): string {
  return `${before ? `(^|${edge})` : ""}${body}${after ? `($|${edge})` : ""}`;
}

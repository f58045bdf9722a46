// Texts that are asked again (rules, workbooks and pages ask the same for months) are not translated
// again. A plan holds calls of now() and ago(), not their values, and no rows, so it stays true as long as
// its catalogue does; what data decided about its columns is part of the question and of the key here.

import type { TextQuery, Translation, Translator } from "./translator.ts";

/** Objects that plans consist of, which is what memory goes by: about 100 bytes each. */
export interface RememberedSizes {
  readonly largestPlan: number;
  readonly allPlans: number;
}

const usualSizes: RememberedSizes = { largestPlan: 20_000, allPlans: 200_000 };

interface Remembered {
  readonly translation: Translation;
  readonly size: number;
}

export function rememberTranslations(translator: Translator, sizes = usualSizes): Translator {
  const remembered = new Map<string, Remembered>();
  let total = 0;

  const forget = (key: string, { size }: Remembered): void => {
    remembered.delete(key);
    total -= size;
  };
  const remember = (key: string, translation: Translation): void => {
    const size = objectsIn(translation, sizes.largestPlan) + key.length / 100;
    if (size > sizes.largestPlan || remembered.has(key)) return;
    remembered.set(key, { translation, size });
    total += size;
    for (const [oldest, entry] of remembered) {
      if (total <= sizes.allPlans) return;
      forget(oldest, entry);
    }
  };

  return {
    translate: async (query, signal) => {
      const key = keyOf(query);
      const known = remembered.get(key);
      if (known !== undefined) {
        remembered.delete(key);
        remembered.set(key, known);
        return known.translation;
      }
      const translation = await translator.translate(query, signal);
      remember(key, translation);
      return translation;
    },
    [Symbol.asyncDispose]: () => translator[Symbol.asyncDispose](),
  };
}

/** Everything that a translation depends on. */
function keyOf({ text, catalogKey, knownSchemas, parameters }: TextQuery): string {
  const given = [...parameters].map(([name, { type, value }]) => [name, type, value === null, String(value)]);
  return JSON.stringify([catalogKey, text, [...knownSchemas], given]);
}

/** How many objects can be reached, each once; counting ends where there are too many. */
function objectsIn(root: object, most: number): number {
  const seen = new Set<object>([root]);
  for (const found of seen) {
    if (seen.size > most) break;
    for (const value of Object.values(found) as unknown[]) {
      if (typeof value === "object" && value !== null) seen.add(value);
    }
  }
  return seen.size;
}

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { literal } from "../plan/expression.ts";
import { supportedNames } from "../duckdb/supported.ts";
import { defaultLimits } from "../engine.ts";
import { rememberTranslations } from "./remembered.ts";
import { createTranslator, type TextQuery, type Translator } from "./translator.ts";

const question = (text: string, more: Partial<TextQuery> = {}): TextQuery => ({
  text,
  databases: [],
  catalogKey: "1",
  knownSchemas: new Map(),
  parameters: new Map(),
  ...more,
});

describe("remembered translations", () => {
  let real: Translator;
  let asked: string[] = [];
  const counted: Translator = {
    translate: (query, signal) => {
      asked.push(query.text);
      return real.translate(query, signal);
    },
    [Symbol.asyncDispose]: async () => {},
  };
  before(() => {
    real = createTranslator({
      supported: supportedNames(),
      ...defaultLimits,
      deadlineMilliseconds: 20_000,
      startMilliseconds: 60_000,
    });
  });
  after(() => real[Symbol.asyncDispose]());

  test("a text is translated once, and gives the same plan again", async () => {
    asked = [];
    const translator = rememberTranslations(counted);
    const first = await translator.translate(question("print a = 1"));
    assert.deepEqual(await translator.translate(question("print a = 1")), first);
    assert.deepEqual(asked, ["print a = 1"]);
  });

  test("another catalogue, another parameter and another answer about columns are other questions", async () => {
    asked = [];
    const translator = rememberTranslations(counted);
    const text = "declare query_parameters(n:long = 1); print n";
    const given = (value: bigint): Partial<TextQuery> => ({ parameters: new Map([["n", literal("long", value)]]) });
    for (const more of [{}, { catalogKey: "2" }, given(1n), given(2n)]) {
      await translator.translate(question(text, more));
      await translator.translate(question(text, more));
    }
    assert.equal(asked.length, 4);
    const bag = "print b = dynamic({'x':1}) | evaluate bag_unpack(b)";
    const found = await translator.translate(question(bag));
    assert.equal(found.kind, "question");
    if (found.kind !== "question") return;
    const known = new Map([[found.question.key, [{ name: "x", type: "long" } as const]]]);
    const plan = await translator.translate(question(bag, { knownSchemas: known }));
    assert.equal(plan.kind, "plan");
  });

  test("a refusal is not remembered, and comes again", async () => {
    asked = [];
    const translator = rememberTranslations(counted);
    await assert.rejects(translator.translate(question("print nowhere")), /nowhere/);
    await assert.rejects(translator.translate(question("print nowhere")), /nowhere/);
    assert.equal(asked.length, 2);
  });

  test("beyond the bounds the text that was not asked for longest is forgotten, and a huge plan is not kept", async () => {
    asked = [];
    const translator = rememberTranslations(counted, { largestPlan: 200, allPlans: 60 });
    for (const text of ["print a = 1", "print b = 2", "print a = 1"]) await translator.translate(question(text));
    assert.deepEqual(asked, ["print a = 1", "print b = 2"]);
    for (const name of ["c", "d", "e", "f"]) {
      await translator.translate(question("print a = 1"));
      await translator.translate(question(`print ${name} = 3`));
    }
    await translator.translate(question("print a = 1"));
    await translator.translate(question("print b = 2"));
    assert.equal(asked.filter((text) => text === "print a = 1").length, 1, asked.join(", "));
    assert.equal(asked.filter((text) => text === "print b = 2").length, 2, asked.join(", "));
    const huge = `print ${Array.from({ length: 300 }, (_, n) => `c${n} = ${n}`).join(", ")}`;
    await translator.translate(question(huge));
    await translator.translate(question(huge));
    assert.equal(asked.filter((text) => text === huge).length, 2);
  });
});

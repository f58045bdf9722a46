// The thread that understands query texts. Whatever a text does to it, the process stays unharmed:
// the engine ends this thread when a deadline passes.

import { parentPort, workerData } from "node:worker_threads";
import { bindQuery } from "../bind/query.ts";
import { SchemaNeeded } from "../bind/session.ts";
import { QueryRefusal } from "../errors.ts";
import { analyze } from "../syntax/analyze.ts";
import { keepCatalogs } from "./catalogs.ts";
import { ready, type TranslateAnswer, type TranslateRequest, type TranslatorSettings } from "./messages.ts";

const settings = workerData as TranslatorSettings;
const supported = new Set(settings.supported);
const catalogFor = keepCatalogs();
const firstQuery = {
  id: 0,
  text: 'datatable(t:datetime, s:string)[] | where t > ago(1h) and s has "a" | summarize n = count() by bin(t, 1d), s | top 1 by n',
};

parentPort?.on("message", (request: TranslateRequest) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort?.postMessage(translate(request));
});

// The parser sets itself up at its first query, which takes longer than loading it.
translate({ ...firstQuery, catalogKey: "", databases: [], knownSchemas: [], parameters: [] });
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
parentPort?.postMessage(ready);

function translate(request: TranslateRequest): TranslateAnswer {
  const { id } = request;
  try {
    const catalog = catalogFor(request);
    const { statements, objection } = analyze(request.text, catalog.globals, settings);
    const plan = bindQuery(statements, {
      databases: catalog.databases,
      supported,
      knownSchemas: new Map(request.knownSchemas),
      parameters: new Map(request.parameters),
      maxSteps: settings.maxSteps,
    });
    if (objection !== undefined) throw objection;
    return { id, kind: "plan", plan };
  } catch (error) {
    if (error instanceof SchemaNeeded) return { id, kind: "question", question: error.question };
    if (error instanceof QueryRefusal) {
      return { id, kind: "refused", code: error.code, message: error.message, span: error.span };
    }
    if (error instanceof RangeError) {
      return {
        id,
        kind: "refused",
        code: "QueryTooComplex",
        message: "The query is nested too deeply.",
        span: undefined,
      };
    }
    const message =
      error instanceof Error
        ? `${error.message} ${process.env["HOLDFAST_DEBUG"] === undefined ? "" : error.stack}`
        : String(error);
    return {
      id,
      kind: "refused",
      code: "EngineFailed",
      message: `The query could not be understood: ${message}`,
      span: undefined,
    };
  }
}

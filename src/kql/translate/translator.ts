// Query texts become plans in a thread of their own, one after another, each with a deadline.
// A thread that misses the deadline is ended and replaced; only its query is refused. The deadline
// counts from when the thread has the parser loaded, so that a query does not pay for a bomb before it.

import { Worker } from "node:worker_threads";
import { unlessAborted } from "../../lib/time.ts";
import type { KnownColumn, SchemaQuestion } from "../bind/session.ts";
import { asKqlError, kqlErrors, positionOf } from "../errors.ts";
import type { LiteralExpression } from "../plan/expression.ts";
import type { Plan } from "../plan/relation.ts";
import type { DatabaseSchema } from "../types.ts";
import type { TranslateAnswer, TranslateRequest, TranslatorSettings } from "./messages.ts";

export interface Translator extends AsyncDisposable {
  translate(query: TextQuery, signal?: AbortSignal): Promise<Translation>;
}

export interface TextQuery {
  readonly text: string;
  readonly databases: readonly DatabaseSchema[];
  /** Changes when the databases do; the thread keeps what it has loaded under this name. */
  readonly catalogKey: string;
  readonly knownSchemas: ReadonlyMap<string, readonly KnownColumn[]>;
  readonly parameters: ReadonlyMap<string, LiteralExpression>;
}

export type Translation =
  | { readonly kind: "plan"; readonly plan: Plan }
  | { readonly kind: "question"; readonly question: SchemaQuestion };

export interface TranslatorOptions extends TranslatorSettings {
  readonly deadlineMilliseconds: number;
  /** Loading the parser takes a second, and many on a machine that is busy. */
  readonly startMilliseconds: number;
}

interface Thread {
  readonly worker: Worker;
  readonly loadedCatalogs: Set<string>;
  readonly ready: Promise<void>;
}

export function createTranslator(options: TranslatorOptions): Translator {
  let thread: Thread | undefined;
  let lastId = 0;
  let queue: Promise<unknown> = Promise.resolve();
  let isClosed = false;

  const start = (): Thread => {
    const settings: TranslatorSettings = {
      supported: options.supported,
      maxQueryLength: options.maxQueryLength,
      maxNestingDepth: options.maxNestingDepth,
      maxSteps: options.maxSteps,
    };
    const worker = new Worker(new URL("worker.ts", import.meta.url), {
      workerData: settings,
      // Young objects get little room: a translation is no faster with more, and the process 70 MB larger.
      resourceLimits: { maxOldGenerationSizeMb: 1024, maxYoungGenerationSizeMb: 32, stackSizeMb: 4 },
    });
    const ready = readiness(worker, options.startMilliseconds);
    // Whoever asks the thread hears of it.
    ready.catch(() => {});
    return { worker, loadedCatalogs: new Set(), ready };
  };

  const ask = async (query: TextQuery, signal?: AbortSignal): Promise<Translation> => {
    signal?.throwIfAborted();
    thread ??= start();
    const current = thread;
    lastId += 1;
    const request: TranslateRequest = {
      id: lastId,
      text: query.text,
      catalogKey: query.catalogKey,
      databases: current.loadedCatalogs.has(query.catalogKey) ? undefined : query.databases,
      knownSchemas: [...query.knownSchemas],
      parameters: [...query.parameters],
    };
    try {
      current.worker.ref();
      await unlessAborted(current.ready, signal);
      const answer = await answerOf(current.worker, request, options.deadlineMilliseconds, signal);
      // The thread keeps a few catalogues; sending one again is cheap next to not having it.
      if (current.loadedCatalogs.size >= 8) current.loadedCatalogs.clear();
      current.loadedCatalogs.add(query.catalogKey);
      if (answer.kind !== "refused") return answer;
      const position = answer.span === undefined ? undefined : positionOf(query.text, answer.span);
      throw asKqlError(answer.code, answer.message, position);
    } catch (error) {
      if (error instanceof ThreadLost) {
        // The next query may come soon: it finds a thread that has begun to load.
        thread = isClosed ? undefined : start();
        await current.worker.terminate();
        throw error.reason;
      }
      throw error;
    }
  };

  return {
    translate: (query, signal) => {
      const result = queue.then(() => ask(query, signal));
      queue = result.catch(() => {});
      return result;
    },
    [Symbol.asyncDispose]: async () => {
      isClosed = true;
      await queue;
      await thread?.worker.terminate();
      thread = undefined;
    },
  };
}

class ThreadLost extends Error {
  readonly reason: Error;

  constructor(reason: Error) {
    super(reason.message);
    this.reason = reason;
  }
}

function readiness(worker: Worker, limit: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const lost = (cause?: Error): void =>
      reject(new ThreadLost(kqlErrors.EngineFailed("The thread that reads queries could not start.", { cause })));
    const timer = setTimeout(lost, limit).unref();
    worker.once("message", () => {
      clearTimeout(timer);
      worker.off("error", lost).off("exit", onExit);
      resolve();
    });
    const onExit = (): void => lost();
    worker.once("error", lost).once("exit", onExit);
  });
}

function answerOf(
  worker: Worker,
  request: TranslateRequest,
  limit: number,
  signal?: AbortSignal,
): Promise<TranslateAnswer> {
  return new Promise((resolve, reject) => {
    const lost = (reason: Error): void => {
      settle();
      reject(new ThreadLost(reason));
    };
    const onMessage = (answer: TranslateAnswer): void => {
      if (answer.id !== request.id) return;
      settle();
      resolve(answer);
    };
    const onError = (cause: Error): void => {
      lost(kqlErrors.QueryTooComplex("The query needs too much memory or depth to be understood.", { cause }));
    };
    const onExit = (): void => lost(kqlErrors.EngineFailed("The thread that reads queries ended."));
    const onAbort = (): void => lost(kqlErrors.QueryCancelled("The query was cancelled."));
    const timer = setTimeout(() => {
      lost(kqlErrors.QueryTooComplex(`The query could not be understood within ${limit} ms.`));
    }, limit);
    const settle = (): void => {
      clearTimeout(timer);
      worker.off("message", onMessage).off("error", onError).off("exit", onExit);
      signal?.removeEventListener("abort", onAbort);
      worker.unref();
    };
    worker.ref();
    worker.on("message", onMessage).on("error", onError).on("exit", onExit);
    signal?.addEventListener("abort", onAbort, { once: true });
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    worker.postMessage(request);
  });
}

// The service's side of the thread of logs: started by the first call that needs it, started anew after
// it broke. What was acknowledged is in the journal, so a new thread has it.

import { Worker } from "node:worker_threads";
import { logErrors } from "../errors.ts";
import type { LookUp, QueryWorkspace } from "../query/query-workspace.ts";
import { connectCalls, type Calls, type Port } from "./calls.ts";
import type { ServiceOffers, ThreadOffers, ThreadSettings } from "./offers.ts";

export interface LogThread extends AsyncDisposable {
  readonly isRunning: boolean;
  readonly call: Calls<ThreadOffers>["call"];
  /** Does `work` with a number under which the thread finds `lookUp`. */
  asking<T>(lookUp: LookUp, work: (asking: number) => Promise<T>): Promise<T>;
}

interface Running {
  readonly worker: Worker;
  readonly calls: Calls<ThreadOffers>;
}

export function createLogThread(settings: ThreadSettings, report: (error: unknown) => void): LogThread {
  const asking = new Map<number, LookUp>();
  let lastAsking = 0;
  let running: Running | undefined;
  let isClosed = false;

  const offers: ServiceOffers = {
    lookUp: async ({ asking: number, name }): Promise<QueryWorkspace> => {
      const lookUp = asking.get(number);
      if (lookUp === undefined) throw logErrors.LogsUnavailable("The query has ended.");
      return lookUp(name);
    },
    report: async ({ message }) => report(new Error(message)),
  };

  const start = (): Running => {
    const worker = new Worker(new URL("worker.ts", import.meta.url), {
      workerData: settings,
      resourceLimits: { maxOldGenerationSizeMb: settings.memoryLimitMiB },
    });
    const started: Running = { worker, calls: connectCalls<ThreadOffers>(worker as Port, offers) };
    const lost = (cause: unknown): void => {
      if (running === started) running = undefined;
      started.calls.end(logErrors.LogsUnavailable("The thread of logs ended.", { cause }));
    };
    worker.on("error", (error) => {
      report(error);
      lost(error);
    });
    worker.on("exit", (code) => lost(new Error(`exit code ${code}`)));
    return started;
  };

  return {
    get isRunning() {
      return running !== undefined;
    },
    call: ((...args: Parameters<Calls<ThreadOffers>["call"]>) => {
      if (isClosed) return Promise.reject(logErrors.LogsUnavailable("The service is ending."));
      running ??= start();
      return running.calls.call(...args);
    }) as Calls<ThreadOffers>["call"],
    asking: async (lookUp, work) => {
      lastAsking += 1;
      const number = lastAsking;
      asking.set(number, lookUp);
      try {
        return await work(number);
      } finally {
        asking.delete(number);
      }
    },
    [Symbol.asyncDispose]: async () => {
      isClosed = true;
      if (running === undefined) return;
      const { calls, worker } = running;
      await calls.call("close", undefined).catch(report);
      await worker.terminate();
    },
  };
}

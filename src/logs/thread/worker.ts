// The thread of logs: it alone has DuckDB, the journal and the parser of queries, so none of them
// costs anything before there are logs, and no query holds up a request.

import { parentPort, workerData } from "node:worker_threads";
import { offsetFileClock, systemClock } from "../../lib/clock.ts";
import { disk } from "../../lib/files.ts";
import { answerQuery } from "../http/answer.ts";
import { createLogQueries } from "../query/log-queries.ts";
import { openLogStore } from "../store/log-store.ts";
import { connectCalls, type Port } from "./calls.ts";
import type { ServiceOffers, ThreadOffers, ThreadSettings } from "./offers.ts";

const settings = workerData as ThreadSettings;
const port = parentPort;
if (port === null) throw new Error("the thread of logs was started without a service");

const clock = settings.testClock === undefined ? systemClock : offsetFileClock(settings.testClock);
const opened = openLogStore({
  folder: settings.folder,
  disk,
  clock,
  memoryLimitMiB: settings.memoryLimitMiB,
  report: (error) => void service.call("report", { message: describe(error) }),
}).then((store) => ({ store, queries: createLogQueries(store, clock) }));
// Every call hears of a failure to open; none is lost by not being waited for here.
opened.catch(() => {});

/** Where there are records there will be queries: the first of them need not wait for the parser to load. */
let warming: Promise<void> | undefined;
const closing = new AbortController();

async function warm(): Promise<void> {
  try {
    await (await opened).queries.warm(closing.signal);
  } catch (error) {
    if (closing.signal.aborted) return;
    await service.call("report", { message: describe(error) });
  }
}

const offers: ThreadOffers = {
  append: async ({ batch, origin }) => {
    await (await opened).store.append(batch, origin);
    warming ??= warm();
  },
  columnsOf: async ({ workspace, table }) => (await opened).store.columnsOf(workspace, table),
  query: async ({ asking, text, workspaces, slice, now }, signal) =>
    (await opened).queries.run({ text, workspaces, slice, now, lookUp: lookUpFor(asking) }, signal),
  answer: async ({ asking, wire }, signal) =>
    answerQuery((await opened).queries, clock.now(), wire, lookUpFor(asking), signal),
  maintain: async (retention) => {
    const { store } = await opened;
    await store.tellUsage((workspace) => retention.workspaces.get(workspace)?.resourceId);
    await store.seal();
    await store.compact();
    await store.retain(retention);
  },
  close: async () => {
    const { store, queries } = await opened;
    closing.abort();
    await warming;
    await queries[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
  },
};
const service = connectCalls<ServiceOffers>(port as Port, offers);

function lookUpFor(asking: number) {
  return (name: string) => service.call("lookUp", { asking, name });
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

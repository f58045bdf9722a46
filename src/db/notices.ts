// "Something is new on this channel": a hint that wakes whoever waits, in this process at once and,
// on PostgreSQL, in every other one through LISTEN/NOTIFY. Hints can be lost (a connection breaks),
// so whoever waits also looks by itself from time to time.

import { Client, type Pool } from "pg";
import { sleep } from "../lib/time.ts";

export interface Notices {
  /** Wakes the listeners of this process. */
  ring(channel: string): void;
  listen(channel: string, heard: () => void): () => void;
  close(): Promise<void>;
}

/** The PostgreSQL channel that carries the names of ours. */
export const noticeChannel = "holdfast";

const reconnectMilliseconds = 1_000;

export function localNotices(): Notices {
  const listeners = new Map<string, Set<() => void>>();
  return {
    ring: (channel) => {
      for (const heard of listeners.get(channel) ?? []) heard();
    },
    listen: (channel, heard) => {
      const those = listeners.get(channel) ?? new Set();
      listeners.set(channel, those.add(heard));
      return () => {
        those.delete(heard);
        if (those.size === 0 && listeners.get(channel) === those) listeners.delete(channel);
      };
    },
    close: async () => {},
  };
}

/** Holds one connection of its own from the first listener on. */
export function postgresNotices(pool: Pool, report: (error: Error) => void): Notices {
  const local = localNotices();
  const channels = new Set<string>();
  const closing = new AbortController();
  let following: Promise<void> | undefined;

  async function follow(): Promise<void> {
    while (!closing.signal.aborted) {
      const client = new Client(pool.options);
      const ended = new Promise<void>((resolve, reject) => {
        client.once("end", resolve);
        client.on("error", reject);
        closing.signal.addEventListener("abort", () => resolve(), { once: true });
      });
      ended.catch(() => {}); // reported below, if we get that far
      client.on("notification", ({ payload }) => local.ring(payload ?? ""));
      try {
        await client.connect();
        await client.query(`listen ${noticeChannel}`);
        // What was said while nobody listened is made good by waking everybody once.
        for (const channel of channels) local.ring(channel);
        await ended;
      } catch (error) {
        report(error instanceof Error ? error : new Error(String(error)));
      }
      await client.end().catch(() => {});
      if (!closing.signal.aborted) await sleep(reconnectMilliseconds, closing.signal).catch(() => {});
    }
  }

  return {
    ring: local.ring,
    listen: (channel, heard) => {
      channels.add(channel);
      following ??= follow();
      return local.listen(channel, heard);
    },
    close: async () => {
      closing.abort();
      await following;
    },
  };
}

// Downloads that were asked for over the management API and are fetched by a URL of their own: whoever
// has the URL may fetch, for some minutes. Nothing is read before that.

import type { Clock } from "../../lib/clock.ts";
import { randomBytes } from "../../lib/random.ts";
import type { DownloadFormat } from "./download.ts";
import type { SessionOf } from "./file-sessions.ts";

export interface OfferedDownload {
  readonly of: SessionOf;
  readonly path: string;
  readonly format: DownloadFormat;
}

export interface Downloads {
  offer(download: OfferedDownload): { readonly token: string; readonly until: number };
  find(token: string): OfferedDownload | undefined;
}

const validMilliseconds = 10 * 60_000;
const mostOffers = 10_000;

export function openDownloads(clock: Clock): Downloads {
  const offers = new Map<string, OfferedDownload & { readonly until: number }>();
  return {
    offer: (download) => {
      const now = clock.now();
      for (const [token, { until }] of offers) if (until <= now || offers.size >= mostOffers) offers.delete(token);
      const token = randomBytes(32).toString("base64url");
      const until = now + validMilliseconds;
      offers.set(token, { ...download, until });
      return { token, until };
    },
    find: (token) => {
      const found = offers.get(token);
      return found !== undefined && found.until > clock.now() ? found : undefined;
    },
  };
}

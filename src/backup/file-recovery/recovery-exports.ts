// Azure's way to recover files: for some hours the disks of a point are served over NBD and TLS, and a
// script mounts them where it is run. The password is a part of the names of the exports, which are
// told to nobody; without it there is nothing to be found.

import { join } from "node:path";
import type { Clock } from "../../lib/clock.ts";
import { disk } from "../../lib/files.ts";
import { randomBelow } from "../../lib/random.ts";
import type { NbdExport } from "../../nbd/export.ts";
import { serveNbd, type NbdServer } from "../../nbd/server.ts";
import { exportPointDisk } from "../../store/index.ts";
import { readFromTiers, type TieredPoint } from "../points/tiers.ts";
import type { OpenVaults } from "../stores/stores.ts";

export interface RecoverySession {
  readonly id: string;
  readonly password: string;
  readonly script: string;
  readonly until: number;
}

export interface RecoveryPlace {
  /** The point's name on the wire: one session for each. */
  readonly point: string;
  readonly tiered: TieredPoint;
  /** Opens the store that is to be read; the session closes it. */
  open(): Promise<OpenVaults>;
  /** The host name that clients reach the service by. */
  readonly host: string;
}

export interface RecoveryExports extends AsyncDisposable {
  /** A session that is there already is replaced: its password is not known any more. */
  begin(place: RecoveryPlace, signal?: AbortSignal): Promise<RecoverySession>;
  end(point: string): Promise<void>;
}

export interface RecoveryExportsOptions {
  readonly clock: Clock;
  /** Where to listen; a port of 0 takes a free one. */
  readonly host: string;
  readonly port: number;
  /** PEM of the service's own certificate, its key, and the authority that clients trust. */
  readonly tls: { readonly certificate: string; readonly key: string; readonly authority: string };
  /** Hears when a session ended by itself. */
  readonly onEnd: (point: string) => Promise<void>;
  readonly report: (error: unknown) => void;
}

export const sessionMilliseconds = 12 * 3_600_000;
const lookMilliseconds = 30_000;
const passwordLength = 15;
const letters = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
const template = join(import.meta.dirname, "..", "..", "..", "guest-files", "file-recovery", "mount.sh");

interface Session {
  readonly names: readonly string[];
  readonly until: number;
  readonly opened: OpenVaults;
}

export function openRecoveryExports(options: RecoveryExportsOptions): RecoveryExports {
  const { clock, tls, host, port } = options;
  const sessions = new Map<string, Session>();
  let server: Promise<NbdServer> | undefined;
  const serve = (): Promise<NbdServer> => {
    server ??= serveNbd({ listen: { host, port }, tls, maxClients: 256 }).catch((error: unknown) => {
      server = undefined; // the port may be free next time
      throw error;
    });
    return server;
  };

  const end = async (point: string): Promise<void> => {
    const session = sessions.get(point);
    if (session === undefined) return;
    sessions.delete(point);
    await close(session);
  };
  const close = async ({ names, opened }: Session): Promise<void> => {
    const running = await server;
    for (const name of names) running?.remove(name);
    await opened[Symbol.asyncDispose]();
  };
  const look = setInterval(() => {
    for (const [point, { until }] of sessions) {
      if (until <= clock.now())
        void end(point)
          .then(() => options.onEnd(point))
          .catch(options.report);
    }
  }, lookMilliseconds);
  look.unref();

  return {
    begin: async (place, signal) => {
      await end(place.point);
      const running = await serve();
      const address = running.address;
      if (!("port" in address)) throw new Error("file recovery listens at a port");
      const opened = await place.open();
      try {
        const { store, point } = await readFromTiers(opened, place.tiered, signal);
        const until = clock.now() + sessionMilliseconds;
        const id = word(12).toLowerCase();
        const password = word(passwordLength);
        const exported = await Promise.all(
          point.disks.map(({ name }, index) => exportPointDisk(store, point, name, `${id}-${password}-${index}`)),
        );
        const disks = point.disks.map(({ name }, index) => name.replace(/[^A-Za-z0-9.-]/g, "_") || `disk${index}`);
        const values = {
          PASSWORD: password,
          HOST: place.host,
          PORT: String(address.port),
          SESSION: id,
          DISKS: disks.join(" "),
          CA: tls.authority.trim(),
        };
        const script = await filledIn(values);
        for (const each of exported) running.add(whileValid(each, until, clock));
        // Somebody else may have begun one for the same point meanwhile.
        const replaced = sessions.get(place.point);
        sessions.set(place.point, { names: exported.map(({ name }) => name), until, opened });
        if (replaced !== undefined) await close(replaced);
        return { id, password, until, script };
      } catch (error) {
        await opened[Symbol.asyncDispose]();
        throw error;
      }
    },
    end,
    [Symbol.asyncDispose]: async () => {
      clearInterval(look);
      await Promise.all(Array.from(sessions.keys(), end));
      await (await server)?.close();
    },
  };
}

/** Not one byte after the session's end, however long the connection stands. */
function whileValid(disk: NbdExport, until: number, clock: Clock): NbdExport {
  return {
    ...disk,
    description: "a disk of a recovery point",
    isListed: false,
    read: async (into, offset, signal) => {
      if (clock.now() >= until) throw new Error("the session has ended");
      await disk.read(into, offset, signal);
    },
  };
}

async function filledIn(values: Readonly<Record<string, string>>): Promise<string> {
  const text = (await disk.read(template)).toString("utf8");
  return text.replace(/@([A-Z]+)@/g, (whole, name: string) => values[name] ?? whole);
}

function word(length: number): string {
  return Array.from({ length }, () => letters[randomBelow(letters.length)]).join("");
}

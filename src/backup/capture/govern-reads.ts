// Watches what a backup does to the writes of the running guest, and paces its reads by that.
//
// Always true: whatever fails here, the reads go on; the backup of a guest that hardly writes never rests.

import type { GuestWrites, SnapshotSession } from "../../hosts/host.ts";
import { monotonicMilliseconds } from "../../lib/clock.ts";
import { sleep, unlessAborted, withDeadline } from "../../lib/time.ts";
import { openReadGate, type ReadGate } from "./read-gate.ts";
import { carefulPace, fewestWrites, fullPace, nextPace } from "./read-pace.ts";

export interface GovernedReads extends AsyncDisposable {
  /** For each disk. QEMU carries reads out by threads that its guest's processors compete with. */
  readonly requestsInFlight: number | undefined;
  readonly gate: ReadGate;
  /** The least share of the time to which reading was brought down because it hurt the guest. */
  lowestShare(): number;
}

export interface GovernorTimes {
  /** Milliseconds in which a guest shows whether it writes at all. */
  readonly first: number;
  /** Milliseconds between two rests, at full speed and when slowed. */
  readonly turns: { readonly full: number; readonly slowed: number };
  readonly restStep: number;
  readonly longestRest: number;
  readonly longestLook: number;
}

const usualTimes: GovernorTimes = {
  first: 250,
  turns: { full: 2_000, slowed: 1_000 },
  restStep: 30,
  longestRest: 500,
  longestLook: 3_000,
};
/** Two MiB: enough to keep the reading busy while what was read is stored. */
const liveRequests = 4;
/** A rest lasts for so many writes: for a time alone, it would see only what is fast. */
const restWrites = 30;

export function governReads(
  session: Pick<SnapshotSession, "guestWrites" | "isLive">,
  outer?: AbortSignal,
  times: GovernorTimes = usualTimes,
): GovernedReads {
  const gate = openReadGate();
  const over = new AbortController();
  const signal = outer === undefined ? over.signal : AbortSignal.any([outer, over.signal]);
  let lowest = 1;
  const { guestWrites } = session;
  const look = guestWrites && ((until: AbortSignal) => inTime(guestWrites.bind(session), times.longestLook, until));
  if (look !== undefined) gate.setShare(carefulPace.share);
  const governing =
    look === undefined
      ? Promise.resolve()
      : govern(look, gate, times, (share) => (lowest = Math.min(lowest, share)), signal)
          // The snapshot is lost, or the host cannot tell: the session says so itself where it matters.
          .catch(() => {})
          .finally(() => {
            gate.setShare(1);
            gate.goOn();
          });
  return {
    gate,
    requestsInFlight: session.isLive ? liveRequests : undefined,
    lowestShare: () => lowest,
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await governing;
    },
  };
}

/** A host that does not answer must not keep reads waiting. */
function inTime(
  look: (signal: AbortSignal) => Promise<GuestWrites>,
  milliseconds: number,
  signal: AbortSignal,
): Promise<GuestWrites> {
  return withDeadline(milliseconds, look, () => new Error("the host does not tell what the guest writes"), signal);
}

async function govern(
  look: (signal: AbortSignal) => Promise<GuestWrites>,
  gate: ReadGate,
  times: GovernorTimes,
  onSlower: (share: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const beginning = await look(signal);
  await sleep(times.first, signal);
  let from = await look(signal);
  const writesInTurn = (since(beginning, from).operations * times.turns.full) / times.first;
  let pace = writesInTurn < fewestWrites ? fullPace : carefulPace;
  gate.setShare(pace.share);
  for (;;) {
    await sleep(pace.share === 1 ? times.turns.full : times.turns.slowed, signal);
    const read = await look(signal);
    const reading = since(from, read);
    from = read;
    if (reading.operations < fewestWrites && pace.share === 1) continue;
    await unlessAborted(gate.rest(), signal);
    const quiet = await look(signal);
    // A look may take longer than the step between two.
    const restUntil = monotonicMilliseconds() + times.longestRest;
    do {
      await sleep(times.restStep, signal);
      from = await look(signal);
    } while (from.operations - quiet.operations < restWrites && monotonicMilliseconds() < restUntil);
    gate.goOn();
    const next = nextPace(pace, { reading, resting: since(quiet, from) });
    if (next.share < pace.share) onSlower(next.share);
    pace = next;
    gate.setShare(pace.share);
  }
}

function since(from: GuestWrites, to: GuestWrites): GuestWrites {
  return { operations: to.operations - from.operations, nanoseconds: to.nanoseconds - from.nanoseconds };
}

// Bytes as they come, taken in the pieces that the protocol wants. Bounded: a reader with a `flow`
// stops the peer while more lies here than somebody is waiting for.

export interface Flow {
  pause(): unknown;
  resume(): unknown;
}

const pauseAbove = 1024 * 1024;

interface Waiting {
  readonly length: number;
  readonly resolve: (bytes: Buffer) => void;
  readonly reject: (error: unknown) => void;
}

export class ByteReader {
  #chunks: Buffer[] = [];
  #length = 0;
  #waiting: Waiting | undefined;
  #failure: { readonly error: unknown } | undefined;
  #paused = false;
  readonly #flow: Flow | undefined;

  constructor(flow?: Flow) {
    this.#flow = flow;
  }

  get length(): number {
    return this.#length;
  }

  feed(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    this.#serve();
    if (this.#flow !== undefined && !this.#paused && this.#waiting === undefined && this.#length > pauseAbove) {
      this.#paused = true;
      this.#flow.pause();
    }
  }

  /** What is still here can be taken; whoever waits for more gets the error. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#waiting?.reject(this.#failure.error);
    this.#waiting = undefined;
  }

  /** One taker at a time. */
  take(length: number): Promise<Buffer> {
    if (this.#length < length && this.#failure !== undefined) return Promise.reject(this.#failure.error);
    return new Promise((resolve, reject) => {
      this.#waiting = { length, resolve, reject };
      this.#serve();
      if (this.#waiting !== undefined && this.#paused) {
        this.#paused = false;
        this.#flow?.resume();
      }
    });
  }

  /** Everything that was fed and not taken. */
  takeRest(): Buffer {
    const rest = Buffer.concat(this.#chunks);
    this.#chunks = [];
    this.#length = 0;
    return rest;
  }

  #serve(): void {
    const waiting = this.#waiting;
    if (waiting === undefined || this.#length < waiting.length) return;
    this.#waiting = undefined;
    const first = this.#chunks[0];
    if (first !== undefined && first.length >= waiting.length) {
      if (first.length === waiting.length) this.#chunks.shift();
      else this.#chunks[0] = first.subarray(waiting.length);
      this.#length -= waiting.length;
      waiting.resolve(first.subarray(0, waiting.length));
      return;
    }
    const all = Buffer.concat(this.#chunks, this.#length);
    this.#chunks = all.length > waiting.length ? [all.subarray(waiting.length)] : [];
    this.#length -= waiting.length;
    waiting.resolve(all.subarray(0, waiting.length));
  }
}

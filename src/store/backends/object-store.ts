// The contract of every place that holds a vault's objects. One suite (object-store-contract.ts in
// testing/) checks it against each backend and each decorator.
//
// Always true, whoever implements it:
// - An object is written whole or not at all; what `put` has returned from survives a power cut,
//   and so does the object that an ObjectExists speaks of.
// - Names are relative, `/`-separated, of [a-z0-9._-] segments that do not begin with a dot. No
//   name is also the folder of another.
// - What `put` has returned from is seen by every later `get`, `head` and `list`.
// - A read of a name that is not there fails with ObjectMissing; everything else that the service
//   says no to is one of the errors in errors.ts with the service's answer as its cause.
// - `modifiedAt` is the service's clock, never ours.

export interface ObjectInfo {
  readonly name: string;
  readonly size: number;
  /** When the service says it was written, milliseconds; a hint only, never a reason to delete. */
  readonly modifiedAt: number;
}

export interface PutOptions {
  /** Fail with ObjectExists when the name is taken. */
  readonly onlyIfAbsent?: boolean;
  /** SHA-256 of the content; where `supports.contentCheck`, other bytes end in ObjectCorrupted. */
  readonly sha256?: Uint8Array;
  /** Keep the object undeletable until then (object lock), where the service can. */
  readonly lockedUntil?: number;
  readonly signal?: AbortSignal;
}

export interface ReadOptions {
  readonly offset?: number;
  /** To the object's end when absent. */
  readonly length?: number;
  readonly signal?: AbortSignal;
}

export interface ObjectStoreSupport {
  readonly objectLock: boolean;
  /** False where two writers of one name at the same moment may both be told that they won. */
  readonly atomicCreate: boolean;
  /** Whether the far end compares what arrived with `PutOptions.sha256`. */
  readonly contentCheck: boolean;
}

export interface ObjectStore extends AsyncDisposable {
  /** For messages: `file:///vaults/a`, `s3://bucket/prefix`; never a secret. */
  readonly location: string;
  readonly supports: ObjectStoreSupport;
  put(name: string, content: Uint8Array | readonly Uint8Array[], options?: PutOptions): Promise<void>;
  /** Fails with ObjectTooShort when fewer bytes are there than were asked for. */
  get(name: string, options?: ReadOptions): Promise<Buffer>;
  head(name: string, signal?: AbortSignal): Promise<ObjectInfo | undefined>;
  /** Every object whose name begins with `prefix`, in name order (by code unit). */
  list(prefix: string, signal?: AbortSignal): AsyncIterable<ObjectInfo>;
  /** Deleting what is not there is no failure. A locked object fails with ObjectLocked. */
  delete(name: string, signal?: AbortSignal): Promise<void>;
}

// Every failure that we can name is a HoldfastError made from one of the tables (`defineErrors`).
// The wire shows code, status, message and details; the remedy is part of the message.

export interface ErrorKind {
  /** HTTP status that the wire answers with. */
  readonly status: number;
  /** What to do about it; one sentence. */
  readonly remedy?: string;
}

export interface ErrorOptions {
  readonly target?: string;
  readonly details?: readonly HoldfastError[];
  readonly cause?: unknown;
  readonly remedy?: string;
  /** Extra facts for logs and for the wire's additionalInfo; never secrets. */
  readonly facts?: Readonly<Record<string, string | number | boolean>>;
}

export class HoldfastError extends Error {
  readonly code: string;
  readonly status: number;
  readonly remedy: string | undefined;
  readonly target: string | undefined;
  readonly details: readonly HoldfastError[];
  readonly facts: Readonly<Record<string, string | number | boolean>>;

  constructor(code: string, kind: ErrorKind, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = code;
    this.code = code;
    this.status = kind.status;
    this.remedy = options.remedy ?? kind.remedy;
    this.target = options.target;
    this.details = options.details ?? [];
    this.facts = options.facts ?? {};
  }

  /** The message with the remedy behind it, as a person reads it. */
  get sentence(): string {
    return this.remedy === undefined || this.message.includes(this.remedy)
      ? this.message
      : `${this.message} ${this.remedy}`;
  }
}

/**
 * A table of errors: `const errors = defineErrors({ PackMissing: { status: 500, remedy: "…" } })`,
 * then `throw errors.PackMissing("Pack abc is not in the store.")`.
 */
export function defineErrors<Code extends string>(
  kinds: Readonly<Record<Code, ErrorKind>>,
): Readonly<Record<Code, (message: string, options?: ErrorOptions) => HoldfastError>> {
  const makers = {} as Record<Code, (message: string, options?: ErrorOptions) => HoldfastError>;
  for (const code of Object.keys(kinds) as Code[]) {
    makers[code] = (message, options) => new HoldfastError(code, kinds[code], message, options);
  }
  return makers;
}

export function isErrorCode(error: unknown, code: string): boolean {
  return error instanceof HoldfastError && error.code === code;
}

/** The code of a system call's failure (`ENOENT`, `EPIPE`), if it is one. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

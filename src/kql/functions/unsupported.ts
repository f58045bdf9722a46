// A runtime function that understands its arguments but cannot answer says so: no wrong answer. The
// word in front is how the executor tells it from a failure of DuckDB.

export const notSupportedMark = "KqlNotSupported:";

export function notSupported(what: string): Error {
  return new Error(`${notSupportedMark} ${what} is not supported.`);
}

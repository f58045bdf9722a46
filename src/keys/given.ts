/** JSON's null and a missing member mean the same: it is not said. */
export function isGiven<Value>(value: Value | null | undefined): value is Value {
  return value !== undefined && value !== null;
}

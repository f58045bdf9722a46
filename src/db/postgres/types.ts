// Whole numbers come back as numbers, as from SQLite: pg would return int8, count() and sum() as text.

import { types, type CustomTypesConfig } from "pg";

const int8 = 20;
const numeric = 1700;

export const postgresTypes: CustomTypesConfig = {
  getTypeParser: (oid, format) => {
    if (oid === int8 || oid === numeric) return toNumber;
    return types.getTypeParser(oid, format);
  },
};

function toNumber(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw new RangeError(`The database holds ${text}, which is beyond the whole numbers that we count with.`);
  }
  return value;
}

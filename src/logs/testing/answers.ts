// What tests say an answer is, in plain JavaScript over records.

export const now = Date.UTC(2026, 0, 15, 12);
export const hour = 3_600_000;
export const day = 24 * hour;

export const iso = (at: number): string => new Date(at).toISOString().replace("Z", "0000Z");
export const startOfDay = (at: number): number => Math.floor(at / day) * day;
export const groups = <T>(list: readonly T[], key: (item: T) => string): [string, T[]][] => [...Map.groupBy(list, key)];
export const latest = <T extends { TimeGenerated: number }>(list: readonly T[], key: (item: T) => string): T[] =>
  groups(list, key).map(([, some]) =>
    some.reduce((best, one) => (one.TimeGenerated > best.TimeGenerated ? one : best)),
  );
export const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
export const since = <T extends { TimeGenerated: number }>(list: readonly T[], span: number): T[] =>
  list.filter(({ TimeGenerated }) => TimeGenerated > now - span);
export const round = (value: number, digits: number): number => Math.round(value * 10 ** digits) / 10 ** digits;

export type Rows = readonly Readonly<Record<string, unknown>>[];

export const rowsText = (rows: Rows, isOrdered: boolean): string[] => {
  const texts = rows.map((row) =>
    JSON.stringify(row, (_, value) => (typeof value === "number" ? Number(value.toPrecision(12)) : value)),
  );
  return isOrdered ? texts : texts.sort();
};

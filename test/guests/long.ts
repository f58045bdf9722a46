/** Campaigns at full size: `./holdfast test --long`. */
export const isLong = process.env["HOLDFAST_TEST_LONG"] === "1";

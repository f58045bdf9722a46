// Real numbers as .NET's shortest round-trip form writes them, which is what KQL shows.

export function formatReal(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "Infinity" : "-Infinity";
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const [mantissa = "0", exponentText = "0"] = value.toExponential().split("e");
  const exponent = Number(exponentText);
  if (exponent >= 15 || exponent < -5) {
    const size = String(Math.abs(exponent)).padStart(2, "0");
    return `${mantissa}E${exponent < 0 ? "-" : "+"}${size}`;
  }
  const negative = mantissa.startsWith("-") ? "-" : "";
  const digits = mantissa.replace("-", "").replace(".", "");
  if (exponent < 0) return `${negative}0.${"0".repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, "0");
  const fraction = digits.slice(exponent + 1);
  return `${negative}${whole}.${fraction === "" ? "0" : fraction}`;
}

/** The number that a text stands for, as `todouble` reads it; null if none. */
export function parseReal(text: string): number | null {
  const trimmed = text.trim();
  if (/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(trimmed)) return Number(trimmed);
  if (/^nan$/i.test(trimmed)) return Number.NaN;
  if (/^\+?(inf|infinity|Infinity)$/.test(trimmed)) return Number.POSITIVE_INFINITY;
  return /^-(inf|infinity|Infinity)$/.test(trimmed) ? Number.NEGATIVE_INFINITY : null;
}

/** Whole numbers, decimal or hexadecimal; null when it is none or needs more than 64 bits. */
export function parseLong(text: string): bigint | null {
  const trimmed = text.trim();
  if (/^0[xX][0-9a-fA-F]{1,16}$/.test(trimmed)) return BigInt.asIntN(64, BigInt(trimmed));
  if (!/^[+-]?\d+$/.test(trimmed)) return null;
  const value = BigInt(trimmed.replace("+", ""));
  return BigInt.asIntN(64, value) === value ? value : null;
}

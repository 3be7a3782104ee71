/** `336,776`. */
export function count(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 0 });
}

/** At most four figures, for narrow places: `942`, `9.4k`, `336.8k`, `1.2M`. */
export function compactCount(value: number): string {
  if (Math.abs(value) < 1_000) return count(value);
  return value.toLocaleString("en-US", { notation: "compact", maximumFractionDigits: 1 }).replace("K", "k");
}

/** Powers of 1024: `512 B`, `4.2 KiB`, `31 MiB`. */
export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let rest = value;
  let unit = 0;
  // Compared rounded, so that 1023.6 KiB becomes 1.0 MiB and not 1024 KiB.
  while (Math.round(rest) >= 1024 && unit < units.length - 1) {
    rest /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || rest >= 9.95 ? 0 : 1;
  return `${rest.toFixed(digits)} ${units[unit]}`;
}

/** Four decimals where they tell something, exponents where they would not: `0.7123`, `12.40`, `3.1e-8`. */
export function metric(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 0.001 || size >= 1e7) return value.toExponential(1).replace("e+", "e").replace("-", "−");
  const digits = size < 10 ? 4 : size < 1_000 ? 2 : 0;
  return (Number.isInteger(value) ? count(value) : value.toFixed(digits)).replace(/^-/, "−");
}

/** `1 row`, `2 rows`. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** The first 12 hexadecimal digits of a digest, or of an id. */
export function shortId(id: string): string {
  return id.replace(/^sha256:/, "").slice(0, 12);
}

import { type Buffers, bitmap, type Column, isInteger } from "@tiegel/plugin";
import type { Bounds } from "./learned.ts";

/** The column with every value between the bounds; nulls become zeros under their null bit. */
export function clip(column: Column, bounds: Bounds): Buffers {
  const { dtype, validity } = column;
  const { low, high } = isInteger(dtype) ? whole(bounds) : bounds;
  if (dtype === "int64" || dtype === "uint64") {
    const [min, max] = [BigInt(low), BigInt(high)];
    return column.edit(dtype, (values) => clipInto<bigint>(values, [min, max, 0n], validity));
  }
  const { fround } = Math;
  const [min, max] = dtype === "float32" ? [fround(low), fround(high)] : [low, high];
  return column.edit(dtype as "float64", (values) => clipInto<number>(values, [min, max, 0], validity));
}

function clipInto<T extends number | bigint>(
  values: { [row: number]: T; length: number },
  [min, max, zero]: readonly [T, T, T],
  validity: Uint8Array | null,
): void {
  for (let row = 0; row < values.length; row++) {
    const value = values[row] as T;
    if (value < min) values[row] = min;
    else if (value > max) values[row] = max;
    if (validity !== null && !bitmap.bit(validity, row)) values[row] = zero;
  }
}

/** Rounded inwards; where no whole number lies between, the nearest one to the lower bound. */
function whole({ low, high }: Bounds): Bounds {
  const [min, max] = [Math.ceil(low), Math.floor(high)];
  return min <= max ? { low: min, high: max } : { low: Math.round(low), high: Math.round(low) };
}

import { PluginError, type Reader, type Writer } from "@tiegel/plugin";

/** Different values that are counted exactly. */
export const EXACT_VALUES_MAX = 50_000;

/** Bits of a float64 that a coarse bin leaves out: of 52 bits of mantissa 10 remain, bins 0.1 % wide. */
const COARSE_BITS = 42n;

const SIGN = 1n << 63n;

const scratch = new DataView(new ArrayBuffer(8));

/**
 * How often each number was seen: exactly, or where there are too many different ones, by logarithmic bins, as in
 * Masson, Rim and Lee, "DDSketch" (2019). Both depend on the numbers alone, not on their order nor on how they were
 * split up before they were merged.
 */
export class Histogram {
  /** By value; where coarse, by bin. */
  #counts = new Map<number, number>();
  #coarse = false;

  add(value: number): void {
    this.#count(this.#coarse ? binOf(value) : value + 0, 1);
    if (!this.#coarse && this.#counts.size > EXACT_VALUES_MAX) this.#coarsen();
  }

  merge(other: Histogram): void {
    if (this.#coarse !== other.#coarse) {
      this.#coarsen();
      other.#coarsen();
    }
    for (const [key, count] of other.#counts) this.#count(key, count);
    if (!this.#coarse && this.#counts.size > EXACT_VALUES_MAX) this.#coarsen();
  }

  /** Linear between the two nearest ranks; null where there is no value. */
  quantiles(shares: readonly number[]): number[] | null {
    const sorted = this.#sorted();
    const total = sorted.reduce((sum, [, count]) => sum + count, 0);
    if (total === 0) return null;
    return shares.map((share) => {
      const rank = (total - 1) * share;
      const low = this.#valueAt(sorted, Math.floor(rank));
      const high = this.#valueAt(sorted, Math.ceil(rank));
      return low + (high - low) * (rank - Math.floor(rank));
    });
  }

  write(writer: Writer): void {
    const sorted = this.#sorted();
    writer.u8(this.#coarse ? 1 : 0).u32(sorted.length);
    for (const [key, count] of sorted) writer.u64(this.#coarse ? key : sortable(key)).u64(count);
  }

  static read(reader: Reader): Histogram {
    const histogram = new Histogram();
    const kind = reader.u8();
    if (kind > 1) throw PluginError.badState(`${kind} is no kind of histogram`);
    histogram.#coarse = kind === 1;
    for (let left = reader.u32(); left > 0; left--) {
      const key = reader.u64();
      histogram.#count(histogram.#coarse ? Number(key) : fromSortable(key), Number(reader.u64()));
    }
    return histogram;
  }

  #count(key: number, count: number): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + count);
  }

  #sorted(): [number, number][] {
    return [...this.#counts].sort(([a], [b]) => a - b);
  }

  /** The value of a rank, from 0. A bin stands for its middle. */
  #valueAt(sorted: readonly [number, number][], rank: number): number {
    let before = 0;
    for (const [key, count] of sorted) {
      before += count;
      if (before > rank) {
        return this.#coarse ? fromSortable((BigInt(key) << COARSE_BITS) | (1n << (COARSE_BITS - 1n))) : key;
      }
    }
    throw PluginError.badState("the histogram counts fewer values than it has");
  }

  #coarsen(): void {
    if (this.#coarse) return;
    this.#coarse = true;
    const exact = this.#counts;
    this.#counts = new Map();
    for (const [value, count] of exact) this.#count(binOf(value), count);
  }
}

/** The upper bits of what `sortable` answers, without big integers. */
function binOf(value: number): number {
  scratch.setFloat64(0, value + 0);
  const high = scratch.getUint32(0);
  return (high >>> 31 === 1 ? ~high >>> 0 : (high | 0x8000_0000) >>> 0) >>> 10;
}

/** Bits that sort as the numbers do; -0 counts as 0. */
function sortable(value: number): bigint {
  scratch.setFloat64(0, value + 0);
  const bits = scratch.getBigUint64(0);
  return bits >= SIGN ? BigInt.asUintN(64, ~bits) : bits | SIGN;
}

function fromSortable(key: bigint): number {
  scratch.setBigUint64(0, key >= SIGN ? key ^ SIGN : BigInt.asUintN(64, ~key));
  return scratch.getFloat64(0);
}

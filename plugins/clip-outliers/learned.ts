import { PluginError, type Reader, type Writer } from "@tiegel/plugin";
import { Histogram } from "./histogram.ts";

export const METHODS = ["quantile", "sigma", "iqr"] as const;

/** How bounds are found. */
export interface Rule {
  readonly method: (typeof METHODS)[number];
  readonly lower: number;
  readonly upper: number;
  readonly k: number;
}

export interface Bounds {
  readonly low: number;
  readonly high: number;
}

/** What one column has shown so far. */
export interface Learned {
  add(values: readonly number[]): void;
  merge(other: this): void;
  /** Null where no value was seen. */
  bounds(rule: Rule): Bounds | null;
  write(writer: Writer): void;
}

export function learned(rule: Rule): Learned {
  return rule.method === "sigma" ? new Spread() : new Distribution(new Histogram());
}

/** Of a column, as `Learned.write` wrote it for the same rule. */
export function readLearned(rule: Rule, reader: Reader): Learned {
  return rule.method === "sigma" ? Spread.read(reader) : new Distribution(Histogram.read(reader));
}

class Distribution implements Learned {
  readonly #histogram: Histogram;

  constructor(histogram: Histogram) {
    this.#histogram = histogram;
  }

  add(values: readonly number[]): void {
    for (const value of values) this.#histogram.add(value);
  }

  merge(other: Distribution): void {
    this.#histogram.merge(other.#histogram);
  }

  bounds({ method, lower, upper, k }: Rule): Bounds | null {
    const shares = method === "quantile" ? [lower, upper] : [0.25, 0.75];
    const [low, high] = this.#histogram.quantiles(shares) ?? [];
    if (low === undefined || high === undefined) return null;
    const margin = method === "quantile" ? 0 : k * (high - low);
    return { low: low - margin, high: high + margin };
  }

  write(writer: Writer): void {
    this.#histogram.write(writer);
  }
}

/**
 * Count, mean and sum of squared deviations.
 *
 * Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances" (1979).
 */
class Spread implements Learned {
  #count = 0;
  #mean = 0;
  #m2 = 0;

  add(values: readonly number[]): void {
    const block = new Spread();
    block.#count = values.length;
    block.#mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    block.#m2 = values.reduce((sum, value) => sum + (value - block.#mean) ** 2, 0);
    this.merge(block);
  }

  merge(other: Spread): void {
    if (other.#count === 0) return;
    const count = this.#count + other.#count;
    const delta = other.#mean - this.#mean;
    const share = other.#count / count;
    this.#m2 += other.#m2 + delta * delta * share * this.#count;
    this.#mean += delta * share;
    this.#count = count;
  }

  bounds({ k }: Rule): Bounds | null {
    if (this.#count === 0) return null;
    const margin = k * Math.sqrt(this.#m2 / this.#count);
    return { low: this.#mean - margin, high: this.#mean + margin };
  }

  write(writer: Writer): void {
    writer.u64(this.#count).f64(this.#mean).f64(this.#m2);
  }

  static read(reader: Reader): Spread {
    const spread = new Spread();
    spread.#count = Number(reader.u64());
    spread.#mean = reader.f64();
    spread.#m2 = reader.f64();
    if (Number.isFinite(spread.#mean) && Number.isFinite(spread.#m2) && spread.#m2 >= 0) return spread;
    throw PluginError.badState("the state holds a mean or variance that is not a number");
  }
}

import { type Column, PluginError, type Reader, type Writer } from "@tiegel/plugin";

/** Rows that are taken together: two passes over a block are as exact as two passes over everything. */
const BLOCK = 1_024;

/** How a column is mapped: (x - mean) * scale. */
export interface Scaling {
  readonly mean: number;
  readonly scale: number;
}

/**
 * Count, mean and sum of squared deviations, mergeable.
 *
 * Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances" (1979).
 */
export class Moments {
  #count = 0;
  #mean = 0;
  #m2 = 0;

  learn(column: Column): void {
    const values = column.numbers();
    const row = values.findIndex((value) => value !== null && !Number.isFinite(value));
    if (row >= 0) {
      const message = "a value is not finite; filter or impute it first";
      throw PluginError.invalidInput(message).at(column.name, row);
    }
    const seen = values.filter((value) => value !== null);
    for (let from = 0; from < seen.length; from += BLOCK) this.merge(ofBlock(seen.slice(from, from + BLOCK)));
    if (!Number.isFinite(this.#m2)) {
      throw PluginError.invalidInput("the values are too far apart for a variance").at(column.name);
    }
  }

  merge(other: Moments): void {
    if (other.#count === 0) return;
    const count = this.#count + other.#count;
    const delta = other.#mean - this.#mean;
    const share = other.#count / count;
    this.#m2 += other.#m2 + delta * delta * share * this.#count;
    this.#mean += delta * share;
    this.#count = count;
  }

  scaling(column: string): Scaling {
    if (this.#count === 0) throw PluginError.invalidInput("the training rows hold no value").at(column);
    const deviation = Math.sqrt(this.#m2 / this.#count);
    // Rounding leaves a constant column a tiny deviation: below a millionth of a millionth of the mean it is 0.
    const constant = deviation <= Math.abs(this.#mean) * 1e-12;
    return { mean: this.#mean, scale: constant ? 0 : 1 / deviation };
  }

  write(writer: Writer): void {
    writer.u64(this.#count).f64(this.#mean).f64(this.#m2);
  }

  static read(reader: Reader): Moments {
    const moments = Moments.of(Number(reader.u64()), reader.f64(), reader.f64());
    if (Number.isFinite(moments.#mean) && Number.isFinite(moments.#m2) && moments.#m2 >= 0) return moments;
    throw PluginError.badState("the state holds a mean or variance that is not a number");
  }

  static of(count: number, mean: number, m2: number): Moments {
    const moments = new Moments();
    [moments.#count, moments.#mean, moments.#m2] = [count, mean, m2];
    return moments;
  }
}

function ofBlock(values: readonly number[]): Moments {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const m2 = values.reduce((sum, value) => sum + (value - mean) * (value - mean), 0);
  return Moments.of(values.length, mean, m2);
}

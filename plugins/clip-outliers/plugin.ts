import {
  type Batch,
  type Buffers,
  type Column,
  config,
  Estimator,
  type Infer,
  isNumber,
  PluginError,
  Reader,
  Schema,
  Writer,
} from "@tiegel/plugin";
import { clip } from "./clip.ts";
import { type Bounds, type Learned, learned, METHODS, type Rule, readLearned } from "./learned.ts";

/** Of the bytes of partials and states. */
const VERSION = 1;

const options = config.object({
  method: config.oneOf(METHODS, { default: "quantile", description: "How the bounds are found." }),
  lower: config.optional(
    config.number({ minimum: 0, maximum: 1, description: "The quantile below which values are cut; 0.01." }),
  ),
  upper: config.optional(
    config.number({ minimum: 0, maximum: 1, description: "The quantile above which values are cut; 0.99." }),
  ),
  k: config.optional(
    config.number({ minimum: 0, description: "Standard deviations (3) or interquartile ranges (1.5)." }),
  ),
});

type Options = Infer<typeof options>;

/** Cuts numbers at bounds that were learned from the training rows. */
export default class ClipOutliers extends Estimator<Options> {
  static override readonly config = options;

  #rule: Rule = { method: "quantile", lower: 0, upper: 1, k: 0 };
  #input = new Schema([]);
  #seen: Learned[] = [];
  #bounds: Bounds[] | null = null;

  configure(given: Options, input: Schema): void {
    for (const { name, dtype, width } of input.fields) {
      if (isNumber(dtype) && width === 1) continue;
      const message = `clip-outliers reads single integers and floats, not ${dtype} of width ${width}`;
      throw PluginError.invalidSchema(message).at(name);
    }
    const rule = ruleOf(given);
    this.#rule = rule;
    this.#input = input;
    this.#seen = input.fields.map(() => learned(rule));
  }

  output(): Schema {
    return this.#input;
  }

  transform(input: Batch): Buffers[] {
    const bounds = this.#bounds;
    if (bounds === null) throw PluginError.notFitted("clip-outliers knows no bounds yet: fit it first");
    return input.columns.map((column, index) => clip(column, bounds[index] as Bounds));
  }

  partialFit(input: Batch): void {
    input.columns.forEach((column, index) => {
      this.#seen[index]?.add(finite(column));
    });
  }

  partial(): Uint8Array {
    const writer = new Writer(VERSION);
    for (const seen of this.#seen) seen.write(writer);
    return writer.finish();
  }

  merge(partial: Uint8Array): void {
    const reader = new Reader(partial, VERSION);
    for (const seen of this.#seen) seen.merge(readLearned(this.#rule, reader));
    reader.finish();
  }

  finish(): Uint8Array {
    const writer = new Writer(VERSION);
    this.#bounds = this.#seen.map((seen, index) => {
      const bounds = seen.bounds(this.#rule);
      if (bounds === null) {
        const name = this.#input.fields[index]?.name ?? "";
        throw PluginError.invalidInput("the training rows hold no value").at(name);
      }
      const within = { low: finiteBound(bounds.low), high: finiteBound(bounds.high) };
      writer.f64(within.low).f64(within.high);
      return within;
    });
    return writer.finish();
  }

  load(state: Uint8Array): void {
    const reader = new Reader(state, VERSION);
    this.#bounds = this.#input.fields.map(() => {
      const bounds = { low: reader.f64(), high: reader.f64() };
      if (bounds.low <= bounds.high && Number.isFinite(bounds.low) && Number.isFinite(bounds.high))
        return bounds;
      throw PluginError.badState("the state holds bounds that are none");
    });
    reader.finish();
  }
}

function ruleOf({ method, lower, upper, k }: Options): Rule {
  if (method === "quantile" ? k !== undefined : lower !== undefined || upper !== undefined) {
    const extra = method === "quantile" ? "`k`" : "`lower` and `upper`";
    throw PluginError.invalidConfig(`config: method '${method}' has no ${extra}`);
  }
  const rule = { method, lower: lower ?? 0.01, upper: upper ?? 0.99, k: k ?? (method === "sigma" ? 3 : 1.5) };
  if (rule.lower <= rule.upper) return rule;
  throw PluginError.invalidConfig(
    `config: the lower quantile ${rule.lower} is above the upper one, ${rule.upper}`,
  );
}

/** A margin may reach beyond all numbers, where it cuts nothing. */
function finiteBound(bound: number): number {
  if (!Number.isNaN(bound)) return Math.min(Math.max(bound, -Number.MAX_VALUE), Number.MAX_VALUE);
  throw PluginError.invalidInput("the values are too far apart for bounds");
}

/** The values that are not null. */
function finite(column: Column): number[] {
  return column.numbers().filter((value, row): value is number => {
    if (value !== null && !Number.isFinite(value)) {
      throw PluginError.invalidInput("a value is not finite; filter or impute it first").at(column.name, row);
    }
    return value !== null;
  });
}

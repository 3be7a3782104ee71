import {
  type Batch,
  type Buffers,
  bitmap,
  type Column,
  columnFrom,
  config,
  Estimator,
  field,
  type Infer,
  isNumber,
  PluginError,
  Reader,
  Schema,
  Writer,
} from "@tiegel/plugin";
import { Moments, type Scaling } from "./moments.ts";

/** Of the bytes of a partial, which are also those of a state. */
const VERSION = 1;

const options = config.object({
  nulls: config.oneOf(["keep", "mean"], {
    default: "keep",
    description: "Whether a null stays null or becomes the mean, which is 0.",
  }),
});

/** `(x - mean) / standard deviation` for every number column, as float32. */
export default class Standardize extends Estimator<Infer<typeof options>> {
  static override readonly config = options;
  static override readonly preferredRows = 16_384;

  #keepNulls = true;
  #input = new Schema([]);
  #seen: Moments[] = [];
  #scaling: Scaling[] | null = null;

  configure({ nulls }: Infer<typeof options>, input: Schema): void {
    for (const { name, dtype, width } of input.fields) {
      if (isNumber(dtype) && width === 1) continue;
      const message = `standardize reads single integers and floats, not ${dtype} of width ${width}`;
      throw PluginError.invalidSchema(message).at(name);
    }
    this.#keepNulls = nulls === "keep";
    this.#input = input;
    this.#seen = input.fields.map(() => new Moments());
  }

  output(): Schema {
    const columns = this.#input.fields.map(({ name, nullable }) =>
      field(name, "float32", { nullable: nullable && this.#keepNulls }),
    );
    return new Schema(columns);
  }

  transform(input: Batch): Buffers[] {
    const scaling = this.#scaling;
    if (scaling === null) throw PluginError.notFitted("standardize knows no means yet: fit it first");
    return input.columns.map((column, index) => this.#scale(column, scaling[index] as Scaling));
  }

  partialFit(input: Batch): void {
    input.columns.forEach((column, index) => {
      this.#seen[index]?.learn(column);
    });
  }

  partial(): Uint8Array {
    const writer = new Writer(VERSION);
    for (const moments of this.#seen) moments.write(writer);
    return writer.finish();
  }

  merge(partial: Uint8Array): void {
    const others = this.#decode(partial);
    others.forEach((other, index) => {
      this.#seen[index]?.merge(other);
    });
  }

  finish(): Uint8Array {
    this.#scaling = this.#seen.map((moments, index) =>
      moments.scaling(this.#input.fields[index]?.name ?? ""),
    );
    return this.partial();
  }

  load(state: Uint8Array): void {
    this.#seen = this.#decode(state);
    this.finish();
  }

  #decode(bytes: Uint8Array): Moments[] {
    const reader = new Reader(bytes, VERSION);
    const moments = this.#input.fields.map(() => Moments.read(reader));
    reader.finish();
    return moments;
  }

  #scale(column: Column, scaling: Scaling): Buffers {
    const scaled = column.dtype === "float32" ? inSingle(column, scaling) : inDouble(column, scaling);
    // A null's place holds arbitrary bytes: zeroing it keeps the same rows at the same bytes.
    const { validity } = column;
    if (validity !== null) {
      for (let row = 0; row < scaled.length; row++) {
        if (!bitmap.bit(validity, row)) scaled[row] = 0;
      }
    }
    return { ...columnFrom(scaled), validity: this.#keepNulls ? validity : null };
  }
}

/** The mean is taken as the sum of two float32, so that values near a large mean keep all their digits. */
function inSingle(column: Column, { mean, scale }: Scaling): Float32Array {
  const { fround } = Math;
  const high = fround(mean);
  const low = fround(mean - high);
  const factor = fround(scale);
  const values = column.values("float32");
  for (let row = 0; row < values.length; row++) {
    values[row] = fround(fround((values[row] ?? 0) - high) - low) * factor;
  }
  return values;
}

function inDouble(column: Column, { mean, scale }: Scaling): Float32Array {
  return Float32Array.from(column.numbers(), (value) => ((value ?? 0) - mean) * scale);
}

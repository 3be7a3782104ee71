import type { Batch } from "./batch.ts";
import type { Buffers, Column } from "./column.ts";
import type { Shape } from "./config.ts";
import { object } from "./config.ts";
import type { Payload, Tensor } from "./contract.gen.ts";
import type { Field, Schema } from "./schema.ts";

/** What a plugin answers where the number of rows is its own. */
export interface Rows {
  readonly rows: number;
  readonly columns: readonly Buffers[];
}

/** What every plugin has. Name, version and summary come from its tiegel-plugin.toml. */
abstract class Plugin<C> {
  /** What users write under `config`; its JSON Schema becomes the form in the UI. */
  static readonly config: Shape<unknown> = object({});

  /** Output row i depends on input row i, the config and the state alone. Only such plugins run in endpoints. */
  static readonly rowWise: boolean = true;

  /** Rows a call should carry for good throughput; 0 leaves it to the host. */
  static readonly preferredRows: number = 0;

  /** Raised when the bytes of `finish` change meaning. */
  static readonly stateVersion: number = 1;

  /**
   * Called once, first: binds the checked config and the input columns. `target` is there only while fitting. Throws a
   * `PluginError` that names the column where the plugin cannot read one.
   */
  abstract configure(config: C, input: Schema, target: Field | null): void;
}

/** A plugin that turns rows into rows. */
export abstract class Transform<C = Record<string, never>> extends Plugin<C> {
  /** The output columns; null while they need a state that is not there yet. */
  abstract output(): Schema | null;

  /** Columns in the order of `output`, as many rows as came in; or `Rows`, where not row-wise. */
  abstract transform(input: Batch): readonly Buffers[] | Rows;

  /** After the last batch, called until it answers null. Row-wise plugins hold nothing back. */
  flush(): Rows | null {
    return null;
  }
}

/**
 * A plugin that learns a state from rows first. What it learns must not depend on how the rows were cut into chunks:
 * exactly for counts and sets, within rounding for sums of floats.
 */
export abstract class Estimator<C = Record<string, never>> extends Transform<C> {
  /** Learns from rows. The target is there only where the step names one. */
  abstract partialFit(input: Batch, target: Column | null): void;

  /** All that this instance has seen so far; the same rows give the same bytes. */
  abstract partial(): Uint8Array;

  /** Adds what another instance has seen, from the bytes of its `partial`. */
  abstract merge(partial: Uint8Array): void;

  /** Closes the fit and answers the state. From now on `output` is there and `transform` works. */
  abstract finish(): Uint8Array;

  /** Restores a state; does what `finish` does to this instance. */
  abstract load(state: Uint8Array, version: number): void;
}

/** A plugin on the edge of an endpoint: a request body becomes tensors, outputs of a model become an answer. */
export abstract class RequestProcessor<C = Record<string, never>> extends Plugin<C> {
  abstract preprocess(input: Payload): Tensor[];

  abstract postprocess(outputs: Tensor[], accept: string): Payload;
}

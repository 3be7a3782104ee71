// Written by `cargo xtask gen` from sdk/wit/v1.

export type Dtype =
  | "boolean"
  | "int8"
  | "int16"
  | "int32"
  | "int64"
  | "uint8"
  | "uint16"
  | "uint32"
  | "uint64"
  | "float16"
  | "bfloat16"
  | "float32"
  | "float64"
  | "date32"
  | "timestamp-us"
  | "utf8"
  | "binary";

/** One column's name and type. `width` over 1 is a fixed-size list (an embedding, a one-hot block, pixels). */
export interface Field {
  name: string;
  dtype: Dtype;
  nullable: boolean;
  width: number;
}

export interface Schema {
  fields: Field[];
}

/** `validity` is Arrow's bitmap, absent where nothing is null. `offsets` (i32, rows + 1) belong to utf8 and binary. */
export interface Column {
  data: Uint8Array;
  validity: Uint8Array | null;
  offsets: Uint8Array | null;
}

export interface Batch {
  rows: number;
  columns: Column[];
}

/** A named n-dimensional array, row-major. */
export interface Tensor {
  name: string;
  dtype: Dtype;
  shape: number[];
  data: Uint8Array;
}

export type ErrorCode =
  | "invalid-config"
  | "invalid-schema"
  | "invalid-input"
  | "not-fitted"
  | "bad-state"
  | "unsupported"
  | "internal";

export interface PluginError {
  code: ErrorCode;
  message: string;
  column: string | null;
  row: number | null;
}

export interface Descriptor {
  name: string;
  version: string;
  summary: string;
  /** JSON Schema 2020-12 of the config that `configure` takes; the UI draws its form from it. */
  configSchema: string;
  /**
   * Output row i depends on input row i, the config and the state alone: the host may split, reorder and
   * parallelise, and an endpoint may run it. Where false, one instance sees all rows in the declared order.
   */
  rowWise: boolean;
  /** Rows a call should carry for good throughput; 0 leaves it to the host. */
  preferredRows: number;
  /** Raised when the bytes of `fitter.finish` change meaning. */
  stateVersion: number;
}

/** What a plugin is, and the one-time handshake that makes an instance ready for a schema. */
export interface MetaInterface {
  describe(): Descriptor;
  /**
   * Called once, first. Binds config and input schema; answers the output schema, or none where that needs a state
   * (then `load` or `fitter.finish` comes before `transform`). `target` is given for fitting only, never when serving.
   */
  configure(configJson: string, input: Schema, target: Field | null): Schema | null;
}

export interface TransformerInterface {
  transform(input: Batch): Batch;
  /** After the last batch, called until it answers none: windows, top-k, anything that holds rows back. Row-wise: always none. */
  flush(): Batch | null;
}

/**
 * Learning a state from data, in one pass. Order: configure; then either load, or (partial-fit or merge)* and finish.
 * The host fits fixed chunks of rows and merges the partials in chunk order, whatever the number of threads, so that
 * the same data gives the same bytes.
 */
export interface FitterInterface {
  partialFit(input: Batch, target: Column | null): void;
  /** All that this instance has seen so far, to be merged elsewhere; resets nothing. */
  partial(): Uint8Array;
  merge(partial: Uint8Array): void;
  /** The state. Afterwards the instance is fitted and may transform. */
  finish(): [Schema, Uint8Array];
  /** Restores a state; answers the output schema. */
  load(state: Uint8Array, stateVersion: number): Schema;
}

export interface Payload {
  contentType: string;
  body: Uint8Array;
  params: [string, string][];
}

/** Turning a request body into tensors, and model outputs into an answer: images, audio, text. */
export interface RequestInterface {
  preprocess(input: Payload): Tensor[];
  postprocess(outputs: Tensor[], accept: string): Payload;
}

export type Level =
  | "trace"
  | "debug"
  | "info"
  | "warn"
  | "error";

/** Host services, always linked; there is no clock, network or file system. */
export interface LogInterface {
  log(level: Level, message: string, fields: [string, string][]): void;
}

/** Seeded by the host from (plugin, config, chunk number), so that a re-run sees the same numbers. Traps inside a row-wise `transform`. */
export interface RandomInterface {
  nextU64(): bigint;
}

/** Read-only files shipped with the plugin or granted to it: a vocabulary, a lookup table. Any other name answers an error. */
export interface ArtifactsInterface {
  read(name: string, offset: bigint, len: number): Uint8Array;
}

/** Stateless: parse, clean, derive. */
export interface TransformWorld {
  imports: { log: LogInterface; random: RandomInterface; artifacts: ArtifactsInterface };
  exports: { meta: MetaInterface; transformer: TransformerInterface };
}

/** Stateful: learns from the training split, then transforms with what it learned. */
export interface EstimatorWorld {
  imports: { log: LogInterface; random: RandomInterface; artifacts: ArtifactsInterface };
  exports: { meta: MetaInterface; transformer: TransformerInterface; fitter: FitterInterface };
}

/** On the edge of an endpoint. */
export interface RequestProcessorWorld {
  imports: { log: LogInterface; artifacts: ArtifactsInterface };
  exports: { meta: MetaInterface; request: RequestInterface };
}

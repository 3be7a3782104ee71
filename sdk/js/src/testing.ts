/** Runs a plugin under node as the host runs it, and checks its answers as the host does. */

import { Batch, columnOf, type ValueOf } from "./batch.ts";
import { bit } from "./bitmap.ts";
import { type Buffers, type FixedDtype, VIEWS, view } from "./column.ts";
import { type Component, component, type PluginClass } from "./component.ts";
import type {
  Dtype,
  Level,
  Payload,
  Batch as RawBatch,
  PluginError as RawError,
  Tensor,
} from "./contract.gen.ts";
import { PluginError } from "./error.ts";
import { type Host, setHost } from "./host.ts";
import { type Field, field, Schema } from "./schema.ts";
import { decode } from "./utf8.ts";

export { PluginError };

/** Columns by name, each a type and values: `{ price: ["float64", [1, null]] }`. */
export type Table = { readonly [name: string]: AnyColumn };
type AnyColumn = { [D in Dtype]: readonly [D, readonly (ValueOf<D> | null)[]] }[Dtype];

/** A batch by hand. Columns that hold a null are nullable, and so are all with `nullable`. */
export function batch(table: Table, options: { nullable?: boolean } = {}): Batch {
  const columns = Object.entries(table);
  const rows = columns[0]?.[1][1].length ?? 0;
  for (const [name, [, values]] of columns) {
    if (values.length === rows) continue;
    throw new RangeError(`column '${name}' has ${values.length} rows where the first one has ${rows}`);
  }
  const fields = columns.map(([name, [dtype, values]]) =>
    field(name, dtype, { nullable: options.nullable ?? values.includes(null as never) }),
  );
  const buffers = columns.map(([, [dtype, values]]) => columnOf(dtype, values as readonly never[]));
  return new Batch(new Schema(fields), rows, buffers);
}

/** A column's values as JavaScript has them. */
export function valuesOf(batch: Batch, name: string): (ValueOf<Dtype> | null)[] {
  const column = batch.column(name);
  switch (column.dtype) {
    case "utf8":
      return column.texts();
    case "binary":
      return column.binaries();
    case "boolean":
      return column.booleans();
    default: {
      const values = column.values(column.dtype);
      return Array.from({ length: values.length }, (_, at) =>
        column.isNull(Math.floor(at / column.field.width)) ? null : (values[at] as number | bigint),
      );
    }
  }
}

export interface Options {
  readonly config?: unknown;
  readonly target?: Field;
  /** Files that the plugin is granted, by name. */
  readonly artifacts?: Readonly<Record<string, Uint8Array>>;
  /** The numbers that `random` draws from; by default they count up. */
  readonly random?: () => bigint;
}

/** A line that the plugin logged. */
export interface Line {
  readonly level: Level;
  readonly message: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** Configures a plugin for input columns. */
export function start(Plugin: PluginClass, input: Schema, options: Options = {}): Running {
  return new Running(Plugin, input, options);
}

/** Fits a plugin as the host does: each chunk by an instance of its own, the partials merged in order. */
export function fit(
  Plugin: PluginClass,
  chunks: readonly Batch[],
  options: Options & { readonly targets?: readonly Buffers[] } = {},
): { plugin: Running; state: Uint8Array } {
  const [first] = chunks;
  if (first === undefined) throw new RangeError("a fit needs a batch, if only for its schema");
  const partials = chunks.map((chunk, index) => {
    const one = start(Plugin, first.schema, options);
    one.partialFit(chunk, options.targets?.[index] ?? null);
    return one.partial();
  });
  const plugin = start(Plugin, first.schema, options);
  for (const partial of partials) plugin.merge(partial);
  return { plugin, state: plugin.finish() };
}

/** A configured plugin. Its calls throw `PluginError`. */
export class Running {
  readonly logs: Line[] = [];
  /** Null while it needs a state that is not there yet. */
  output: Schema | null;
  readonly #component: Component;
  readonly #host: Host;
  readonly #rowWise: boolean;

  constructor(Plugin: PluginClass, input: Schema, options: Options) {
    this.#host = nativeHost(this.logs, options);
    this.#rowWise = Plugin.rowWise;
    this.#component = component(Plugin, { name: "test", version: "0.0.0", summary: "" }, this.#host);
    const output = this.#call(() =>
      this.#component.meta.configure(
        JSON.stringify(options.config ?? {}),
        input.toRaw(),
        options.target === undefined ? null : { ...options.target },
      ),
    );
    this.output = output === null ? null : Schema.fromRaw(output);
  }

  /** The JSON Schema that users see. */
  get configSchema(): unknown {
    return JSON.parse(this.#call(() => this.#component.meta.describe()).configSchema);
  }

  transform(input: Batch): Batch {
    const answer = this.#call(() => this.#component.transformer.transform(copied(input)));
    if (this.#rowWise && answer.rows !== input.rows) {
      throw new Error(`a row-wise plugin answered ${answer.rows} rows for ${input.rows}`);
    }
    return this.#checked(answer);
  }

  flush(): Batch | null {
    const answer = this.#call(() => this.#component.transformer.flush());
    return answer === null ? null : this.#checked(answer);
  }

  partialFit(input: Batch, target: Buffers | null = null): void {
    this.#call(() => this.#component.fitter.partialFit(copied(input), target));
  }

  partial(): Uint8Array {
    return this.#call(() => this.#component.fitter.partial());
  }

  merge(partial: Uint8Array): void {
    this.#call(() => this.#component.fitter.merge(partial.slice()));
  }

  finish(): Uint8Array {
    const [output, state] = this.#call(() => this.#component.fitter.finish());
    this.output = Schema.fromRaw(output);
    return state;
  }

  load(state: Uint8Array, version = 1): void {
    this.output = Schema.fromRaw(this.#call(() => this.#component.fitter.load(state.slice(), version)));
  }

  preprocess(input: Payload): Tensor[] {
    return this.#call(() => this.#component.request.preprocess(input));
  }

  postprocess(outputs: Tensor[], accept: string): Payload {
    return this.#call(() => this.#component.request.postprocess(outputs, accept));
  }

  #call<T>(call: () => T): T {
    setHost(this.#host);
    try {
      return call();
    } catch (error) {
      throw PluginError.fromRaw(error as RawError);
    }
  }

  #checked(answer: RawBatch): Batch {
    const output = this.output;
    if (output === null) throw new Error("transform answered although there is no output schema yet");
    if (answer.columns.length !== output.fields.length) {
      throw new Error(
        `${answer.columns.length} columns were answered; the output schema has ${output.fields.length}`,
      );
    }
    answer.columns.forEach((column, index) => {
      checkBuffers(output.fields[index] as Field, column, answer.rows);
    });
    return new Batch(output, answer.rows, answer.columns);
  }
}

/** The guest owns what it is given: a plugin that edits in place must not change the test's batch. */
function copied(batch: Batch): RawBatch {
  const columns = batch.columns.map(({ buffers: { data, validity, offsets } }) => ({
    data: data.slice(),
    validity: validity?.slice() ?? null,
    offsets: offsets?.slice() ?? null,
  }));
  return { rows: batch.rows, columns };
}

function nativeHost(logs: Line[], options: Options): Host {
  let drawn = 0n;
  const count = () => {
    drawn += 1n;
    return BigInt.asUintN(64, drawn * 0x9e37_79b9_7f4a_7c15n);
  };
  return {
    log: (level, message, fields) => logs.push({ level, message, fields: Object.fromEntries(fields) }),
    nextU64: options.random ?? count,
    read(name, offset, len) {
      const bytes = options.artifacts?.[name];
      if (bytes === undefined) throw PluginError.unsupported(`no artifact '${name}' was granted`);
      return bytes.slice(Number(offset), Number(offset) + len);
    },
  };
}

function checkValidity({ name, nullable }: Field, validity: Uint8Array, rows: number): void {
  const needed = Math.ceil(rows / 8);
  if (validity.length !== needed) {
    throw new Error(
      `column '${name}': its validity has ${validity.length} bytes; ${rows} rows need ${needed}`,
    );
  }
  for (let row = 0; row < rows && !nullable; row++) {
    if (!bit(validity, row)) {
      throw new Error(`column '${name}': row ${row} is null, though it is declared without nulls`);
    }
  }
}

function checkBuffers(field: Field, { data, validity, offsets }: Buffers, rows: number): void {
  const fail = (why: string) => new Error(`column '${field.name}': ${why}`);
  const values = rows * field.width;
  if (validity !== null) checkValidity(field, validity, rows);
  if (field.dtype === "utf8" || field.dtype === "binary") {
    const cuts = view("int32", offsets ?? new Uint8Array(0));
    if (cuts.length !== rows + 1) throw fail(`it has ${cuts.length} offsets for ${rows} rows`);
    if (cuts.some((cut, row) => cut < (cuts[row - 1] ?? 0) || cut > data.length))
      throw fail("its offsets go astray");
    if (field.dtype === "utf8") decode(data);
    return;
  }
  const bytes =
    field.dtype === "boolean"
      ? Math.ceil(values / 8)
      : values * VIEWS[field.dtype as FixedDtype].BYTES_PER_ELEMENT;
  if (data.length !== bytes)
    throw fail(`its data has ${data.length} bytes; ${bytes} are needed for ${rows} rows`);
}

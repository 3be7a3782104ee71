import { bit, countOnes } from "./bitmap.ts";
import type { Dtype, Column as Raw } from "./contract.gen.ts";
import { PluginError } from "./error.ts";
import type { Field } from "./schema.ts";
import { decode, isAscii, latin1 } from "./utf8.ts";

/** Arrow's buffers of one column, little-endian: what a plugin answers. */
export type Buffers = Raw;

/** The typed array that holds a type's values; the two 16-bit floats come as their bits. */
export interface Views {
  int8: Int8Array;
  int16: Int16Array;
  int32: Int32Array;
  int64: BigInt64Array;
  uint8: Uint8Array;
  uint16: Uint16Array;
  uint32: Uint32Array;
  uint64: BigUint64Array;
  float16: Uint16Array;
  bfloat16: Uint16Array;
  float32: Float32Array;
  float64: Float64Array;
  date32: Int32Array;
  "timestamp-us": BigInt64Array;
}

/** The types whose values have a fixed number of bytes. */
export type FixedDtype = keyof Views;

interface ViewConstructor<T> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): T;
  new (length: number): T;
}

export const VIEWS: { readonly [D in FixedDtype]: ViewConstructor<Views[D]> } = {
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  float32: Float32Array,
  float64: Float64Array,
  date32: Int32Array,
  "timestamp-us": BigInt64Array,
};

/** The values in a buffer: a view where it is aligned, else of a copy. Bytes that make no whole value are left out. */
export function view<D extends FixedDtype>(dtype: D, bytes: Uint8Array): Views[D] {
  const View: ViewConstructor<Views[D]> = VIEWS[dtype];
  const size = View.BYTES_PER_ELEMENT;
  const aligned = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  return new View(aligned.buffer, aligned.byteOffset, Math.floor(aligned.byteLength / size));
}

/** A column of a batch, with its name and type. Reading fixed-size values copies nothing. */
export class Column {
  readonly field: Field;
  readonly rows: number;
  readonly buffers: Buffers;

  constructor(field: Field, rows: number, buffers: Buffers) {
    this.field = field;
    this.rows = rows;
    this.buffers = buffers;
  }

  get name(): string {
    return this.field.name;
  }

  get dtype(): Dtype {
    return this.field.dtype;
  }

  /** Bit i is set where row i is not null; null where nothing is null. */
  get validity(): Uint8Array | null {
    return this.buffers.validity;
  }

  isNull(row: number): boolean {
    const validity = this.buffers.validity;
    return validity !== null && !bit(validity, row);
  }

  get nullCount(): number {
    const validity = this.buffers.validity;
    return validity === null ? 0 : this.rows - countOnes(validity, this.rows);
  }

  /** All values, `width` a row, nulls as whatever stands in their place. */
  values<D extends FixedDtype>(dtype: D): Views[D] {
    if (this.field.dtype !== dtype) throw this.#wrongType(`${dtype} values are`);
    return view(dtype, this.buffers.data);
  }

  /** Lets `edit` change the values, and answers the changed column; this one must not be read afterwards. */
  edit<D extends FixedDtype>(dtype: D, edit: (values: Views[D]) => void): Buffers {
    const values = this.values(dtype);
    edit(values);
    const data = new Uint8Array(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength);
    return { ...this.buffers, data };
  }

  /** Any integer or float column, row by row; null where null. Integers over 2^53 are rounded. */
  numbers(): (number | null)[] {
    this.#oneValueARow();
    switch (this.field.dtype) {
      case "int64":
      case "uint64":
        return this.#rows(this.values(this.field.dtype), Number);
      case "int8":
      case "int16":
      case "int32":
      case "uint8":
      case "uint16":
      case "uint32":
      case "float32":
      case "float64":
        return this.#rows<number, number>(this.values(this.field.dtype), (value) => value);
      default:
        throw this.#wrongType("numbers are");
    }
  }

  /** Row by row; null where null. */
  booleans(): (boolean | null)[] {
    if (this.field.dtype !== "boolean") throw this.#wrongType("booleans are");
    this.#oneValueARow();
    const data = this.buffers.data;
    return Array.from({ length: this.rows }, (_, row) => (this.isNull(row) ? null : bit(data, row)));
  }

  /** Row by row; null where null. */
  texts(): (string | null)[] {
    if (this.field.dtype !== "utf8") throw this.#wrongType("texts are");
    const offsets = this.#offsets();
    const data = this.buffers.data;
    // Where no byte has a companion, cutting one text is much cheaper than decoding each row.
    const whole = latin1(data);
    const cut = isAscii(whole)
      ? (from: number, to: number) => whole.slice(from, to)
      : (from: number, to: number) => decode(data.subarray(from, to));
    const texts = new Array<string | null>(this.rows);
    for (let row = 0; row < this.rows; row++) {
      try {
        texts[row] = this.isNull(row) ? null : cut(offsets[row] ?? 0, offsets[row + 1] ?? 0);
      } catch {
        throw PluginError.invalidInput("the bytes are not UTF-8").at(this.name, row);
      }
    }
    return texts;
  }

  /** The bytes of a binary or utf8 column, row by row; null where null. */
  binaries(): (Uint8Array | null)[] {
    if (this.field.dtype !== "binary" && this.field.dtype !== "utf8") throw this.#wrongType("bytes are");
    const offsets = this.#offsets();
    const cut = (row: number) => this.buffers.data.subarray(offsets[row], offsets[row + 1]);
    return Array.from({ length: this.rows }, (_, row) => (this.isNull(row) ? null : cut(row)));
  }

  #rows<V, R>(values: ArrayLike<V>, map: (value: V) => R): (R | null)[] {
    const rows = new Array<R | null>(this.rows);
    const validity = this.buffers.validity;
    for (let row = 0; row < this.rows; row++) {
      rows[row] = validity === null || bit(validity, row) ? map(values[row] as V) : null;
    }
    return rows;
  }

  #offsets(): Int32Array {
    const offsets = view("int32", this.buffers.offsets ?? new Uint8Array(0));
    if (offsets.length === this.rows + 1) return offsets;
    const message = `the column has ${offsets.length} offsets for ${this.rows} rows`;
    throw PluginError.invalidInput(message).at(this.name);
  }

  #oneValueARow(): void {
    if (this.field.width === 1) return;
    const message = `the column holds ${this.field.width} values a row; one is needed`;
    throw PluginError.invalidSchema(message).at(this.name);
  }

  #wrongType(needed: string): PluginError {
    return PluginError.invalidSchema(`the column is ${this.field.dtype}; ${needed} needed`).at(this.name);
  }
}

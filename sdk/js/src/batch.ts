import { setBit, zeros } from "./bitmap.ts";
import { type Buffers, Column, type FixedDtype, VIEWS, type Views } from "./column.ts";
import type { Dtype, Batch as Raw } from "./contract.gen.ts";
import { field, type Schema } from "./schema.ts";
import { encode } from "./utf8.ts";

/** Rows of a table: one column for each field of the schema. */
export class Batch {
  readonly schema: Schema;
  readonly rows: number;
  readonly columns: readonly Column[];

  constructor(schema: Schema, rows: number, buffers: readonly Buffers[]) {
    this.schema = schema;
    this.rows = rows;
    this.columns = buffers.map(
      (one, index) => new Column(schema.fields[index] ?? field("", "binary"), rows, one),
    );
  }

  /** By position or name. Throws where there is none. */
  column(which: number | string): Column {
    const index = typeof which === "number" ? which : this.schema.indexOf(which);
    const column = this.columns[index];
    if (column === undefined) throw new RangeError(`the batch has no column ${which}`);
    return column;
  }

  toRaw(): Raw {
    return { rows: this.rows, columns: this.columns.map((column) => column.buffers) };
  }
}

/** What one value of a column is in JavaScript. */
export type ValueOf<D extends Dtype> = D extends "utf8"
  ? string
  : D extends "binary"
    ? Uint8Array
    : D extends "boolean"
      ? boolean
      : D extends FixedDtype
        ? Views[D][number]
        : never;

/**
 * A column of any type; null and undefined make nulls.
 *
 *     columnOf("float32", [1.5, null]);
 *     columnOf("utf8", ["a", "b"]);
 */
export function columnOf<D extends Dtype>(
  dtype: D,
  values: readonly (ValueOf<D> | null | undefined)[],
): Buffers {
  const validity = validityOf(values);
  switch (dtype) {
    case "boolean": {
      const data = zeros(values.length);
      values.forEach((value, row) => {
        if (value === true) setBit(data, row);
      });
      return { data, validity, offsets: null };
    }
    case "utf8":
      return {
        ...joined((values as readonly (string | null)[]).map((text) => encode(text ?? ""))),
        validity,
      };
    case "binary": {
      const empty = new Uint8Array(0);
      return {
        ...joined((values as readonly (Uint8Array | null)[]).map((bytes) => bytes ?? empty)),
        validity,
      };
    }
    default: {
      const array = new VIEWS[dtype as FixedDtype](values.length) as { [row: number]: unknown };
      values.forEach((value, row) => {
        if (value !== null && value !== undefined) array[row] = value;
      });
      return { data: bytesOf(array as unknown as ArrayBufferView), validity, offsets: null };
    }
  }
}

/** A column without nulls that is a typed array's bytes, uncopied. */
export function columnFrom(values: ArrayBufferView): Buffers {
  return { data: bytesOf(values), validity: null, offsets: null };
}

function bytesOf(values: ArrayBufferView): Uint8Array {
  return new Uint8Array(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength);
}

function validityOf(values: readonly unknown[]): Uint8Array | null {
  const isNull = (value: unknown) => value === null || value === undefined;
  if (!values.some(isNull)) return null;
  const bits = zeros(values.length);
  values.forEach((value, row) => {
    if (!isNull(value)) setBit(bits, row);
  });
  return bits;
}

function joined(parts: readonly Uint8Array[]): { data: Uint8Array; offsets: Uint8Array } {
  const offsets = new Int32Array(parts.length + 1);
  let end = 0;
  parts.forEach((part, row) => {
    end += part.length;
    offsets[row + 1] = end;
  });
  const data = new Uint8Array(end);
  parts.forEach((part, row) => {
    data.set(part, offsets[row] ?? 0);
  });
  return { data, offsets: bytesOf(offsets) };
}

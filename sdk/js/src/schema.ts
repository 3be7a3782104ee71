import type { Dtype, Field as RawField, Schema as RawSchema } from "./contract.gen.ts";

/** One column's name and type. A `width` over 1 is a fixed-size list. */
export type Field = Readonly<RawField>;

/** A column that holds one value a row and no nulls, unless said otherwise. */
export function field(name: string, dtype: Dtype, more: { nullable?: boolean; width?: number } = {}): Field {
  return { name, dtype, nullable: more.nullable ?? false, width: more.width ?? 1 };
}

/** The columns of a table, in order. */
export class Schema {
  readonly fields: readonly Field[];

  constructor(fields: readonly Field[]) {
    this.fields = fields;
  }

  field(name: string): Field | undefined {
    return this.fields.find((field) => field.name === name);
  }

  /** -1 where there is none. */
  indexOf(name: string): number {
    return this.fields.findIndex((field) => field.name === name);
  }

  static fromRaw(raw: RawSchema): Schema {
    return new Schema(raw.fields);
  }

  toRaw(): RawSchema {
    return { fields: this.fields.map((field) => ({ ...field })) };
  }
}

const INTEGERS: readonly Dtype[] = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"];

export function isInteger(dtype: Dtype): boolean {
  return INTEGERS.includes(dtype);
}

/** Whether `Column.numbers` can read it. */
export function isNumber(dtype: Dtype): boolean {
  return isInteger(dtype) || dtype === "float32" || dtype === "float64";
}

/** The golden cases of sdk/vectors: the same states give the same bytes as in the SDKs of the other languages. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import Standardize from "../examples/standardize/plugin.ts";
import { Batch, columnOf, type Dtype, type Field, type PluginError, Reader, Schema } from "../src/index.ts";
import { type Running, start } from "../src/testing.ts";

interface Rows {
  readonly rows: number;
  readonly columns: readonly (readonly (string | null)[])[];
}

interface Refusal {
  readonly code: string;
  readonly column: string | null;
  readonly row: number | null;
}

interface Case {
  readonly about: string;
  readonly schema: readonly Field[];
  readonly config: unknown;
  readonly error?: Refusal;
  readonly fit?: {
    readonly chunks: readonly (readonly Rows[])[];
    readonly state?: readonly {
      name: string;
      type: "u8" | "u64" | "f64";
      value: string;
      tolerance?: string;
    }[];
    readonly error?: Refusal;
  };
  readonly transform?: {
    readonly state: string;
    readonly state_version: number;
    readonly batches: readonly Rows[];
    readonly output?: {
      readonly schema: readonly Field[];
      readonly batches: readonly {
        rows: number;
        columns: readonly { data: string; validity: string | null }[];
      }[];
    };
    readonly error?: Refusal;
  };
}

const folder = join(import.meta.dirname, "../../vectors/standardize");

for (const name of readdirSync(folder)) {
  const one: Case = JSON.parse(readFileSync(join(folder, name), "utf8"));
  test(`standardize ${name}: ${one.about}`, () => run(one));
}

function run({ schema: fields, config, error, fit, transform }: Case): void {
  const schema = new Schema(fields);
  const configured = () => start(Standardize, schema, { config });
  if (error !== undefined) refused(error, configured);
  if (fit !== undefined) ended(fit.error, () => checkFit(fit, schema, configured));
  if (transform !== undefined) ended(transform.error, () => checkTransform(transform, schema, configured));
}

function checkFit(
  { chunks, state }: NonNullable<Case["fit"]>,
  schema: Schema,
  configured: () => Running,
): void {
  const merged = configured();
  for (const chunk of chunks) {
    const one = configured();
    for (const rows of chunk) one.partialFit(batchOf(schema, rows));
    merged.merge(one.partial());
  }
  const bytes = merged.finish();
  const [version, ...rest] = state ?? [];
  const reader = new Reader(bytes, Number(version?.value));
  for (const { name, type, value, tolerance } of rest) {
    if (type === "f64") {
      const found = reader.f64();
      const difference = Math.abs(found - Number(value));
      assert.ok(difference <= Number(tolerance), `${name} is ${found}; ${value} ± ${tolerance} is right`);
    } else {
      assert.equal(String(type === "u64" ? reader.u64() : reader.u8()), value, name);
    }
  }
  reader.finish();
}

function checkTransform(
  { state, state_version, batches, output }: NonNullable<Case["transform"]>,
  schema: Schema,
  configured: () => Running,
): void {
  const plugin = configured();
  plugin.load(bytesOf(state), state_version);
  batches.forEach((rows, index) => {
    const answer = plugin.transform(batchOf(schema, rows));
    const expected = output?.batches[index];
    assert.deepEqual(answer.schema.fields, output?.schema);
    assert.equal(answer.rows, expected?.rows);
    const columns = answer.columns.map((column) => ({
      data: hex(column.buffers.data),
      validity: column.nullCount === 0 ? null : hex(column.validity ?? new Uint8Array(0)),
    }));
    assert.deepEqual(columns, expected?.columns);
  });
}

function ended(error: Refusal | undefined, call: () => void): void {
  if (error === undefined) call();
  else refused(error, call);
}

function refused(expected: Refusal, call: () => unknown): void {
  assert.throws(call, ({ code, column, row }: PluginError) => {
    assert.deepEqual({ code, column, row }, expected);
    return true;
  });
}

function batchOf(schema: Schema, { rows, columns }: Rows): Batch {
  const buffers = columns.map((texts, index) => {
    const dtype = schema.fields[index]?.dtype ?? "utf8";
    return columnOf(dtype, texts.map((text) => (text === null ? null : parsed(dtype, text))) as never[]);
  });
  return new Batch(schema, rows, buffers);
}

function parsed(dtype: Dtype, text: string): string | number | bigint {
  if (dtype === "utf8") return text;
  return dtype === "int64" || dtype === "uint64" ? BigInt(text) : Number(text);
}

function bytesOf(hexadecimal: string): Uint8Array {
  return new Uint8Array(Buffer.from(hexadecimal, "hex"));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

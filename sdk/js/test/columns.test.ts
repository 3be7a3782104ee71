import assert from "node:assert/strict";
import { test } from "node:test";
import { Batch, Column, columnFrom, columnOf, field, Schema, utf8 } from "../src/index.ts";
import { batch, valuesOf } from "../src/testing.ts";
import { isAscii, latin1 } from "../src/utf8.ts";

test("columns of every type come back as they were built", () => {
  const built = batch({
    f: ["float32", [1.5, null, -3]],
    d: ["date32", [0, 1, null]],
    l: ["int64", [2n ** 62n, null, -1n]],
    s: ["utf8", ["æ", "", null]],
    b: ["boolean", [null, true, false]],
    y: ["binary", [new Uint8Array([1, 2]), null, new Uint8Array(0)]],
  });
  assert.equal(built.rows, 3);
  assert.deepEqual(valuesOf(built, "f"), [1.5, null, -3]);
  assert.deepEqual(valuesOf(built, "l"), [2n ** 62n, null, -1n]);
  assert.deepEqual(built.column("l").numbers(), [2 ** 62, null, -1]);
  assert.deepEqual(built.column("s").texts(), ["æ", "", null]);
  assert.deepEqual(built.column("b").booleans(), [null, true, false]);
  assert.deepEqual(built.column("y").binaries(), [new Uint8Array([1, 2]), null, new Uint8Array(0)]);
  assert.equal(built.column("d").nullCount, 1);
  assert.equal(built.schema.field("d")?.nullable, true);
});

test("reading aligned values copies nothing, unaligned ones are copied", () => {
  const bytes = new Uint8Array(new Float32Array([1, 2, 3]).buffer);
  const aligned = new Column(field("x", "float32"), 3, { data: bytes, validity: null, offsets: null });
  assert.equal(aligned.values("float32").buffer, bytes.buffer);
  const shifted = new Uint8Array(13);
  shifted.set(bytes, 1);
  const data = shifted.subarray(1);
  const unaligned = new Column(field("x", "float32"), 3, { data, validity: null, offsets: null });
  assert.deepEqual([...unaligned.values("float32")], [1, 2, 3]);
  const edited = unaligned.edit("float32", (values) => values.fill(7));
  assert.deepEqual(edited.data, columnFrom(new Float32Array([7, 7, 7])).data);
});

test("a column of another type is refused by name", () => {
  const column = batch({ x: ["float32", [1]] }).column(0);
  const message = "the column is float32; float64 values are needed";
  assert.throws(() => column.values("float64"), { message, column: "x", code: "invalid-schema" });
  assert.throws(() => column.texts(), { column: "x" });
});

test("a block column gives all values but no rows", () => {
  const schema = new Schema([field("e", "float32", { width: 2 })]);
  const blocks = new Batch(schema, 2, [columnFrom(new Float32Array([1, 2, 3, 4]))]);
  assert.deepEqual([...blocks.column("e").values("float32")], [1, 2, 3, 4]);
  assert.throws(() => blocks.column("e").numbers(), {
    message: "the column holds 2 values a row; one is needed",
  });
});

test("texts are cut at bytes, also where characters are wider than one", () => {
  for (const texts of [
    ["a", "bc", ""],
    ["grüße", "日本", "🦀x"],
  ]) {
    const column = new Column(field("s", "utf8"), 3, columnOf("utf8", texts));
    assert.deepEqual(column.texts(), texts);
  }
});

test("bytes that are no UTF-8 are an error that names the row", () => {
  const buffers = columnOf("binary", [new Uint8Array([97]), new Uint8Array([0xff])]);
  const column = new Column(field("s", "utf8"), 2, buffers);
  assert.throws(() => column.texts(), { message: "the bytes are not UTF-8", column: "s", row: 1 });
});

test("the way through single characters decodes as the decoder does", () => {
  const text = "grüße, 日本 🦀 ";
  const wide = latin1(utf8.encode(text.repeat(2_000)));
  assert.equal(isAscii(wide), false);
  assert.equal(decodeURIComponent(escape(wide)), text.repeat(2_000));
});

test("offsets that do not fit the rows are refused", () => {
  const column = new Column(field("s", "utf8"), 3, columnOf("utf8", ["a"]));
  assert.throws(() => column.texts(), { message: "the column has 2 offsets for 3 rows", column: "s" });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { Reader, Writer } from "../src/index.ts";

test("the layout is a version byte, then little-endian numbers and counted bytes", () => {
  const bytes = new Writer(3)
    .u8(7)
    .u32(1)
    .u64(258n)
    .f64(-0.5)
    .bytes(new Uint8Array([97, 98]))
    .finish();
  assert.equal(
    Buffer.from(bytes).toString("hex"),
    "0307010000000201000000000000000000000000e0bf020000006162",
  );
});

test("what was written is read and every cut is an error", () => {
  const bytes = new Writer(3).u64(7).f64(-0.5).bytes(new Uint8Array(1_000).fill(9)).finish();
  const read = (from: Uint8Array) => {
    const reader = new Reader(from, 3);
    const values = [reader.u64(), reader.f64(), reader.bytes()];
    reader.finish();
    return values;
  };
  assert.deepEqual(read(bytes), [7n, -0.5, new Uint8Array(1_000).fill(9)]);
  for (let cut = 0; cut < bytes.length; cut++) {
    assert.throws(() => read(bytes.slice(0, cut)), { code: "bad-state" });
  }
  assert.throws(() => read(new Uint8Array([...bytes, 0])), { message: "the state has 1 bytes too many" });
  assert.throws(() => new Reader(bytes, 4), { message: "the state has version 3; version 4 is needed" });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Batch } from "@tiegel/plugin";
import { batch, fit, start, valuesOf } from "@tiegel/plugin/testing";
import { EXACT_VALUES_MAX } from "./histogram.ts";
import ClipOutliers from "./plugin.ts";

function clipped(config: object, train: Batch, input = train, name = "x") {
  return valuesOf(fit(ClipOutliers, [train], { config }).plugin.transform(input), name);
}

const hundred = Array.from({ length: 101 }, (_, i) => i);

/** Numbers that look random and are the same everywhere. */
function wave(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => Math.sin((from + i) * 12.9898) * 43_758.5453);
}

test("values beyond the quantiles are cut to them", () => {
  const train = batch({ x: ["float64", hundred] });
  const input = batch({ x: ["float64", [-5, 3, 50, 97, 1_000]] });
  assert.deepEqual(clipped({ lower: 0.05, upper: 0.95 }, train, input), [5, 5, 50, 95, 95]);
  assert.deepEqual(clipped({}, train, input), [1, 3, 50, 97, 99]);
});

test("deviations and quartiles give the bounds that their definitions give", () => {
  const train = batch({ x: ["float64", [2, 4, 4, 4, 5, 5, 7, 9]] });
  const input = batch({ x: ["float64", [-100, 5, 100]] });
  assert.deepEqual(clipped({ method: "sigma", k: 2 }, train, input), [1, 5, 9]);
  assert.deepEqual(clipped({ method: "iqr" }, train, input), [1.75, 5, 7.75]);
});

test("every number type keeps its type, whole numbers between whole bounds", () => {
  const input = batch({
    i: ["int32", [-100, 1, 2, 3, 100]],
    l: ["int64", [-100n, 1n, 2n, 3n, 100n]],
    u: ["uint8", [0, 1, 2, 3, 255]],
    f: ["float32", [-100, 1, 2, 3, 100]],
  });
  const { plugin } = fit(ClipOutliers, [input], { config: { lower: 0.2, upper: 0.8 } });
  const output = plugin.transform(input);
  assert.deepEqual(output.schema, input.schema);
  assert.deepEqual(valuesOf(output, "i"), [-19, 1, 2, 3, 22]);
  assert.deepEqual(valuesOf(output, "l"), [-19n, 1n, 2n, 3n, 22n]);
  assert.deepEqual(valuesOf(output, "u"), [1, 1, 2, 3, 53]);
  assert.deepEqual(valuesOf(output, "f"), [-19.200000762939453, 1, 2, 3, 22.399999618530273]);
});

test("nulls teach nothing and stay null, NaN stays NaN and infinities are cut", () => {
  const train = batch({ x: ["float64", [null, 1, 2, 3, null]] });
  const input = batch({ x: ["float64", [null, Number.NaN, Number.POSITIVE_INFINITY]] });
  assert.deepEqual(clipped({ lower: 0, upper: 1 }, train, input), [null, Number.NaN, 3]);
});

test("quantile states are the same however the rows are split and ordered", () => {
  const values = wave(0, 3_000);
  const part = (rows: number[]) => batch({ x: ["float64", rows] });
  const whole = fit(ClipOutliers, [part(values)]).state;
  assert.deepEqual(fit(ClipOutliers, [part(values.slice(0, 7)), part(values.slice(7))]).state, whole);
  assert.deepEqual(fit(ClipOutliers, [part([...values].reverse())]).state, whole);
});

test("many different values are binned: near, and independent of the split", () => {
  const values = wave(0, EXACT_VALUES_MAX + 5_000);
  const part = (rows: number[]) => batch({ x: ["float64", rows] });
  const { state } = fit(ClipOutliers, [part(values)]);
  for (const cut of [10, 30_000]) {
    assert.deepEqual(fit(ClipOutliers, [part(values.slice(0, cut)), part(values.slice(cut))]).state, state);
  }
  const sorted = [...values].sort((a, b) => a - b);
  const exact = sorted[Math.round((sorted.length - 1) * 0.99)] ?? 0;
  const high = new DataView(state.buffer).getFloat64(9, true);
  assert.ok(Math.abs(high / exact - 1) < 6e-4, `${high} for ${exact}`);
});

test("the same chunks give the same state with every method", () => {
  const chunks = [batch({ x: ["float64", wave(0, 999)] }), batch({ x: ["float64", wave(999, 1_500)] })];
  for (const method of ["quantile", "sigma", "iqr"]) {
    const once = fit(ClipOutliers, chunks, { config: { method } }).state;
    assert.deepEqual(fit(ClipOutliers, chunks, { config: { method } }).state, once, method);
  }
});

test("a loaded state cuts as the fitted one, and forged ones are refused", () => {
  const input = batch({ x: ["float64", wave(0, 200)] });
  const { plugin, state } = fit(ClipOutliers, [input]);
  const loaded = start(ClipOutliers, input.schema);
  loaded.load(state);
  assert.deepEqual(valuesOf(loaded.transform(input), "x"), valuesOf(plugin.transform(input), "x"));
  for (let cut = 0; cut < state.length; cut++) {
    assert.throws(() => start(ClipOutliers, input.schema).load(state.slice(0, cut)), { code: "bad-state" });
  }
  const swapped = new Uint8Array([state[0] ?? 0, ...state.slice(9), ...state.slice(1, 9)]);
  assert.throws(() => start(ClipOutliers, input.schema).load(swapped), { code: "bad-state" });
});

test("errors name column, row and setting", () => {
  const { schema } = batch({ x: ["float64", [1]] });
  const refused = (config: object, message: RegExp) => {
    assert.throws(() => start(ClipOutliers, schema, { config }), { message });
  };
  refused({ k: 2 }, /method 'quantile' has no `k`/);
  refused({ method: "iqr", lower: 0.1 }, /method 'iqr' has no `lower` and `upper`/);
  refused({ lower: 0.9, upper: 0.1 }, /the lower quantile 0.9 is above the upper one, 0.1/);
  refused({ method: "mad" }, /^config.method: "mad" is none of "quantile", "sigma", "iqr"$/);
  const infinite = batch({ x: ["float64", [1, Number.NEGATIVE_INFINITY]] });
  assert.throws(() => fit(ClipOutliers, [infinite]), { column: "x", row: 1 });
  const empty = batch({ x: ["float64", [null]] });
  assert.throws(() => fit(ClipOutliers, [empty]), {
    message: "the training rows hold no value",
    column: "x",
  });
  assert.throws(() => start(ClipOutliers, schema).transform(infinite), { code: "not-fitted" });
  assert.throws(() => fit(ClipOutliers, [batch({ s: ["utf8", ["a"]] })]), {
    code: "invalid-schema",
    column: "s",
  });
});

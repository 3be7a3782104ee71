import assert from "node:assert/strict";
import { test } from "node:test";
import { batch, start, valuesOf } from "@tiegel/plugin/testing";
import Clip from "./plugin.ts";

test("values above the maximum are cut, nulls stay", () => {
  const prices = batch({ price: ["float64", [1, 9, null]] });
  const clip = start(Clip, prices.schema, { config: { max: 5 } });
  assert.deepEqual(valuesOf(clip.transform(prices), "price"), [1, 5, null]);
});

test("a misspelt setting is named", () => {
  const { schema } = batch({ price: ["float64", [1]] });
  assert.throws(() => start(Clip, schema, { config: { maximum: 5 } }), {
    message: "config: unknown field 'maximum'; it knows max",
  });
});

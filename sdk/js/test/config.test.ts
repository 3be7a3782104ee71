import assert from "node:assert/strict";
import { test } from "node:test";
import { config } from "../src/index.ts";
import { check, checkSchema } from "../src/json_schema.ts";

const shape = config.object({
  max: config.number({ exclusiveMinimum: 0, description: "The largest." }),
  mode: config.oneOf(["fast", "exact"], { default: "fast" }),
  names: config.optional(config.array(config.string({ minLength: 2, pattern: "^[a-z]+$" }), { maxItems: 2 })),
  nested: config.optional(config.object({ on: config.boolean({ default: true }), n: config.integer() })),
  weights: config.record(config.number({ maximum: 1 }), { default: {} }),
});

test("the schema says what the shapes say", () => {
  assert.deepEqual(shape.schema.required, ["max"]);
  assert.deepEqual(shape.schema.properties?.mode, {
    type: "string",
    enum: ["fast", "exact"],
    default: "fast",
  });
  assert.equal(shape.schema.additionalProperties, false);
});

test("defaults are filled in at every depth and the given object stays as it was", () => {
  const given = { max: 1, nested: { n: 2 } };
  assert.deepEqual(check(shape.schema, given), {
    max: 1,
    mode: "fast",
    nested: { n: 2, on: true },
    weights: {},
  });
  assert.deepEqual(given, { max: 1, nested: { n: 2 } });
});

test("every refusal names the place", () => {
  const refusals: [unknown, string][] = [
    [[], "config: [] is no object"],
    [{}, "config: field 'max' is missing"],
    [{ max: "1" }, 'config.max: "1" is no number'],
    [{ max: 0 }, "config.max: 0 is not more than 0"],
    [{ max: 1, mode: "slow" }, 'config.mode: "slow" is none of "fast", "exact"'],
    [{ max: 1, names: ["ab", "c"] }, 'config.names[1]: "c" is shorter than 2 characters'],
    [{ max: 1, names: ["a1"] }, 'config.names[0]: "a1" does not match ^[a-z]+$'],
    [{ max: 1, names: ["ab", "cd", "ef"] }, "config.names: it has 3 items; at most 2 are allowed"],
    [{ max: 1, nested: { n: 1.5 } }, "config.nested.n: 1.5 is no integer"],
    [{ max: 1, weights: { a: 2 } }, "config.weights.a: 2 is more than 1"],
    [{ max: 1, toString: 1 }, "config: unknown field 'toString'; it knows max, mode, names, nested, weights"],
  ];
  for (const [value, message] of refusals) {
    assert.throws(() => check(shape.schema, value), { code: "invalid-config", message });
  }
});

test("a keyword that would not be checked is refused", () => {
  const schema = { type: "object", properties: { a: { oneOf: [] } } } as const;
  assert.throws(() => checkSchema(schema as never), { message: /config schema.a: the keyword 'oneOf'/ });
});

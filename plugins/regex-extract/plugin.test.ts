import assert from "node:assert/strict";
import { test } from "node:test";
import { batch, start, valuesOf } from "@tiegel/plugin/testing";
import RegexExtract from "./plugin.ts";

const lines = batch({
  line: [
    "utf8",
    ["10.0.0.1 GET 200 512", "nonsense", null, "hôte PUT 404 -", "h GET 200 99999999999999999999"],
  ],
});
const LOG = "^(?<host>\\S+) (?<verb>GET|PUT) (?<status>\\d{3}) (?<bytes>\\d+|-)$";

function extract(config: object, input = lines) {
  return start(RegexExtract, input.schema, { config }).transform(input);
}

test("each named group becomes a column of its type, in the order of the pattern", () => {
  const output = extract({ pattern: LOG, types: { status: "int64", bytes: "int64" } });
  assert.deepEqual(
    output.schema.fields.map(({ name, dtype, nullable }) => [name, dtype, nullable]),
    [
      ["host", "utf8", true],
      ["verb", "utf8", true],
      ["status", "int64", true],
      ["bytes", "int64", true],
    ],
  );
  assert.deepEqual(valuesOf(output, "host"), ["10.0.0.1", null, null, "hôte", "h"]);
  assert.deepEqual(valuesOf(output, "status"), [200n, null, null, 404n, 200n]);
});

test("a text that is not of its type is null, or an error that names column and row", () => {
  const config = { pattern: LOG, types: { bytes: "int64" } };
  assert.deepEqual(valuesOf(extract(config), "bytes"), [512n, null, null, null, null]);
  assert.throws(() => extract({ ...config, invalid: "error" }), {
    message: '"-" is no int64',
    column: "line",
    row: 3,
  });
});

test("numbers and booleans are read whole or not at all", () => {
  const input = batch({ s: ["utf8", ["1.5e3", "-.5", "1.", "1e999", "0x10", "TRUE", "false", " 1"]] });
  const float = extract({ pattern: "^(?<v>.*)$", types: { v: "float64" } }, input);
  assert.deepEqual(valuesOf(float, "v"), [1500, -0.5, 1, null, null, null, null, null]);
  const boolean = extract({ pattern: "^(?<v>.*)$", types: { v: "boolean" } }, input);
  assert.deepEqual(valuesOf(boolean, "v"), [null, null, null, null, null, true, false, null]);
});

test("a group that took no part in the match is null", () => {
  const input = batch({ s: ["utf8", ["a", "b"]] });
  const output = extract({ pattern: "(?<a>a)|(?<b>b)" }, input);
  assert.deepEqual(valuesOf(output, "a"), ["a", null]);
  assert.deepEqual(valuesOf(output, "b"), [null, "b"]);
});

test("flags change what matches", () => {
  const input = batch({ s: ["utf8", ["A\nb"]] });
  assert.deepEqual(valuesOf(extract({ pattern: "(?<v>a.b)" }, input), "v"), [null]);
  assert.deepEqual(
    valuesOf(extract({ pattern: "(?<v>a.b)", ignore_case: true, dot_all: true }, input), "v"),
    ["A\nb"],
  );
  assert.deepEqual(valuesOf(extract({ pattern: "^(?<v>b)$", multiline: true }, input), "v"), ["b"]);
});

test("wrong configs and columns are refused by name", () => {
  const refused = (config: object, message: RegExp) => assert.throws(() => extract(config), { message });
  refused({}, /^config: field 'pattern' is missing$/);
  refused({ pattern: "(?<a>" }, /^config.pattern: /);
  refused({ pattern: "\\d+" }, /has no named group/);
  refused({ pattern: "(?<a>.)", types: { b: "int64" } }, /the pattern has no group 'b'; it has a$/);
  refused({ pattern: "(?<a>.)", types: { a: "date" } }, /^config.types.a: "date" is none of /);
  refused({ pattern: "x".repeat(1_001) }, /longer than 1000 characters/);
  const numbers = batch({ x: ["int32", [1]] });
  assert.throws(() => extract({ pattern: "(?<a>.)" }, numbers), { code: "invalid-schema", column: "x" });
});

test("a text over the limit is an error that names its row", () => {
  const input = batch({ s: ["utf8", ["a", "aaaa"]] });
  const error = { message: "the text has 4 characters; at most 3 are matched", column: "s", row: 1 };
  assert.throws(() => extract({ pattern: "(?<v>a)", max_chars: 3 }, input), error);
});

test("any split of the rows gives the same values", () => {
  const config = { pattern: "(?<v>\\d+)", types: { v: "int64" } };
  const texts = Array.from({ length: 50 }, (_, i) => (i % 7 === 0 ? null : `row ${i}`));
  const whole = extract(config, batch({ s: ["utf8", texts] }, { nullable: true }));
  const parts = [texts.slice(0, 13), texts.slice(13, 14), texts.slice(14)].flatMap((part) =>
    valuesOf(extract(config, batch({ s: ["utf8", part] }, { nullable: true })), "v"),
  );
  assert.deepEqual(parts, valuesOf(whole, "v"));
});

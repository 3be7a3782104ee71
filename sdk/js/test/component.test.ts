import assert from "node:assert/strict";
import { test } from "node:test";
import {
  artifact,
  type Batch,
  type Buffers,
  columnOf,
  config,
  field,
  log,
  type Payload,
  RequestProcessor,
  type Rows,
  random,
  Schema,
  type Tensor,
  Transform,
} from "../src/index.ts";
import { batch, start, valuesOf } from "../src/testing.ts";

const numbers = batch({ x: ["float64", [1, 2, 3]] });

/** Does what its config says. */
class Actor extends Transform<{ act: string }> {
  static override readonly config = config.object({ act: config.string() });

  #act = "";

  configure({ act }: { act: string }): void {
    this.#act = act;
  }

  output(): Schema {
    return new Schema([field("y", "float64")]);
  }

  transform(input: Batch): Buffers[] | Rows {
    switch (this.#act) {
      case "bug":
        return (undefined as unknown as { missing(): Buffers[] }).missing();
      case "text":
        throw "just a text";
      case "short":
        return [columnOf("float64", [1])];
      case "null":
        return [columnOf("float64", [null, 1, 2])];
      case "none":
        return [];
      case "fewer":
        return { rows: 1, columns: [columnOf("float64", [1])] };
      case "log":
        log.warn("seen", { rows: input.rows });
        return [columnOf("float64", [random(), random(), artifact("words").length])];
      default:
        throw new Error("no such act");
    }
  }
}

const act = (name: string, more = {}) => start(Actor, numbers.schema, { config: { act: name }, ...more });

test("a bug becomes an internal error with its place, and its stack is logged", () => {
  const bug = act("bug");
  assert.throws(() => bug.transform(numbers), {
    code: "internal",
    message: /^TypeError: .*missing.*, at .*transform/,
  });
  assert.equal(bug.logs[0]?.level, "error");
  assert.match(bug.logs[0]?.message ?? "", /TypeError.*\n(.*\n)*\s*at /);
  assert.throws(() => act("text").transform(numbers), { message: "the plugin threw just a text" });
});

test("the harness refuses answers that the host would refuse", () => {
  const refusals: [string, RegExp][] = [
    ["short", /column 'y': its data has 8 bytes; 24 are needed for 3 rows/],
    ["null", /column 'y': row 0 is null, though it is declared without nulls/],
    ["none", /0 columns were answered; the output schema has 1/],
    ["fewer", /answered 1 rows for 3/],
  ];
  for (const [name, message] of refusals) assert.throws(() => act(name).transform(numbers), { message });
});

test("logs, random numbers and artifacts come from the host", () => {
  const words = new Uint8Array((1 << 20) + 5);
  const draws = [2n ** 64n - 1n, 0n];
  const actor = act("log", { artifacts: { words }, random: () => draws.shift() ?? 0n });
  assert.deepEqual(valuesOf(actor.transform(numbers), "y"), [1 - 2 ** -53, 0, words.length]);
  assert.deepEqual(actor.logs, [{ level: "warn", message: "seen", fields: { rows: "3" } }]);
  assert.throws(() => act("log").transform(numbers), { message: "no artifact 'words' was granted" });
});

/** Holds all rows back and answers them at the end, in reverse. */
class Reverse extends Transform {
  static override readonly rowWise = false;

  #seen: (number | null)[] = [];
  #columns = new Schema([]);

  configure(_config: unknown, input: Schema): void {
    this.#columns = input;
  }

  output(): Schema {
    return this.#columns;
  }

  transform(input: Batch): Rows {
    this.#seen.push(...input.column(0).numbers());
    return { rows: 0, columns: [columnOf("float64", [])] };
  }

  override flush(): Rows | null {
    if (this.#seen.length === 0) return null;
    const values = this.#seen.reverse();
    this.#seen = [];
    return { rows: values.length, columns: [columnOf("float64", values)] };
  }
}

test("rows may be held back until flush", () => {
  const reverse = start(Reverse, numbers.schema);
  assert.equal(reverse.transform(numbers).rows, 0);
  const flushed = reverse.flush();
  assert.ok(flushed);
  assert.deepEqual(valuesOf(flushed, "x"), [3, 2, 1]);
  assert.equal(reverse.flush(), null);
});

class Echo extends RequestProcessor {
  configure(): void {}

  preprocess({ body }: Payload): Tensor[] {
    return [{ name: "bytes", dtype: "uint8", shape: [body.length], data: body }];
  }

  postprocess(outputs: Tensor[], accept: string): Payload {
    return { contentType: accept, body: outputs[0]?.data ?? new Uint8Array(0), params: [] };
  }
}

test("a request processor turns bodies into tensors and back, and is no transform", () => {
  const echo = start(Echo, new Schema([]));
  const body = new Uint8Array([1, 2]);
  const tensors = echo.preprocess({ contentType: "a/b", body, params: [] });
  assert.deepEqual(tensors, [{ name: "bytes", dtype: "uint8", shape: [2], data: body }]);
  assert.deepEqual(echo.postprocess(tensors, "c/d"), { contentType: "c/d", body, params: [] });
  assert.throws(() => echo.transform(numbers), { code: "unsupported" });
});

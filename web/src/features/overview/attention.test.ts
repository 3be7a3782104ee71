import { expect, test } from "vitest";
import type { Endpoint, Job } from "../../api/queries";
import { concerns } from "./attention";
import { emptyOverview } from "./sample";

const job = (target: string, state: Job["state"], created_ms: number, error: string | null = null): Job => ({
  id: `${target}-${created_ms}`,
  target,
  state,
  created_ms,
  steps_done: 2,
  steps_total: 5,
  error,
});

const endpoint = (over: Partial<Endpoint>): Endpoint => ({
  name: "late",
  state: "ready",
  model: "delay",
  ...over,
});

test("a quiet project has no concerns", () => {
  const overview = {
    ...emptyOverview(),
    endpoints: [endpoint({ live_version: 1 })],
    jobs: [job("a", "succeeded", 1)],
  };
  expect(concerns(overview)).toEqual([]);
});

test("a failed job counts until a later one of the same target succeeds", () => {
  const failed = job("training/delay", "failed", 1, "step features: out of memory");
  expect(concerns({ ...emptyOverview(), jobs: [failed] }).map((c) => c.what)).toEqual([
    "step features: out of memory",
  ]);
  expect(concerns({ ...emptyOverview(), jobs: [job("training/delay", "succeeded", 2), failed] })).toEqual([]);
});

test("a job that failed without a message says how far it came", () => {
  const [concern] = concerns({ ...emptyOverview(), jobs: [job("training/delay", "failed", 1)] });
  expect(concern?.what).toBe("its last job failed after 2 of 5 steps");
});

test("a refused endpoint comes first and says what serves", () => {
  const refused = endpoint({
    state: "refused",
    live_version: 3,
    replay: { rows: 10, passed: false, max_prediction_difference: 0.2 },
  });
  const found = concerns({ ...emptyOverview(), endpoints: [refused], jobs: [job("a", "failed", 1)] });
  expect(found.map((c) => c.subject)).toEqual(["endpoint/late", "a"]);
  expect(found[0]?.what).toBe("the skew replay found a difference; version 3 keeps serving");
});

test("failing tests of a dataset are counted", () => {
  const dataset = {
    name: "flights",
    version: 1,
    rows: 1,
    columns: 1,
    bytes: 1,
    digest: "sha256:00",
    created_ms: 0,
    tests_passed: 4,
    tests_total: 5,
  };
  expect(concerns({ ...emptyOverview(), datasets: [dataset] })[0]?.what).toBe("1 of 5 tests fail");
});

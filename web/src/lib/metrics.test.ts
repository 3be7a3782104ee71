import { expect, test } from "vitest";
import { bestOf, better, metricColumns, metricParts } from "./metrics";

const runs = [
  { metrics: { train_loss: 0.4, validation_auc: 0.71, test_auc: 0.7, epochs: 8 } },
  { metrics: { train_loss: 0.5, validation_auc: 0.72 } },
];

test("the way of a metric is told by its name", () => {
  expect([better("test_log_loss"), better("validation.auc"), better("epochs")]).toEqual([
    "lower",
    "higher",
    undefined,
  ]);
});

test("what was measured on the test split comes first and training last", () => {
  expect(metricColumns(runs, 9)).toEqual(["test_auc", "validation_auc", "epochs", "train_loss"]);
  expect(metricColumns(runs, 2)).toEqual(["test_auc", "validation_auc"]);
});

test("the best is marked only where runs differ and better is known", () => {
  expect(bestOf(runs, "train_loss")).toBe(0.4);
  expect(bestOf(runs, "validation_auc")).toBe(0.72);
  expect(bestOf(runs, "test_auc")).toBeUndefined();
  expect(bestOf(runs, "epochs")).toBeUndefined();
});

test("a metric's name is told apart into split and measure", () => {
  expect(metricParts("test_log_loss")).toEqual({ split: "test", measure: "log loss" });
  expect(metricParts("val/auc")).toEqual({ split: "validation", measure: "auc" });
  expect(metricParts("learning_rate")).toEqual({ split: undefined, measure: "learning rate" });
  expect(metricParts("test")).toEqual({ split: undefined, measure: "test" });
});

import { expect, test } from "vitest";
import { firstCommands, predictCommand } from "./commands";

test("a prediction is asked of the address that the page came from", () => {
  expect(predictCommand("late", "https://ml.example.com")).toBe(
    `curl https://ml.example.com/api/v1/endpoints/late/predict \\\n  -d '{"rows":[{"COLUMN":"VALUE"}]}'`,
  );
});

test("an empty project shows apply, run and predict, in this order", () => {
  const texts = firstCommands("http://localhost:8484").map(({ text }) => text);
  expect(texts.map((text) => text.split(" ").slice(0, 2).join(" "))).toEqual([
    "tiegel apply",
    "tiegel run",
    "curl http://localhost:8484/api/v1/endpoints/NAME/predict",
  ]);
});

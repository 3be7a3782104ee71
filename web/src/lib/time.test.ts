import { describe, expect, test } from "vitest";
import { absoluteTime, duration, relativeTime } from "./time";

const NOW = Date.UTC(2026, 10, 23, 12, 0, 0);
const ago = (ms: number) => relativeTime(NOW - ms, NOW);

describe("relativeTime", () => {
  test("names the largest whole unit", () => {
    expect([1_000, 12_999, 61_000, 3_600_000, 86_400_000 * 2].map(ago)).toEqual([
      "just now",
      "12 s ago",
      "1 min ago",
      "1 h ago",
      "2 d ago",
    ]);
  });

  test("takes a clock that is ahead for now", () => {
    expect(ago(-5_000)).toBe("just now");
  });

  test("becomes a date after a month", () => {
    expect(ago(86_400_000 * 30)).toBe("30 d ago");
    expect(ago(86_400_000 * 31)).toBe("2026-10-23");
  });
});

test("absoluteTime says the zone", () => {
  expect(absoluteTime(NOW, "en-US", "UTC")).toBe("Nov 23, 2026, 12:00:00 PM UTC");
});

test("duration keeps two units at most and never rounds up to 60", () => {
  expect(
    [8.4, 999, 1_449, 9_960, 42_400, 59_700, 185_000, 3_599_400, 7_620_000, 273_600_000].map(duration),
  ).toEqual([
    "8 ms",
    "999 ms",
    "1.4 s",
    "10 s",
    "42 s",
    "1 min 00 s",
    "3 min 05 s",
    "59 min 59 s",
    "2 h 07 min",
    "3 d 4 h",
  ]);
});

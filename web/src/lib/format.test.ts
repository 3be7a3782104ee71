import { expect, test } from "vitest";
import { bytes, compactCount, count, metric, plural, shortId } from "./format";

test("counts have separators, compact ones at most four figures", () => {
  expect(count(336_776)).toBe("336,776");
  expect([942, 9_412, 336_776, 1_234_567].map(compactCount)).toEqual(["942", "9.4k", "336.8k", "1.2M"]);
});

test("bytes go over to the next unit before they show 1024", () => {
  expect([0, 512, 1_023, 1_024, 4_300, 1_048_165, 32_505_856].map(bytes)).toEqual([
    "0 B",
    "512 B",
    "1023 B",
    "1.0 KiB",
    "4.2 KiB",
    "1.0 MiB",
    "31 MiB",
  ]);
});

test("metrics keep four figures that matter", () => {
  expect([0.71234, 1, 12.4, 1234.5, -0.5, 0, 3.1e-8, 2.5e9].map(metric)).toEqual([
    "0.7123",
    "1",
    "12.40",
    "1235",
    "−0.5000",
    "0",
    "3.1e−8",
    "2.5e9",
  ]);
  expect([Number.NaN, Number.NEGATIVE_INFINITY].map(metric)).toEqual(["NaN", "−∞"]);
});

test("one is singular", () => {
  expect([0, 1, 2].map((n) => plural(n, "row"))).toEqual(["0 rows", "1 row", "2 rows"]);
  expect(plural(2, "entry", "entries")).toBe("2 entries");
});

test("an id is cut to what a person compares", () => {
  expect(shortId("sha256:0123456789abcdef")).toBe("0123456789ab");
});

"""Writes the vectors of `standardize`: moments as exact fractions, outputs by the plugin's formula in IEEE arithmetic.

A float32 operation is done in float64 and rounded once more, which gives the correctly rounded float32 for sums,
differences and products of float32: float64 has more than twice as many digits.
"""

from __future__ import annotations

import json
import math
import pathlib
import re
import struct
from fractions import Fraction
from typing import Any

FOLDER = pathlib.Path(__file__).resolve().parent / "standardize"

STATE_VERSION = 1

Value = float | int | None
Batch = list[list[Value]]
"""The values of each column."""


def field(name: str, dtype: str, nullable: bool = False) -> dict[str, Any]:
    return {"name": name, "dtype": dtype, "nullable": nullable, "width": 1}


def single(x: float) -> float:
    """The nearest float32; beyond the largest one, an infinity."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", x))[0])
    except OverflowError:
        return math.copysign(math.inf, x)


def text(value: Value) -> str | None:
    return None if value is None else repr(value).replace("inf", "Infinity")


def batch_json(batch: Batch) -> dict[str, Any]:
    return {"rows": len(batch[0]), "columns": [[text(value) for value in column] for column in batch]}


class Moments:
    """Count, mean and sum of squared deviations, without any rounding."""

    def __init__(self, values: list[Value]) -> None:
        exact = [Fraction(value) for value in values if value is not None]
        self.count = len(exact)
        self.mean = sum(exact) / self.count if exact else Fraction(0)
        self.m2 = sum(((x - self.mean) ** 2 for x in exact), Fraction(0))
        self.largest = max((abs(x) for x in exact), default=Fraction(0))

    def fields(self, name: str) -> list[dict[str, str]]:
        largest, count, m2 = float(self.largest), self.count, float(self.m2)
        # Rounding while means are added up and while chunks are merged.
        mean_tolerance = 1e-12 * largest
        m2_tolerance = 1e-10 * m2 + 1e-13 * largest * math.sqrt(m2 * count) + count * (1e-12 * largest) ** 2
        return [
            {"name": f"{name}.count", "type": "u64", "value": str(count)},
            {"name": f"{name}.mean", "type": "f64", "value": repr(float(self.mean)), "tolerance": repr(mean_tolerance)},
            {"name": f"{name}.m2", "type": "f64", "value": repr(m2), "tolerance": repr(m2_tolerance)},
        ]

    def bytes(self) -> bytes:
        return struct.pack("<Qdd", self.count, float(self.mean), float(self.m2))

    def scale(self) -> float:
        deviation = math.sqrt(float(self.m2) / self.count)
        return 0.0 if deviation <= abs(float(self.mean)) * 1e-12 else 1.0 / deviation


def scaled(moments: Moments, dtype: str, x: Value) -> float:
    if x is None:
        return 0.0
    mean, scale = float(moments.mean), moments.scale()
    if dtype != "float32":
        return single((float(x) - mean) * scale)
    high = single(mean)
    low = single(mean - high)
    return single(single(single(x - high) - low) * single(scale))


def column_json(moments: Moments, dtype: str, values: list[Value], nulls: str) -> dict[str, Any]:
    data = b"".join(struct.pack("<f", scaled(moments, dtype, x)) for x in values)
    bits = sum((x is not None) << row for row, x in enumerate(values))
    has_nulls = nulls == "keep" and None in values
    validity = bits.to_bytes((len(values) + 7) // 8, "little").hex() if has_nulls else None
    return {"data": data.hex(), "validity": validity}


def case(
    about: str, schema: list[dict[str, Any]], chunks: list[list[Batch]], rows: list[Batch], nulls: str | None = None
) -> dict[str, Any]:
    """Fits the chunks and transforms the rows with the exact state."""
    every = [[x for chunk in chunks for batch in chunk for x in batch[i]] for i in range(len(schema))]
    moments = [Moments(values) for values in every]
    state = bytes([STATE_VERSION]) + b"".join(m.bytes() for m in moments)
    kept = nulls or "keep"
    output = [field(f["name"], "float32", f["nullable"] and kept == "keep") for f in schema]
    answers = [
        {
            "rows": len(batch[0]),
            "columns": [
                column_json(m, f["dtype"], x, kept) for m, f, x in zip(moments, schema, batch, strict=True)
            ],
        }
        for batch in rows
    ]
    fields = [one for m, f in zip(moments, schema, strict=True) for one in m.fields(f["name"])]
    return {
        "about": about,
        "schema": schema,
        "config": {} if nulls is None else {"nulls": nulls},
        "fit": {
            "chunks": [[batch_json(batch) for batch in chunk] for chunk in chunks],
            "state": [{"name": "version", "type": "u8", "value": str(STATE_VERSION)}, *fields],
        },
        "transform": {
            "state": state.hex(),
            "state_version": STATE_VERSION,
            "batches": [batch_json(batch) for batch in rows],
            "output": {"schema": output, "batches": answers},
        },
    }


def error(code: str, column: str | None = None, row: int | None = None) -> dict[str, Any]:
    return {"code": code, "column": column, "row": row}


def refused_fit(about: str, schema: list[dict[str, Any]], chunk: list[Batch], why: dict[str, Any]) -> dict[str, Any]:
    chunks = [[batch_json(batch) for batch in chunk]]
    return {"about": about, "schema": schema, "config": {}, "fit": {"chunks": chunks, "error": why}}


def refused_state(about: str, state: bytes) -> dict[str, Any]:
    transform = {"state": state.hex(), "state_version": STATE_VERSION, "batches": [], "error": error("bad-state")}
    return {"about": about, "schema": [field("x", "float64")], "config": {}, "transform": transform}


def wave(count: int, step: float, size: float, shift: float) -> list[Value]:
    """Numbers without a pattern that a mistake in the order of rows would hide behind."""
    return [((i * 7919) % 1009) * step % size + shift for i in range(count)]


def singles(values: list[Value]) -> list[Value]:
    return [None if x is None else single(x) for x in values]


def fitted_cases() -> dict[str, dict[str, Any]]:
    x32, x64 = [field("x", "float32", True)], [field("x", "float64", True)]
    holes: list[Value] = [1.0, None, 3.0, None, None, 8.0, -0.0, 2.5, None, 4.0]
    big = singles([3.0e38, -3.0e38, 1.0e38, -1.0e38, 0.0, 1e-45])
    ids = [2**63 - 1, -(2**63), 2**53 + 1, -(2**53) - 1, 0, 7]
    parts = singles(wave(1_400, 0.37, 11.0, 1_000.0))
    cut = [parts[:1], parts[1:1_025], parts[1_025:1_025], parts[1_025:1_300], parts[1_300:]]
    near: list[Value] = [1e9 + i / 8 for i in range(100)]
    return {
        "float32": case(
            "float32 without nulls; the mean needs more digits than float32 has",
            [field("x", "float32")],
            [[[singles(wave(100, 0.731, 9.0, 16_777_216.0))]]],
            [[singles([16_777_216.0, 16_777_218.0, -1.0, 0.1])]],
        ),
        "float64": case("float64, rounded to float32 once", x64, [[[wave(77, 0.31, 7.0, -3.0)]]], [[[0.1, -0.0, 1e300]]]),
        "int64": case("int64 that float64 cannot hold exactly", [field("x", "int64")], [[[list(ids)]]], [[[*ids, -1]]]),
        "small-integers": case(
            "columns of several integer types are fitted apart",
            [field("a", "int8"), field("b", "uint8", True), field("c", "int32"), field("d", "uint64")],
            [[[[-128, 127, 5], [255, None, 0], [-(2**31), 2**31 - 1, 9], [2**64 - 1, 0, 1]]]],
            [[[1, -1], [None, 200], [0, 1], [2**64 - 1, 12]]],
        ),
        "nulls-kept": case("a null teaches nothing and stays null, with zero in its place", x32, [[[holes]]], [[holes]]),
        "nulls-to-mean": case(
            "a null becomes the mean, and the output has no nulls",
            [*x32, field("y", "float64", True)],
            [[[holes, holes]]],
            [[holes, holes]],
            nulls="mean",
        ),
        "constant": case(
            "a constant column becomes zero, with the sign of the difference",
            [field("x", "float64"), field("y", "float32")],
            [[[[0.1] * 7, [0.0] * 7]], [[[0.1] * 5, [0.0] * 5]]],
            [[[0.1, 0.2, 0.0], [0.0, 1.0, -1.0]]],
        ),
        "extreme": case("the largest and the smallest float32", [field("x", "float32")], [[[big]]], [[big]]),
        "overflow": case(
            "a row far beyond the training rows overflows float32",
            [field("x", "float64")],
            [[[[1e-3, 2e-3, 3e-3]]]],
            [[[1e38, -1e38, 2e-3]]],
        ),
        "one-row": case("one row has no deviation", x32, [[[[4.25]]]], [[[4.25]], [[4.0]], [[None]]]),
        "empty-batches": case(
            "batches without rows before, between and after", x32, [[[[]], [[1.0, 5.0]], [[]]], [[[]]]], [[[]], [[3.0]]]
        ),
        "chunks": case("chunks of unequal length, merged in order", x32, [[[c]] for c in cut], [[parts[:9]]]),
        "batches": case("several batches in a chunk", x64, [[[near[:33]], [near[33:34]], [near[34:]]]], [[near[:9]]]),
        "far-from-zero": case(
            "chunks whose values lie close together, far from zero", x64, [[[near[:10]]], [[near[10:]]]], [[near[:17]]]
        ),
    }


def refused_cases() -> dict[str, dict[str, Any]]:
    x = [field("x", "float64", True)]
    state = bytes([STATE_VERSION]) + struct.pack("<Qdd", 3, 2.0, 2.0)
    of_state = {
        "refused-state-version": ("a state of another version", b"\x02" + state[1:]),
        "refused-state-short": ("a state that ends early", state[:-1]),
        "refused-state-long": ("a state with bytes left over", state + b"\0"),
        "refused-state-negative": ("a negative variance", b"\x01" + struct.pack("<Qdd", 3, 2.0, -1.0)),
    }
    return {
        "refused-infinity": refused_fit(
            "an infinite value is named by column and row",
            [field("ok", "int32"), *x],
            [[[1, 2], [1.0, 2.0]], [[1, 2, 3], [1.0, None, -math.inf]]],
            error("invalid-input", "x", 2),
        ),
        "refused-no-value": refused_fit("nothing to learn from", x, [[[None, None]]], error("invalid-input", "x")),
        "refused-text": {
            "about": "text is no number",
            "schema": [field("s", "utf8")],
            "config": {},
            "error": error("invalid-schema", "s"),
        },
        "refused-config": {
            "about": "a misspelt key",
            "schema": x,
            "config": {"null": "keep"},
            "error": error("invalid-config"),
        },
        **{name: refused_state(about, state) for name, (about, state) in of_state.items()},
    }


def cases() -> dict[str, dict[str, Any]]:
    return fitted_cases() | refused_cases()


def serialised(vector: dict[str, Any]) -> str:
    """JSON with each list of values on a line of its own, as people read it."""
    spread = json.dumps(vector, indent=1)
    values = re.compile(r"\[\s+((?:\"[^\"]*\"|null)(?:,\s+(?:\"[^\"]*\"|null))*)\s+\]")
    return values.sub(lambda found: "[" + re.sub(r"\s+", " ", found[1]) + "]", spread) + "\n"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, vector in cases().items():
        (FOLDER / f"{name}.json").write_text(serialised(vector))


if __name__ == "__main__":
    main()

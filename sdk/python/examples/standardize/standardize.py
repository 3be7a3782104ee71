"""`(x - mean) / standard deviation` for every number column, as float32: the Python twin of `plugins/standardize`.

The same state gives the same output bytes as the Rust plugin's; both pass `sdk/vectors/standardize`.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal

from tiegel.plugin import (
    BadState,
    Batch,
    Column,
    Estimator,
    Field,
    InvalidInput,
    InvalidSchema,
    Reader,
    Schema,
    Writer,
)

VERSION = 1


@dataclass
class Config:
    nulls: Annotated[Literal["keep", "mean"], "A null stays null, or becomes the mean, which is 0."] = "keep"


@dataclass
class Moments:
    """Count, mean and sum of squared deviations; merged by Chan, Golub and LeVeque (1979)."""

    count: int = 0
    mean: float = 0.0
    m2: float = 0.0

    @staticmethod
    def of(values: list[float]) -> Moments:
        if not values:
            return Moments()
        mean = math.fsum(values) / len(values)
        return Moments(len(values), mean, math.fsum((x - mean) * (x - mean) for x in values))

    def merge(self, other: Moments) -> None:
        if other.count == 0:
            return
        count = self.count + other.count
        delta, share = other.mean - self.mean, other.count / count
        self.m2 += other.m2 + delta * delta * share * self.count
        self.mean += delta * share
        self.count = count

    def scale(self) -> float:
        deviation = math.sqrt(self.m2 / self.count)
        # Rounding leaves a constant column a tiny deviation: below a millionth of a millionth of the mean it is 0.
        return 0.0 if deviation <= abs(self.mean) * 1e-12 else 1.0 / deviation


class Standardize(Estimator[Config]):
    """Every number column becomes float32 with mean 0 and variance 1. A constant column becomes 0."""

    preferred_rows = 4_096

    def configure(self) -> None:
        for field in self.input:
            if not field.is_number or field.dtype in ("float16", "bfloat16"):
                raise InvalidSchema(f"standardize reads single integers and floats, not {field}", column=field.name)
        self.seen = [Moments() for _ in self.input]

    def output(self) -> Schema:
        keep = self.config.nulls == "keep"
        return Schema(Field(field.name, "float32", nullable=field.nullable and keep) for field in self.input)

    def partial_fit(self, batch: Batch, target: Column | None) -> None:
        for seen, column in zip(self.seen, batch, strict=True):
            seen.merge(moments_of(column))
            if not math.isfinite(seen.m2):
                raise not_finite(column)

    def partial(self) -> bytes:
        writer = Writer(VERSION)
        for seen in self.seen:
            writer.u64(seen.count)
            writer.f64(seen.mean)
            writer.f64(seen.m2)
        return writer.finish()

    def merge(self, partial: bytes) -> None:
        reader = Reader(partial, VERSION)
        for seen in self.seen:
            other = Moments(reader.u64(), reader.f64(), reader.f64())
            if not (math.isfinite(other.mean) and math.isfinite(other.m2) and other.m2 >= 0.0):
                raise BadState("the state holds a mean or variance that is not a number")
            seen.merge(other)
        reader.finish()

    def fitted(self) -> None:
        for seen, field in zip(self.seen, self.input, strict=True):
            if seen.count == 0:
                raise InvalidInput("the training rows hold no value", column=field.name)
        self.scaling = [(seen.mean, seen.scale()) for seen in self.seen]

    def transform(self, batch: Batch) -> list[Column]:
        return [self.scaled(column, *scaling) for column, scaling in zip(batch, self.scaling, strict=True)]

    def scaled(self, column: Column, mean: float, scale: float) -> Column:
        if column.dtype == "float32":
            values = center_scale(column.values, mean, scale)
        else:
            values = array("f", ((x - mean) * scale for x in map(float, column.values)))
        # A null's place holds arbitrary bytes: zeroing it keeps the same rows at the same bytes.
        if column.null_count:
            for row in range(column.rows):
                if column.is_null(row):
                    values[row] = 0.0
        return Column.wrap("float32", values, validity=column.validity if self.config.nulls == "keep" else None)


def moments_of(column: Column) -> Moments:
    values = [x for x in column.numbers() if x is not None]
    try:
        return Moments.of(values)
    except (OverflowError, ValueError):
        # What fsum says of infinities and of sums that float64 cannot hold.
        return Moments(len(values), 0.0, math.inf)


def not_finite(column: Column) -> InvalidInput:
    for row, x in enumerate(column.numbers()):
        if x is not None and not math.isfinite(x):
            return InvalidInput("a value is not finite; filter or impute it first", column=column.name, row=row)
    return InvalidInput("the values are too far apart for a variance", column=column.name)


def center_scale(values: Iterable[float], mean: float, scale: float) -> array[float]:
    """(x - mean) * scale in float32, whose every step an array rounds to.

    The mean is the sum of two float32, so that values near a large mean keep all their digits.
    """
    high = array("f", [mean])[0]
    low = array("f", [mean - high])[0]
    factor = array("f", [scale])[0]
    centered = array("f", (x - high for x in values))
    centered = array("f", (x - low for x in centered))
    return array("f", (x * factor for x in centered))

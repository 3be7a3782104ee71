import math
from dataclasses import dataclass
from typing import Annotated

from tiegel.plugin import (
    Batch,
    Column,
    Estimator,
    InvalidInput,
    InvalidSchema,
    Reader,
    Schema,
    Writer,
    column,
)

VERSION = 1


@dataclass
class Config:
    limit: Annotated[float, "The largest absolute value in the training rows becomes this."] = 1.0


class Plugin(Estimator[Config]):
    """Divides every float64 column by its largest absolute value in the training rows."""

    def configure(self) -> None:
        for field in self.input:
            if field.dtype != "float64":
                raise InvalidSchema("NAME reads float64 columns", column=field.name)
        self.largest = [0.0 for _ in self.input]

    def output(self) -> Schema:
        return self.input

    def partial_fit(self, batch: Batch, target: Column | None) -> None:
        for at, values in enumerate(batch):
            for row, x in enumerate(values):
                if x is None:
                    continue
                if not math.isfinite(x):
                    raise InvalidInput("a value is not finite", column=values.name, row=row)
                self.largest[at] = max(self.largest[at], abs(x))

    def partial(self) -> bytes:
        writer = Writer(VERSION)
        for largest in self.largest:
            writer.f64(largest)
        return writer.finish()

    def merge(self, partial: bytes) -> None:
        reader = Reader(partial, VERSION)
        self.largest = [max(largest, reader.f64()) for largest in self.largest]
        reader.finish()

    def transform(self, batch: Batch) -> list[Column]:
        # A column of zeros stays one.
        factors = [self.config.limit / largest if largest else 0.0 for largest in self.largest]
        return [
            column("float64", (None if x is None else x * factor for x in values))
            for values, factor in zip(batch, factors, strict=True)
        ]

from dataclasses import dataclass
from typing import Annotated

from tiegel.plugin import Batch, Column, InvalidSchema, Schema, Transform, column


@dataclass
class Config:
    max: Annotated[float, "Values above this become this."]


class Clip(Transform[Config]):
    """Cuts the large values of float64 columns."""

    def configure(self) -> None:
        for field in self.input:
            if field.dtype != "float64":
                raise InvalidSchema("clip reads float64 columns", column=field.name)

    def output(self) -> Schema:
        return self.input

    def transform(self, batch: Batch) -> list[Column]:
        limit = self.config.max
        return [column("float64", (x if x is None else min(x, limit) for x in values)) for values in batch]

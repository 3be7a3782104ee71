from dataclasses import dataclass
from typing import Annotated

from tiegel.plugin import Batch, Column, InvalidSchema, Schema, Transform, column


@dataclass
class Config:
    factor: Annotated[float, "Every number is multiplied by this."] = 2.0


class Plugin(Transform[Config]):
    """Multiplies every float64 column."""

    def configure(self) -> None:
        for field in self.input:
            if field.dtype != "float64":
                raise InvalidSchema("NAME reads float64 columns", column=field.name)

    def output(self) -> Schema:
        return self.input

    def transform(self, batch: Batch) -> list[Column]:
        factor = self.config.factor
        return [column("float64", (None if x is None else x * factor for x in values)) for values in batch]

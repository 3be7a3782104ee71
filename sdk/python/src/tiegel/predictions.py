"""What an endpoint answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload


@dataclass(frozen=True)
class Predictions(Sequence[float]):
    """One number a row, in the request's order: a probability or a value."""

    values: tuple[float, ...]
    model: str
    version: int
    """The model version that answered; the last one, where a new version went live between two requests."""
    bundle: str
    """The digest of weights and transforms together."""

    @overload
    def __getitem__(self, index: int) -> float: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[float, ...]: ...
    def __getitem__(self, index: int | slice) -> float | tuple[float, ...]:
        return self.values[index]

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[float]:
        return iter(self.values)

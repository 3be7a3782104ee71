"""Runs a plugin natively, as the platform does: for an author's own tests, without a server and without Wasm."""

from __future__ import annotations

import inspect
import json
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from tiegel.plugin import base, config, host
from tiegel.plugin.base import Estimator, Transform
from tiegel.plugin.batch import Batch
from tiegel.plugin.columns import Column
from tiegel.plugin.errors import NotFitted
from tiegel.plugin.schema import Field, Schema

P = TypeVar("P", bound=Transform[Any])


class Harness(Generic[P]):
    """One plugin with one config.

    >>> harness = Harness(Clip, {"max": 5})
    >>> harness.transform(Batch.of(price=("float64", [1.0, 9.0]))).to_dict()
    {'price': [1.0, 5.0]}
    """

    def __init__(
        self, plugin: type[P], settings: Mapping[str, Any] | None = None, *, target: Field | None = None, seed: int = 0
    ) -> None:
        """Artifacts are read from the folder of the plugin's file."""
        self.plugin = plugin
        self.settings = dict(settings or {})
        self.target = target
        self.state: bytes | None = None
        self.services = host.NativeServices(pathlib.Path(inspect.getfile(plugin)).parent, seed)
        """`lines` holds what the plugin logged."""

    def configure(self, schema: Schema, *, fitting: bool = False) -> P:
        """A fresh instance. The config goes through JSON, like a user's."""
        host.use(self.services)
        settings: Any = config.parse(self.plugin.config_type, json.dumps(self.settings))
        return self.plugin(settings, schema, self.target if fitting else None)

    def fit(
        self, chunks: Iterable[Batch | Sequence[Batch]], targets: Iterable[Sequence[Column]] | None = None
    ) -> bytes:
        """Fits each chunk on its own and merges them in order; answers the state and keeps it for `transform`.

        `targets` holds, for each chunk, the target's column for each of its batches.
        """
        parts = [[chunk] if isinstance(chunk, Batch) else list(chunk) for chunk in chunks]
        goals: list[list[Any]] = [[None] * len(part) for part in parts] if targets is None else list(map(list, targets))
        schema = next(batch.schema for part in parts for batch in part)
        merged = self._estimator(schema)
        for batches, columns in zip(parts, goals, strict=True):
            one = self._estimator(schema)
            for batch, column in zip(batches, columns, strict=True):
                one.partial_fit(batch, column)
            merged.merge(one.partial())
        self.state = base.close(merged)
        return self.state

    def instance(self, schema: Schema) -> P:
        """A fresh instance with the state, where there is one."""
        plugin = self.configure(schema)
        if isinstance(plugin, Estimator):
            if self.state is None:
                raise NotFitted("fit the plugin or set a state first")
            base.restore(plugin, self.state, plugin.state_version)
        return plugin

    def transform(self, batch: Batch) -> Batch:
        """The answer of a fresh instance to one batch."""
        plugin = self.instance(batch.schema)
        return base.answered(plugin, plugin.transform(batch), batch.rows if plugin.row_wise else None)

    def transform_all(self, batches: Sequence[Batch]) -> list[Batch]:
        """The answers of one instance to batches in order, and what it held back."""
        plugin = self.instance(batches[0].schema)
        answers = [base.answered(plugin, plugin.transform(batch), None) for batch in batches]
        while (held := plugin.flush()) is not None:
            answers.append(base.answered(plugin, held, None))
        return answers

    def check_row_wise(self, batch: Batch) -> None:
        """Fails where a row comes out otherwise alone than among the others."""
        together = [list(column) for column in self.transform(batch)]
        plugin = self.instance(batch.schema)
        for row in range(batch.rows):
            alone = base.answered(plugin, plugin.transform(_row(batch, row)), 1)
            for column, values in zip(alone, together, strict=True):
                assert repr(column[0]) == repr(values[row]), (
                    f"column '{column.name}', row {row}: {values[row]!r} among other rows, {column[0]!r} alone"
                )

    def _estimator(self, schema: Schema) -> Estimator[Any]:
        plugin = self.configure(schema, fitting=True)
        if not isinstance(plugin, Estimator):
            raise TypeError(f"{self.plugin.__name__} is no Estimator: it learns nothing")
        return plugin


def _row(batch: Batch, row: int) -> Batch:
    fields = {column.name: column.field for column in batch}
    return Batch.from_values(fields, {column.name: [column[row]] for column in batch})

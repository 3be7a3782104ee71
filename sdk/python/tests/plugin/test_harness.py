"""Plugins as the harness runs them."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
from dataclasses import dataclass

import pytest

from tiegel import plugin
from tiegel.plugin import (
    BadState,
    Batch,
    Column,
    Estimator,
    Field,
    InvalidInput,
    InvalidSchema,
    NoConfig,
    NotFitted,
    Reader,
    Schema,
    Transform,
    Unsupported,
    Writer,
    column,
)
from tiegel.plugin.base import restore
from tiegel.plugin.testing import Harness


@dataclass
class Shift:
    by: int = 1


class Lag(Transform[Shift]):
    """Each row becomes the one before it."""

    row_wise = False

    def configure(self) -> None:
        self.held: list[int | None] = [None] * self.config.by

    def output(self) -> Schema:
        return Schema(Field(field.name, field.dtype, nullable=True) for field in self.input)

    def transform(self, batch: Batch) -> list[Column]:
        plugin.log.info("rows came", rows=len(batch))
        self.held += list(batch[0])
        out, self.held = self.held[: len(batch)], self.held[len(batch) :]
        return [column("int64", out)]


class Rate(Estimator[NoConfig]):
    """The share of true targets, for every row."""

    def configure(self) -> None:
        self.true = self.all = 0

    def output(self) -> Schema | None:
        return Schema([Field("rate", "float64")]) if self.is_fitted else None

    def partial_fit(self, batch: Batch, target: Column | None) -> None:
        if target is None:
            raise InvalidSchema("rate needs a target")
        values = [value for value in target.booleans() if value is not None]
        self.true += sum(values)
        self.all += len(values)

    def partial(self) -> bytes:
        writer = Writer(1)
        writer.u64(self.true)
        writer.u64(self.all)
        return writer.finish()

    def merge(self, partial: bytes) -> None:
        reader = Reader(partial, 1)
        self.true += reader.u64()
        self.all += reader.u64()
        reader.finish()

    def transform(self, batch: Batch) -> list[Column]:
        return [column("float64", [self.true / self.all] * len(batch))]


ROWS = Batch.of(x=("int64", [1, 2, 3]))


def test_an_ordered_plugin_sees_its_batches_one_after_the_other() -> None:
    harness = Harness(Lag, {"by": 2})
    answers = harness.transform_all([ROWS, Batch.of(x=("int64", [4]))])
    assert [answer.to_dict()["x"] for answer in answers] == [[None, None, 1], [2]]
    assert harness.services.lines[0] == ("info", "rows came", {"rows": "3"})


def test_an_estimator_learns_from_its_target_in_chunks() -> None:
    harness = Harness(Rate, target=Field("late", "boolean"))
    with pytest.raises(NotFitted):
        harness.transform(ROWS)
    late = [column("boolean", [True, False, True]), column("boolean", [True, True, None])]
    state = harness.fit([ROWS, ROWS], [[late[0]], [late[1]]])
    assert harness.transform(ROWS).to_dict() == {"rate": [0.8] * 3}
    assert state == harness.fit([[ROWS, ROWS]], [late])


def test_a_state_of_another_plugin_is_refused() -> None:
    harness = Harness(Rate)
    for state, message in [
        (b"", "the state is empty"),
        (b"\2", "the state has version 2; version 1 is needed"),
        (b"\1" + bytes(15), "the state ends early"),
        (b"\1" + bytes(17), "the state has 1 bytes too many"),
    ]:
        harness.state = state
        with pytest.raises(BadState, match=message):
            harness.transform(ROWS)
    with pytest.raises(BadState, match="the state has version 7; version 1 is needed"):
        restore(harness.configure(ROWS.schema), b"\1" + bytes(16), 7)


def test_what_a_codec_writes_it_reads() -> None:
    writer = Writer(3)
    writer.u64(7)
    writer.f64(-0.5)
    writer.i64(-1)
    writer.text("æ")
    state = writer.finish()
    # The same bytes as the other SDKs': 3, then little-endian numbers, then a length and the text.
    assert state.hex() == "03" + "0700000000000000" + "000000000000e0bf" + "ff" * 8 + "02000000" + "c3a6"
    reader = Reader(state, 3)
    assert (reader.u64(), reader.f64(), reader.i64(), reader.text()) == (7, -0.5, -1, "æ")
    reader.finish()


def test_a_row_wise_plugin_that_is_none_is_found() -> None:
    class Cumulative(Transform[NoConfig]):
        def output(self) -> Schema:
            return self.input

        def transform(self, batch: Batch) -> list[Column]:
            total, sums = 0, []
            for value in batch[0]:
                total += value or 0
                sums.append(total)
            return [column("int64", sums)]

    with pytest.raises(AssertionError, match="column 'x', row 1: 3 among other rows, 2 alone"):
        Harness(Cumulative).check_row_wise(ROWS)


def test_an_answer_that_does_not_fit_is_refused() -> None:
    class Short(Transform[NoConfig]):
        def output(self) -> Schema:
            return Schema([Field("y", "int64")])

        def transform(self, batch: Batch) -> list[Column]:
            return [column("int64", [1])]

    with pytest.raises(InvalidInput, match="1 rows came out for 3, though the plugin is row-wise"):
        Harness(Short).transform(ROWS)


def test_a_config_that_is_no_dataclass_is_refused_when_the_class_is_made() -> None:
    with pytest.raises(TypeError, match="a plugin's config is a dataclass"):

        class Odd(Transform[int]):
            pass


def test_the_docstring_and_the_config_make_the_schema() -> None:
    schema = Lag.config_schema()
    assert schema["description"] == "Each row becomes the one before it."
    assert schema["properties"] == {"by": {"type": "integer", "default": 1}}
    assert Rate.config_schema()["properties"] == {}


def test_artifacts_and_random_numbers_work_natively(tmp_path: pathlib.Path) -> None:
    (tmp_path / "words.txt").write_bytes(bytes(range(256)) * 5_000)
    plugin.host.use(plugin.host.NativeServices(tmp_path, seed=1))
    assert plugin.artifact("words.txt") == bytes(range(256)) * 5_000
    with pytest.raises(Unsupported, match="there is no artifact 'other'"):
        plugin.artifact("other")
    first = [plugin.random_u64(), plugin.random_u64()]
    plugin.host.use(plugin.host.NativeServices(tmp_path, seed=1))
    assert [plugin.random_u64(), plugin.random_u64()] == first
    assert 0 <= plugin.random() < 1


def test_a_guest_needs_nothing_of_the_client() -> None:
    program = "import sys, json, tiegel.plugin; print(json.dumps(sorted(m for m in sys.modules if 'tiegel' in m)))"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = json.loads(printed.stdout)
    assert [name for name in loaded if not name.startswith("tiegel.plugin")] == ["tiegel"]

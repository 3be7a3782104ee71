"""Columns, builders and batches."""

from __future__ import annotations

from array import array
from typing import Any

import numpy
import pytest

from tiegel.plugin import Batch, Builder, Column, DType, Field, InvalidInput, InvalidSchema, Schema, column

VALUES: list[tuple[DType, list[Any]]] = [
    ("boolean", [True, None, False, True, False, None, True, True, False]),
    ("int8", [-128, None, 127]),
    ("int64", [-(2**63), 2**63 - 1, None]),
    ("uint64", [2**64 - 1, None]),
    ("float16", [0.5, None, -2.0]),
    ("bfloat16", [1.0, -0.5, None]),
    ("float32", [0.25, None]),
    ("float64", [0.1, None, -1e300]),
    ("date32", [-1, None]),
    ("timestamp_us", [1 << 60, None]),
    ("utf8", ["æ", "", None, "😀"]),
    ("binary", [b"\xff\0", None, b""]),
]


@pytest.mark.parametrize(("dtype", "values"), VALUES)
def test_values_come_back_as_they_were_built(dtype: DType, values: list[Any]) -> None:
    built = column(dtype, values)
    assert list(built) == values
    assert [built[row] for row in range(len(built))] == values
    assert built.null_count == values.count(None)
    assert [built.is_null(row) for row in range(len(built))] == [value is None for value in values]


def test_a_column_without_nulls_has_no_validity() -> None:
    assert column("int32", [1, 2]).validity is None
    assert column("int32", []).data == b""
    assert list(column("utf8", [])) == []


def test_wide_columns_give_tuples() -> None:
    wide = column("float32", [(1.0, 2.0), None, [3.0, 4.0]], width=2)
    assert list(wide) == [(1.0, 2.0), None, (3.0, 4.0)]
    assert list(wide.values) == [1.0, 2.0, 0.0, 0.0, 3.0, 4.0]
    assert wide[2] == (3.0, 4.0)


def test_reading_and_wrapping_copy_nothing() -> None:
    memory = array("d", [1.0, 2.0])
    wrapped = Column.wrap("float64", memory)
    memory[1] = 5.0
    assert list(wrapped.values) == [1.0, 5.0]
    assert wrapped.numpy().tolist() == [1.0, 5.0]
    block: Any = numpy.arange(6, dtype="int32").reshape(3, 2)
    wide = Column.wrap("int32", block, width=2)
    assert wide.numpy().tolist() == block.tolist()
    assert numpy.shares_memory(wide.numpy(), block)
    with pytest.raises(InvalidInput, match="12 bytes are no 1 rows of float64"):
        Column.wrap("float64", b"123456789012")


def test_numbers_of_any_width_are_floats() -> None:
    assert list(column("int64", [3, None]).numbers()) == [3.0, None]
    assert list(column("bfloat16", [1.5]).numbers()) == [1.5]


def test_bfloat16_is_rounded_to_the_nearest_even() -> None:
    bits = list(column("bfloat16", [1.0 + 2**-8, 1.0 + 3 * 2**-8, float("nan")]).values)
    assert bits == [0x3F80, 0x3F82, 0x7FC0]


def test_another_type_is_refused_by_name() -> None:
    batch = Batch.of(x=("float32", [1.0]), s=("utf8", ["a"]))
    with pytest.raises(InvalidSchema, match=r"^the column is float32; utf8 values are needed \(column 'x'\)$"):
        batch["x"].texts()
    with pytest.raises(InvalidSchema, match="the column is utf8; numbers are needed"):
        _ = batch["s"].values
    with pytest.raises(InvalidSchema, match=r"there is no such column; there are x, s \(column 'y'\)"):
        batch["y"]


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("int8", 128),
        ("int32", 1.5),
        ("uint8", -1),
        ("float64", "1"),
        ("boolean", 1),
        ("utf8", b"a"),
        ("utf8", "\ud800"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_row(dtype: DType, value: Any) -> None:
    builder = Builder(dtype, name="x")
    builder.append(None)
    with pytest.raises(InvalidInput, match=f"is no value of {dtype}: ") as caught:
        builder.append(value)
    assert (caught.value.column, caught.value.row) == ("x", 1)


def test_text_that_is_not_utf8_is_refused() -> None:
    broken = Column(Field("s", "utf8"), 1, b"\xff", None, array("i", [0, 1]).tobytes())
    with pytest.raises(InvalidInput, match="the bytes are not UTF-8"):
        list(broken)


def test_a_batch_fits_its_schema() -> None:
    schema = Schema([Field("a", "int32"), Field("b", "utf8", nullable=True)])
    a, b = column("int32", [1, 2]), column("utf8", ["x", None])
    batch = Batch(schema, [a, b])
    assert batch.to_dict() == {"a": [1, 2], "b": ["x", None]}
    assert [one.name for one in batch] == ["a", "b"]
    with pytest.raises(InvalidSchema, match="there are 1 columns where the schema has 2"):
        Batch(schema, [a])
    with pytest.raises(InvalidSchema, match=r"the column is declared utf8, and int32 was given \(column 'b'\)"):
        Batch(schema, [a, a])
    with pytest.raises(InvalidInput, match=r"the column has 1 rows where the batch has 2 \(column 'b'\)"):
        Batch(schema, [a, column("utf8", ["x"])])
    with pytest.raises(InvalidInput, match=r"a null in a column that is declared without \(column 'a', row 1\)"):
        Batch(schema, [column("int32", [1, None]), b])


def test_a_field_of_no_type_is_refused() -> None:
    with pytest.raises(InvalidSchema, match="there is no type 'text'; there are boolean, int8"):
        Field("x", "text")  # type: ignore[arg-type]
    with pytest.raises(InvalidSchema, match="utf8 has no width 2"):
        Field("x", "utf8", width=2)

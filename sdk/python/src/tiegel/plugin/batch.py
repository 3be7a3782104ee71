"""Rows of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tiegel.plugin.builder import Builder
from tiegel.plugin.columns import Column
from tiegel.plugin.errors import InvalidInput, InvalidSchema
from tiegel.plugin.schema import DType, Field, Schema


class Batch:
    """One column for each field of the schema."""

    def __init__(self, schema: Schema, columns: Sequence[Column], rows: int | None = None) -> None:
        """Gives the columns the names that the schema has; `rows` is needed only where there is no column."""
        if len(columns) != len(schema):
            raise InvalidSchema(f"there are {len(columns)} columns where the schema has {len(schema)}")
        self.schema = schema
        self.rows = rows if rows is not None else columns[0].rows if columns else 0
        self.columns = tuple(_fitted(field, one, self.rows) for field, one in zip(schema, columns, strict=True))

    @staticmethod
    def of(**columns: tuple[DType, Sequence[Any]]) -> Batch:
        """A batch for tests: `Batch.of(price=("float64", [1.0, None]), shop=("utf8", ["a", "b"]))`."""
        return Batch.from_values(
            {name: Field(name, dtype, nullable=True) for name, (dtype, _) in columns.items()},
            {name: values for name, (_, values) in columns.items()},
        )

    @staticmethod
    def from_values(fields: Mapping[str, Field], values: Mapping[str, Sequence[Any]]) -> Batch:
        """Values row by row for each field, for tests."""
        built = []
        for name, field in fields.items():
            builder = Builder(field.dtype, width=field.width, name=name)
            builder.extend(values[name])
            built.append(builder.finish())
        return Batch(Schema(fields.values()), built)

    def __len__(self) -> int:
        return self.rows

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def __getitem__(self, key: int | str) -> Column:
        """A column by its place or by its name."""
        return self.columns[key if isinstance(key, int) else self.schema.index(key)]

    def __repr__(self) -> str:
        return f"Batch({self.to_dict()!r})"

    def to_dict(self) -> dict[str, list[Any]]:
        """All values by column, as tests compare them."""
        return {one.name: list(one) for one in self.columns}


def _fitted(field: Field, column: Column, rows: int) -> Column:
    """The column under the field's name and type, once it is of that type."""
    if (column.dtype, column.field.width) != (field.dtype, field.width):
        raise InvalidSchema(f"the column is declared {field}, and {column.field} was given", column=field.name)
    if column.rows != rows:
        raise InvalidInput(f"the column has {column.rows} rows where the batch has {rows}", column=field.name)
    if not field.nullable and column.null_count:
        row = next(row for row in range(rows) if column.is_null(row))
        raise InvalidInput("a null in a column that is declared without", column=field.name, row=row)
    return Column(field, rows, column.data, column.validity, column.offsets)

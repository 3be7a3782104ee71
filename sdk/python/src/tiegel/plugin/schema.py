"""Names and types of columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from tiegel.plugin.errors import InvalidSchema

DType = Literal[
    "boolean",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float16",
    "bfloat16",
    "float32",
    "float64",
    "date32",
    "timestamp_us",
    "utf8",
    "binary",
]
"""In the order of the contract."""

DTYPES: tuple[DType, ...] = get_args(DType)

# How memoryview and array call the values. The two 16-bit floats are their bits: array has no type for them.
FORMATS: dict[DType, str] = {
    "int8": "b",
    "int16": "h",
    "int32": "i",
    "int64": "q",
    "uint8": "B",
    "uint16": "H",
    "uint32": "I",
    "uint64": "Q",
    "float16": "H",
    "bfloat16": "H",
    "float32": "f",
    "float64": "d",
    "date32": "i",
    "timestamp_us": "q",
}

INTEGERS: frozenset[DType] = frozenset(
    ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
)
FLOATS: frozenset[DType] = frozenset(("float16", "bfloat16", "float32", "float64"))
TEXTS: frozenset[DType] = frozenset(("utf8", "binary"))


@dataclass(frozen=True)
class Field:
    """One column's name and type. A `width` over 1 is a fixed-size list: that many values a row."""

    name: str
    dtype: DType
    nullable: bool = False
    width: int = 1

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise InvalidSchema(f"there is no type '{self.dtype}'; there are {', '.join(DTYPES)}", column=self.name)
        if self.width < 1 or (self.width > 1 and self.dtype not in FORMATS):
            raise InvalidSchema(f"{self.dtype} has no width {self.width}", column=self.name)

    @property
    def is_number(self) -> bool:
        """Whether `Column.numbers` reads it: an integer or a float, one a row."""
        return self.width == 1 and (self.dtype in INTEGERS or self.dtype in FLOATS)

    def __str__(self) -> str:
        return self.dtype if self.width == 1 else f"{self.dtype} of width {self.width}"


class Schema:
    """The columns of a table, in order."""

    def __init__(self, fields: Iterable[Field] = ()) -> None:
        self.fields = tuple(fields)

    def __iter__(self) -> Iterator[Field]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)

    def __contains__(self, name: object) -> bool:
        return any(field.name == name for field in self.fields)

    def __getitem__(self, key: int | str) -> Field:
        """A field by its place or by its name."""
        return self.fields[key if isinstance(key, int) else self.index(key)]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and self.fields == other.fields

    def __hash__(self) -> int:
        return hash(self.fields)

    def __repr__(self) -> str:
        return f"Schema({list(self.fields)!r})"

    def index(self, name: str) -> int:
        for index, field in enumerate(self.fields):
            if field.name == name:
                return index
        names = ", ".join(field.name for field in self.fields) or "no columns"
        raise InvalidSchema(f"there is no such column; there are {names}", column=name)

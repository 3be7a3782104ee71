"""One column of a batch: Arrow's buffers, read without a copy."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from tiegel.plugin.errors import InvalidInput, InvalidSchema, Unsupported
from tiegel.plugin.schema import FORMATS, TEXTS, DType, Field

T = TypeVar("T")

Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True, eq=False)
class Column:
    """Values of one type, some of them null. Make one with `column()`, `Builder` or `Column.wrap`.

    `data` holds the values one after the other; for booleans bits, for utf8 and binary the bytes that `offsets` cut.
    Bit i of `validity`, least significant first, is set where row i is not null; without it nothing is null.
    """

    field: Field
    rows: int
    data: Buffer
    validity: Buffer | None = None
    offsets: Buffer | None = None

    @staticmethod
    def wrap(
        dtype: DType, values: Any, *, validity: Buffer | None = None, width: int = 1, rows: int | None = None
    ) -> Column:
        """A number column over the memory of an `array`, a memoryview or a numpy array: nothing is copied.

        Bits of `validity` are taken from another column, where the same rows are null.
        """
        view = memoryview(values).cast("B")
        size = struct.calcsize(FORMATS[dtype]) * width
        count = len(view) // size if rows is None else rows
        if count * size != len(view):
            raise InvalidInput(f"{len(view)} bytes are no {count} rows of {dtype}")
        return Column(Field("", dtype, validity is not None, width), count, view, validity)

    @property
    def name(self) -> str:
        return self.field.name

    @property
    def dtype(self) -> DType:
        return self.field.dtype

    def __len__(self) -> int:
        return self.rows

    def __iter__(self) -> Iterator[Any]:
        """Row by row: numbers, booleans, texts or bytes; `None` where null; a tuple where the width is over 1."""
        return self._with_nulls(self._plain())

    def __getitem__(self, row: int) -> Any:
        """The value of one row, as iterating gives it."""
        if not 0 <= row < self.rows:
            raise IndexError(f"there is no row {row} of {self.rows}")
        return None if self.is_null(row) else next(self._plain(row, row + 1))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Column)
            and (self.dtype, self.field.width) == (other.dtype, other.field.width)
            and list(self) == list(other)
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def values(self) -> memoryview[Any]:
        """All numbers, `width` a row, as a typed view; whatever stands there where a row is null.

        float16 and bfloat16 are shown as their 16 bits.
        """
        if self.dtype not in FORMATS:
            raise self._wrong_type("numbers")
        form: Any = FORMATS[self.dtype]
        return memoryview(self.data).cast("B").cast(form)

    def numpy(self) -> Any:
        """The same values as a numpy view, where numpy is installed, which it is not inside the platform."""
        try:
            import numpy
        except ImportError as error:
            raise Unsupported("numpy is not there: plugins run without it") from error
        kind = numpy.float16 if self.dtype == "float16" else numpy.dtype(self.values.format)
        values = numpy.frombuffer(self.data, dtype=kind)
        return values if self.field.width == 1 else values.reshape(self.rows, self.field.width)

    def is_null(self, row: int) -> bool:
        return self.validity is not None and not self.validity[row >> 3] >> (row & 7) & 1

    @property
    def null_count(self) -> int:
        if self.validity is None:
            return 0
        bits = int.from_bytes(self.validity, "little") & ((1 << self.rows) - 1)
        return self.rows - bits.bit_count()

    def numbers(self) -> Iterator[float | None]:
        """An integer or float column as floats, row by row; `None` where null."""
        if not self.field.is_number:
            raise self._wrong_type("numbers, one a row,")
        plain = map(float, self._plain())
        return self._with_nulls(plain)

    def booleans(self) -> Iterator[bool | None]:
        return self._rows_of("boolean")

    def texts(self) -> Iterator[str | None]:
        return self._rows_of("utf8")

    def binaries(self) -> Iterator[bytes | None]:
        """The bytes of a binary or utf8 column."""
        if self.dtype not in TEXTS:
            raise self._wrong_type("bytes")
        return self._with_nulls(self._cut(bytes, range(self.rows)))

    def named(self, name: str) -> Column:
        field = Field(name, self.dtype, self.field.nullable, self.field.width)
        return Column(field, self.rows, self.data, self.validity, self.offsets)

    def _rows_of(self, dtype: DType) -> Iterator[Any]:
        if self.dtype != dtype:
            raise self._wrong_type(f"{dtype} values")
        return iter(self)

    def _plain(self, start: int = 0, stop: int | None = None) -> Iterator[Any]:
        """The values of some rows as they stand, with whatever a null has in its place."""
        rows = range(start, self.rows if stop is None else stop)
        if self.dtype == "boolean":
            return (bool(self.data[row >> 3] >> (row & 7) & 1) for row in rows)
        if self.dtype == "utf8":
            return self._cut(_text(self.name), rows)
        if self.dtype == "binary":
            return self._cut(bytes, rows)
        width = self.field.width
        part = self.values[rows.start * width : rows.stop * width]
        values: Iterator[Any] = iter(part)
        if self.dtype == "float16":
            values = (value for (value,) in struct.iter_unpack("<e", part))
        elif self.dtype == "bfloat16":
            values = (struct.unpack("<f", struct.pack("<I", bits << 16))[0] for bits in part)
        return values if width == 1 else zip(*[values] * width, strict=True)

    def _cut(self, read: Callable[[memoryview], T], rows: range) -> Iterator[T]:
        data, offsets = memoryview(self.data), memoryview(self.offsets or b"").cast("B").cast("i")
        if len(offsets) != self.rows + 1:
            raise InvalidInput(f"the column has {len(offsets)} offsets for {self.rows} rows", column=self.name)
        return (read(data[offsets[row] : offsets[row + 1]]) for row in rows)

    def _with_nulls(self, values: Iterator[T]) -> Iterator[T | None]:
        if self.validity is None:
            return values
        bits = self.validity
        return (value if bits[row >> 3] >> (row & 7) & 1 else None for row, value in enumerate(values))

    def _wrong_type(self, wanted: str) -> InvalidSchema:
        return InvalidSchema(f"the column is {self.field}; {wanted} are needed", column=self.name)


def _text(column: str) -> Callable[[memoryview], str]:
    def decode(part: memoryview) -> str:
        try:
            return str(part, "utf-8")
        except UnicodeDecodeError:
            raise InvalidInput("the bytes are not UTF-8", column=column) from None

    return decode

"""Puts output columns together."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable
from typing import Any

from tiegel.plugin.columns import Column
from tiegel.plugin.errors import InvalidInput
from tiegel.plugin.schema import FLOATS, FORMATS, TEXTS, DType, Field


class Builder:
    """One column, value by value. `None` is a null.

    >>> builder = Builder("int32")
    >>> builder.append(7)
    >>> builder.append(None)
    >>> list(builder.finish())
    [7, None]
    """

    def __init__(self, dtype: DType, *, width: int = 1, name: str = "") -> None:
        self.field = Field(name, dtype, nullable=True, width=width)
        self.rows = 0
        self._valid = bytearray()
        self._nulls = 0
        self._values: array[Any] | bytearray = array(FORMATS[dtype]) if dtype in FORMATS else bytearray()
        self._offsets = array("i", [0])

    def append(self, value: Any) -> None:
        """A number, boolean, text or bytes; for a width over 1 a sequence of that many numbers."""
        row, dtype = self.rows, self.field.dtype
        if not row & 7:
            self._valid.append(0)
            if dtype == "boolean":
                self._bits().append(0)
        if value is None:
            self._nulls += 1
        else:
            self._valid[row >> 3] |= 1 << (row & 7)
        try:
            self._put(value)
        except (TypeError, ValueError, OverflowError, struct.error) as error:
            message = f"{_shown(value)} is no value of {self.field}: {error}"
            raise InvalidInput(message, column=self.field.name or None, row=row) from None
        self.rows = row + 1

    def extend(self, values: Iterable[Any]) -> None:
        for value in values:
            self.append(value)

    def finish(self) -> Column:
        """The column; nullable where it holds a null."""
        dtype = self.field.dtype
        field = Field(self.field.name, dtype, self._nulls > 0, self.field.width)
        data = bytes(self._values) if isinstance(self._values, bytearray) else self._values.tobytes()
        validity = bytes(self._valid) if self._nulls else None
        offsets = self._offsets.tobytes() if dtype in TEXTS else None
        return Column(field, self.rows, data, validity, offsets)

    def _put(self, value: Any) -> None:
        dtype, width = self.field.dtype, self.field.width
        if dtype in TEXTS:
            self._put_text(value)
        elif dtype == "boolean":
            if value is not None and not isinstance(value, bool):
                raise TypeError("True or False is needed")
            self._bits()[self.rows >> 3] |= bool(value) << (self.rows & 7)
        elif width == 1:
            self._put_number(0 if value is None else value)
        else:
            numbers = [0] * width if value is None else list(value)
            if len(numbers) != width:
                raise ValueError(f"{len(numbers)} values where the width is {width}")
            for number in numbers:
                self._put_number(number)

    def _put_number(self, value: Any) -> None:
        assert isinstance(self._values, array), "number columns are arrays"
        dtype = self.field.dtype
        if dtype in FLOATS and isinstance(value, (str, bytes)):
            raise TypeError("a number is needed")
        if dtype == "float16":
            value = struct.unpack("<H", struct.pack("<e", value))[0]
        elif dtype == "bfloat16":
            value = _bfloat16_bits(float(value))
        self._values.append(value)

    def _put_text(self, value: Any) -> None:
        bits = self._bits()
        if self.field.dtype == "utf8" and value is not None:
            if not isinstance(value, str):
                raise TypeError("a text is needed")
            bits += value.encode()
        elif value is not None:
            if not isinstance(value, (bytes, bytearray, memoryview)):
                raise TypeError("bytes are needed")
            bits += value
        self._offsets.append(len(bits))

    def _bits(self) -> bytearray:
        assert isinstance(self._values, bytearray), "booleans and texts are bytes"
        return self._values


def column(dtype: DType, values: Iterable[Any], *, width: int = 1) -> Column:
    """A column of values; `None` is a null.

    >>> list(column("utf8", ["a", None]))
    ['a', None]
    """
    builder = Builder(dtype, width=width)
    builder.extend(values)
    return builder.finish()


def _bfloat16_bits(value: float) -> int:
    """Rounded to the nearest, ties to even."""
    bits: int = struct.unpack("<I", array("f", [value]).tobytes())[0]
    if value != value:
        return bits >> 16 | 0x40
    return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."

"""A small binary format for states and partials: a version byte, then little-endian numbers and length-prefixed bytes.

The same value always gives the same bytes, which content addressing needs and which `pickle` and JSON do not promise.
The Rust and JavaScript SDKs read and write the same format.
"""

from __future__ import annotations

import struct
from typing import Any

from tiegel.plugin.errors import BadState

Bytes = bytes
"""Under another name, because `bytes` is also a method below."""


class Writer:
    """Writes a state or a partial. `version` is raised when the meaning of the bytes changes."""

    def __init__(self, version: int) -> None:
        self._bytes = bytearray(struct.pack("<B", version))

    def u8(self, value: int) -> None:
        self._bytes += struct.pack("<B", value)

    def u32(self, value: int) -> None:
        self._bytes += struct.pack("<I", value)

    def u64(self, value: int) -> None:
        self._bytes += struct.pack("<Q", value)

    def i64(self, value: int) -> None:
        self._bytes += struct.pack("<q", value)

    def f64(self, value: float) -> None:
        self._bytes += struct.pack("<d", value)

    def bytes(self, value: Bytes) -> None:
        self.u32(len(value))
        self._bytes += value

    def text(self, value: str) -> None:
        self.bytes(value.encode())

    def finish(self) -> Bytes:
        return bytes(self._bytes)


class Reader:
    """Reads what `Writer` wrote; every error says that the state is not this plugin's."""

    def __init__(self, data: Bytes, version: int) -> None:
        if not data:
            raise BadState("the state is empty")
        if data[0] != version:
            raise BadState(f"the state has version {data[0]}; version {version} is needed")
        self._data = data
        self._at = 1

    def u8(self) -> int:
        return int(self._number("<B"))

    def u32(self) -> int:
        return int(self._number("<I"))

    def u64(self) -> int:
        return int(self._number("<Q"))

    def i64(self) -> int:
        return int(self._number("<q"))

    def f64(self) -> float:
        return float(self._number("<d"))

    def bytes(self) -> Bytes:
        return self._take(self.u32())

    def text(self) -> str:
        try:
            return self.bytes().decode()
        except UnicodeDecodeError:
            raise BadState("the state holds a text that is not UTF-8") from None

    def finish(self) -> None:
        """Nothing may be left over."""
        if (rest := len(self._data) - self._at) > 0:
            raise BadState(f"the state has {rest} bytes too many")

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _take(self, count: int) -> Bytes:
        part = self._data[self._at : self._at + count]
        if len(part) < count:
            raise BadState("the state ends early")
        self._at += count
        return part

"""What the host offers a plugin: a log, seeded random numbers and the files that were granted to it.

Inside the platform the guest's entry replaces the services; natively they are stderr, a generator and a folder.
"""

from __future__ import annotations

import pathlib
import sys
from typing import Any, Protocol

from tiegel.plugin.errors import Unsupported

ARTIFACT_READ_BYTES = 1 << 20
"""Bytes of an artifact that one read asks for."""


class Services(Protocol):
    def log(self, level: str, message: str, fields: list[tuple[str, str]]) -> None: ...

    def next_u64(self) -> int: ...

    def read_artifact(self, name: str, offset: int, count: int) -> bytes: ...


class NativeServices:
    """For tests: log lines are kept and printed, random numbers follow from the seed (SplitMix64)."""

    def __init__(self, artifacts: pathlib.Path | None = None, seed: int = 0) -> None:
        self.lines: list[tuple[str, str, dict[str, str]]] = []
        self._artifacts = artifacts
        self._state = seed

    def log(self, level: str, message: str, fields: list[tuple[str, str]]) -> None:
        self.lines.append((level, message, dict(fields)))
        print(f"{level}: {message}", *(f"{key}={value}" for key, value in fields), file=sys.stderr)

    def next_u64(self) -> int:
        self._state = (self._state + 0x9E3779B97F4A7C15) % (1 << 64)
        mixed = self._state
        mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 % (1 << 64)
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB % (1 << 64)
        return mixed ^ mixed >> 31

    def read_artifact(self, name: str, offset: int, count: int) -> bytes:
        path = (self._artifacts or pathlib.Path()) / name
        if not path.is_file():
            raise Unsupported(f"there is no artifact '{name}'")
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(count)


_services: Services = NativeServices()


def use(services: Services) -> None:
    """From now on plugins in this process use these."""
    global _services
    _services = services


def artifact(name: str) -> bytes:
    """A file that was granted to the plugin: a vocabulary, a lookup table."""
    read = bytearray()
    while True:
        part = _services.read_artifact(name, len(read), ARTIFACT_READ_BYTES)
        read += part
        if len(part) < ARTIFACT_READ_BYTES:
            return bytes(read)


def random_u64() -> int:
    """A number that the host seeds from (plugin, config, chunk), so that a re-run sees the same ones.

    It fails inside the `transform` of a row-wise plugin. Python's own `random` repeats itself in every instance.
    """
    return _services.next_u64()


def random() -> float:
    """At least 0 and under 1, from `random_u64`."""
    return (random_u64() >> 11) / (1 << 53)


class Log:
    """Lines for the host's log: `log.info("read the vocabulary", words=30_000)`."""

    def debug(self, message: str, **fields: Any) -> None:
        self._line("debug", message, fields)

    def info(self, message: str, **fields: Any) -> None:
        self._line("info", message, fields)

    def warning(self, message: str, **fields: Any) -> None:
        self._line("warn", message, fields)

    def error(self, message: str, **fields: Any) -> None:
        self._line("error", message, fields)

    def _line(self, level: str, message: str, fields: dict[str, Any]) -> None:
        _services.log(level, message, [(key, str(value)) for key, value in fields.items()])


log = Log()

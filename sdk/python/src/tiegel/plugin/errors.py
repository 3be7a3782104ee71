"""What a plugin refuses: what is wrong, and where."""

from __future__ import annotations

from typing import ClassVar


class PluginError(Exception):
    """A refusal that the user reads. `row` counts from 0 within the batch."""

    code: ClassVar[str] = "internal"

    def __init__(self, message: str, *, column: str | None = None, row: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.column = column
        self.row = row

    def __str__(self) -> str:
        places = []
        if self.column is not None:
            places.append(f"column '{self.column}'")
        if self.row is not None:
            places.append(f"row {self.row}")
        return f"{self.message} ({', '.join(places)})" if places else self.message


class InvalidConfig(PluginError):
    """The config asks for something that does not exist or does not fit together."""

    code = "invalid-config"


class InvalidSchema(PluginError):
    """The input columns are not ones that the plugin can read."""

    code = "invalid-schema"


class InvalidInput(PluginError):
    """A value is not one that the plugin can work with."""

    code = "invalid-input"


class NotFitted(PluginError):
    """`transform` was called before a state was there."""

    code = "not-fitted"


class BadState(PluginError):
    """The bytes given to `load` or `merge` are not ones that this plugin wrote."""

    code = "bad-state"


class Unsupported(PluginError):
    """This host, or this machine, cannot do it."""

    code = "unsupported"

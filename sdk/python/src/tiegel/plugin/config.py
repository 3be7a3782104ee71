"""Configs are dataclasses: their type hints become the JSON Schema, and check what users write.

There are bool, int, float, str, `Literal`, `Enum` of texts, `list`, `tuple[T, ...]`, `dict[str, T]`, dataclasses, and
any of them `| None`. `Annotated[int, "What it is for.", Range(1, 9)]` adds words and limits.
"""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from tiegel.plugin.errors import InvalidConfig

C = TypeVar("C")

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_SCALARS: dict[Any, str] = {bool: "boolean", int: "integer", float: "number", str: "string"}
_WANTED = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "a text",
    "array": "a list",
    "object": "an object",
}


@dataclass(frozen=True)
class Range:
    """Limits of a number, both included; of a text or a list, limits of its length."""

    minimum: float | None = None
    maximum: float | None = None


@dataclass
class NoConfig:
    """For plugins that need none."""


def json_schema(config: type, description: str | None = None) -> dict[str, Any]:
    """The JSON Schema 2020-12 of a config class."""
    schema = {"$schema": DIALECT, "title": config.__name__, **_object_schema(config)}
    return schema | ({"description": description} if description else {})


def parse(config: type[C], text: str) -> C:
    """Reads a config from JSON text; whatever is wrong is an `InvalidConfig` that says where."""
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except ValueError as error:
        raise InvalidConfig(f"config: it is not JSON: {error}") from None
    return cast(C, _read(config, value, "config"))


def check_type(config: Any) -> None:
    """Refuses a config class with hints that no JSON can be checked against."""
    if not (isinstance(config, type) and dataclasses.is_dataclass(config)):
        raise TypeError(f"a plugin's config is a dataclass, not {config!r}")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _fields(config: type) -> list[tuple[dataclasses.Field[Any], Any]]:
    hints = get_type_hints(config, include_extras=True)
    return [(field, hints[field.name]) for field in dataclasses.fields(config) if field.init]


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _split(hint: Any) -> tuple[Any, str | None, Range]:
    """A hint without its annotations, its words and its limits."""
    if get_origin(hint) is not Annotated:
        return hint, None, Range()
    inner, *notes = get_args(hint)
    words = next((note for note in notes if isinstance(note, str)), None)
    return inner, words, next((note for note in notes if isinstance(note, Range)), Range())


def _object_schema(config: type) -> dict[str, Any]:
    properties = {}
    for field, hint in _fields(config):
        properties[field.name] = _schema(hint)
        if not _is_required(field):
            properties[field.name]["default"] = _plain(
                field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
            )
    required = [field.name for field, _ in _fields(config) if _is_required(field)]
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return schema | ({"required": required} if required else {})


def _schema(hint: Any) -> dict[str, Any]:
    hint, words, limits = _split(hint)
    schema = _bare_schema(hint) | ({"description": words} if words else {})
    suffix = {"string": "Length", "array": "Items"}.get(str(schema.get("type")), "imum")
    for name, value in (("min", limits.minimum), ("max", limits.maximum)):
        if value is not None:
            schema[name + suffix] = value
    return schema


def _bare_schema(hint: Any) -> dict[str, Any]:
    origin, args = get_origin(hint), get_args(hint)
    if hint in _SCALARS:
        return {"type": _SCALARS[hint]}
    if origin is Literal:
        return {"enum": list(args)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [{"type": "null"} if arg is type(None) else _schema(arg) for arg in args]}
    if origin in (list, tuple):
        return {"type": "array", "items": _schema(args[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(args[1])}
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {"enum": [member.value for member in hint]}
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _object_schema(hint)
    raise TypeError(f"a config cannot hold {hint!r}")


def _plain(value: Any) -> Any:
    """A default as JSON has it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return value


def _read(hint: Any, value: Any, path: str) -> Any:
    hint, _, limits = _split(hint)
    read = _read_bare(hint, value, path)
    _check_limits(read, limits, path)
    return read


def _read_bare(hint: Any, value: Any, path: str) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if hint in _SCALARS:
        return _read_scalar(hint, value, path)
    if origin is Literal or (isinstance(hint, type) and issubclass(hint, Enum)):
        choices: dict[Any, Any] = {arg: arg for arg in args} if origin is Literal else {m.value: m for m in hint}
        found = [choice for key, choice in choices.items() if type(key) is type(value) and key == value]
        if not found:
            raise _wrong(path, "one of " + ", ".join(json.dumps(key) for key in choices), value)
        return found[0]
    if origin in (Union, types.UnionType):
        return _read_union(args, value, path)
    if origin in (list, tuple):
        _need(isinstance(value, list), path, "array", value)
        return origin(_read(args[0], one, f"{path}[{i}]") for i, one in enumerate(value))
    _need(isinstance(value, dict), path, "object", value)
    if origin is dict:
        return {key: _read(args[1], one, f"{path}.{key}") for key, one in value.items()}
    return _read_object(hint, value, path)


def _read_scalar(hint: Any, value: Any, path: str) -> Any:
    fits = isinstance(value, hint) or (hint is float and isinstance(value, int))
    _need(fits and isinstance(value, bool) == (hint is bool), path, _SCALARS[hint], value)
    if hint is not float:
        return value
    try:
        return float(value)
    except OverflowError:
        raise _wrong(path, "a number that float64 holds", value) from None


def _read_union(args: tuple[Any, ...], value: Any, path: str) -> Any:
    if value is None and type(None) in args:
        return None
    choices = [arg for arg in args if arg is not type(None)]
    refusals = []
    for choice in choices:
        try:
            return _read(choice, value, path)
        except InvalidConfig as error:
            refusals.append(error)
    if len(refusals) == 1:
        raise refusals[0]
    raise InvalidConfig("; or ".join(str(error) for error in refusals))


def _read_object(config: Any, value: Mapping[str, Any], path: str) -> Any:
    fields = _fields(config)
    known = [field.name for field, _ in fields]
    for key in value:
        if key not in known:
            raise InvalidConfig(f"{path}: unknown field `{key}`; there is {', '.join(known) or 'nothing to set'}")
    for field, _ in fields:
        if _is_required(field) and field.name not in value:
            raise InvalidConfig(f"{path}: the field `{field.name}` is missing")
    given = {f.name: _read(hint, value[f.name], f"{path}.{f.name}") for f, hint in fields if f.name in value}
    try:
        return config(**given)
    except ValueError as error:
        # What the class itself refuses, in its __post_init__.
        raise InvalidConfig(f"{path}: {error}") from None


def _check_limits(value: Any, limits: Range, path: str) -> None:
    if limits == Range() or value is None:
        return
    size, unit = (len(value), " long") if isinstance(value, (str, list, tuple)) else (value, "")
    if limits.minimum is not None and size < limits.minimum:
        raise InvalidConfig(f"{path}: at least {limits.minimum:g}{unit} is needed, not {size:g}")
    if limits.maximum is not None and size > limits.maximum:
        raise InvalidConfig(f"{path}: at most {limits.maximum:g}{unit} is allowed, not {size:g}")


def _need(condition: bool, path: str, kind: str, value: Any) -> None:
    if not condition:
        raise _wrong(path, _WANTED[kind], value)


def _wrong(path: str, wanted: str, value: Any) -> InvalidConfig:
    shown = json.dumps(value)
    return InvalidConfig(f"{path}: {wanted} is needed, not {shown if len(shown) <= 60 else shown[:57] + '...'}")

"""Takes typed columns out of a utf8 column of JSON texts by path."""

from __future__ import annotations

import datetime
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from tiegel.plugin import (
    Batch,
    Builder,
    Column,
    Field,
    InvalidConfig,
    InvalidInput,
    InvalidSchema,
    Range,
    Schema,
    Transform,
)

Type = Literal["utf8", "int64", "float64", "boolean", "timestamp_us", "date32"]
Path = tuple[str | int, ...]

COLUMNS_MAX = 1_000

STEP = re.compile(r"""\.?([^\s.\[\]"]+)|\[(-?\d+)\]|\[("(?:[^"\\]|\\.)*")\]""")
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
INT64 = range(-(2**63), 2**63)

MISSING = object()


@dataclass
class Target:
    name: Annotated[str, "The column's name.", Range(minimum=1)]
    path: Annotated[str, "Where the value is: user.address.city, items[0].price.", Range(minimum=1)]
    type: Annotated[Type, "The column's type."]


@dataclass
class Config:
    columns: Annotated[list[Target], "What is taken out.", Range(1, COLUMNS_MAX)]
    invalid: Annotated[
        Literal["null", "error"], "What becomes of a text that is no JSON, and of a value of another type."
    ] = "error"


class JsonFlatten(Transform[Config]):
    """Takes typed columns out of one utf8 column of JSON texts; where nothing is at the path there is a null."""

    def configure(self) -> None:
        if len(self.input) != 1 or self.input[0].dtype != "utf8":
            found = ", ".join(f"{field.name} ({field})" for field in self.input)
            raise InvalidSchema(f"json-flatten reads one utf8 column, not {found or 'none'}")
        names = [target.name for target in self.config.columns]
        if twice := [name for name in names if names.count(name) > 1]:
            raise InvalidConfig(f"config.columns: there are two of the name '{twice[0]}'")
        self.paths = [parse_path(target.path, i) for i, target in enumerate(self.config.columns)]

    def output(self) -> Schema:
        return Schema(Field(target.name, target.type, nullable=True) for target in self.config.columns)

    def transform(self, batch: Batch) -> list[Column]:
        builders = [Builder(target.type, name=target.name) for target in self.config.columns]
        readers = [READERS[target.type] for target in self.config.columns]
        plan = list(zip(builders, readers, self.paths, strict=True))
        for row, text in enumerate(batch[0].texts()):
            document = None if text is None else self.parsed(text, row)
            for builder, read, path in plan:
                builder.append(self.value(read, look_up(document, path), builder.field, row))
        return [builder.finish() for builder in builders]

    def parsed(self, text: str, row: int) -> Any:
        try:
            return json.loads(text, parse_constant=refuse_constant)
        except RecursionError:
            wrong = "it is nested too deeply"
        except ValueError as error:
            wrong = str(error)
        if self.config.invalid == "null":
            return None
        raise InvalidInput(f"the text is not JSON: {wrong}", column=self.input[0].name, row=row)

    def value(self, read: Callable[[Any], Any], found: Any, field: Field, row: int) -> Any:
        if found is None:
            return None
        value = read(found)
        if value is not MISSING:
            return value
        if self.config.invalid == "null":
            return None
        shown = json.dumps(found, ensure_ascii=False)
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
        raise InvalidInput(f"{shown} is no {field.dtype}, which '{field.name}' is", column=self.input[0].name, row=row)


def parse_path(text: str, index: int) -> Path:
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        found = STEP.match(text, at)
        # A key that is not the first one comes after a dot, and the first one does not.
        if found is None or (found[1] and (text[at] == ".") != bool(steps)):
            raise InvalidConfig(
                f"config.columns[{index}].path: '{text}' is no path at character {at + 1}; "
                "paths are such as user.address.city, items[0].price"
            )
        steps.append(found[1] if found[1] else int(found[2]) if found[2] else json.loads(found[3]))
        at = found.end()
    return tuple(steps)


def look_up(document: Any, path: Path) -> Any:
    """What is at the path; `None` where nothing is."""
    for step in path:
        if isinstance(step, str) and isinstance(document, dict):
            document = document.get(step)
        elif isinstance(step, int) and isinstance(document, list) and -len(document) <= step < len(document):
            document = document[step]
        else:
            return None
    return document


def refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def read_utf8(value: Any) -> Any:
    if not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # Half of a surrogate pair is a text in JSON, and none in UTF-8.
    return value if value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value) else MISSING


def read_int64(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and value in INT64 else MISSING


def read_float64(value: Any) -> Any:
    if type(value) not in (int, float):
        return MISSING
    try:
        number = float(value)
    except OverflowError:
        return MISSING
    return number if math.isfinite(number) else MISSING


def read_boolean(value: Any) -> Any:
    return value if isinstance(value, bool) else MISSING


def read_timestamp(value: Any) -> Any:
    try:
        moment = datetime.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return MISSING
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.timezone.utc)
    return (moment - EPOCH) // datetime.timedelta(microseconds=1)


def read_date(value: Any) -> Any:
    try:
        return (datetime.date.fromisoformat(value) - EPOCH.date()).days
    except (TypeError, ValueError):
        return MISSING


READERS: dict[Type, Callable[[Any], Any]] = {
    "utf8": read_utf8,
    "int64": read_int64,
    "float64": read_float64,
    "boolean": read_boolean,
    "timestamp_us": read_timestamp,
    "date32": read_date,
}

"""Configs: JSON Schema out of type hints, and errors that say where."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, Literal

import pytest

from tiegel.plugin import InvalidConfig, Range
from tiegel.plugin.config import json_schema, parse


class Unit(Enum):
    DAY = "day"
    HOUR = "hour"


@dataclass
class Key:
    name: Annotated[str, Range(minimum=1)]
    ascending: bool = True


@dataclass
class Config:
    count: Annotated[int, "How many.", Range(1, 9)]
    rate: float = 0.5
    mode: Literal["keep", "drop"] = "keep"
    unit: Unit = Unit.DAY
    keys: list[Key] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)
    limit: Annotated[float | None, Range(minimum=0)] = None
    either: int | str = 0

    def __post_init__(self) -> None:
        if self.rate > self.count:
            raise ValueError("the rate is over the count")


def test_type_hints_become_a_schema() -> None:
    schema = json_schema(Config, "Counts.")
    assert (schema["$schema"], schema["title"], schema["description"]) == (
        "https://json-schema.org/draft/2020-12/schema",
        "Config",
        "Counts.",
    )
    assert (schema["required"], schema["additionalProperties"]) == (["count"], False)
    properties = schema["properties"]
    assert properties["count"] == {"type": "integer", "description": "How many.", "minimum": 1, "maximum": 9}
    assert properties["rate"] == {"type": "number", "default": 0.5}
    assert properties["mode"] == {"enum": ["keep", "drop"], "default": "keep"}
    assert properties["unit"] == {"enum": ["day", "hour"], "default": "day"}
    assert properties["keys"]["items"]["properties"]["name"] == {"type": "string", "minLength": 1}
    assert properties["names"] == {"type": "object", "additionalProperties": {"type": "integer"}, "default": {}}
    assert properties["limit"]["anyOf"] == [{"type": "number"}, {"type": "null"}]


def test_a_config_is_read_into_its_class() -> None:
    text = '{"count": 3, "rate": 1, "unit": "hour", "keys": [{"name": "a"}], "names": {"x": 1}, "either": "t"}'
    config = parse(Config, text)
    assert config == Config(3, 1.0, "keep", Unit.HOUR, [Key("a")], {"x": 1}, None, "t")
    assert isinstance(config.rate, float)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "config: the field `count` is missing"),
        ([], "config: an object is needed, not []"),
        ({"count": True}, "config.count: a whole number is needed, not true"),
        ({"count": 1.5}, "config.count: a whole number is needed, not 1.5"),
        ({"count": 10}, "config.count: at most 9 is allowed, not 10"),
        ({"count": 1, "cuont": 2}, "config: unknown field `cuont`; there is count, rate, mode,"),
        ({"count": 1, "rate": "x"}, 'config.rate: a number is needed, not "x"'),
        ({"count": 1, "mode": "kepp"}, 'config.mode: one of "keep", "drop" is needed, not "kepp"'),
        ({"count": 1, "unit": 1}, 'config.unit: one of "day", "hour" is needed, not 1'),
        ({"count": 1, "keys": [{"name": "a"}, {"name": ""}]}, "config.keys[1].name: at least 1 long is needed, not 0"),
        ({"count": 1, "names": {"a": "b"}}, 'config.names.a: a whole number is needed, not "b"'),
        ({"count": 1, "limit": -1}, "config.limit: at least 0 is needed, not -1"),
        ({"count": 1, "either": []}, "config.either: a whole number is needed, not []; or config.either: a text"),
        ({"count": 1, "rate": 2}, "config: the rate is over the count"),
    ],
)
def test_mistakes_are_named_by_place(value: Any, message: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        parse(Config, json.dumps(value))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("text", ["", "{", '{"count": NaN}'])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(InvalidConfig, match="config: it is not JSON: "):
        parse(Config, text)


def test_a_hint_that_json_cannot_hold_is_refused() -> None:
    @dataclass
    class Odd:
        when: complex = 0j

    with pytest.raises(TypeError, match="a config cannot hold"):
        json_schema(Odd)

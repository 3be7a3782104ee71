import json
from collections.abc import Sequence
from typing import Any

import pytest
from json_flatten import JsonFlatten, parse_path

from tiegel.plugin import Batch, InvalidConfig, InvalidInput, InvalidSchema
from tiegel.plugin.testing import Harness


def flatten(texts: Sequence[str | None], columns: list[tuple[str, str]], **config: Any) -> list[list[Any]]:
    targets = [{"name": f"c{i}", "path": path, "type": kind} for i, (path, kind) in enumerate(columns)]
    harness = Harness(JsonFlatten, {"columns": targets, **config})
    batch = Batch.of(event=("utf8", texts))
    harness.check_row_wise(batch)
    return list(harness.transform(batch).to_dict().values())


def test_values_are_found_by_path_and_typed() -> None:
    event = {
        "user": {"city": "Köln", "a key.with dots": 1},
        "items": [{"price": 3}, {"price": 2.5, "tags": ["x", {"y": None}]}],
        "paid": True,
        "at": "2026-11-23T12:00:00.25+01:00",
        "day": "1970-01-03",
    }
    columns = [
        ("user.city", "utf8"),
        ('user["a key.with dots"]', "int64"),
        ("items[0].price", "float64"),
        ("items[-1].tags", "utf8"),
        ("paid", "boolean"),
        ("at", "timestamp_us"),
        ("day", "date32"),
    ]
    moment = 1_795_431_600_250_000
    assert flatten([json.dumps(event)], columns) == [["Köln"], [1], [3.0], ['["x",{"y":null}]'], [True], [moment], [2]]


def test_what_is_not_there_is_null() -> None:
    texts = [None, "null", "{}", '{"a": null}', '{"a": {"b": null}}', "[1, 2]", '{"a": 7}']
    assert flatten(texts, [("a.b", "int64"), ("[1]", "int64")]) == [[None] * 7, [None] * 5 + [2, None]]


def test_numbers_become_whole_only_where_they_are() -> None:
    assert flatten(['{"n": 3.0}', '{"n": -9223372036854775808}'], [("n", "int64")]) == [[3, -(2**63)]]
    for bad in ("3.5", "true", '"3"', "9223372036854775808", "1e400"):
        with pytest.raises(InvalidInput, match="is no int64, which 'c0' is"):
            flatten([f'{{"n": {bad}}}'], [("n", "int64")])


def test_bad_texts_and_values_are_null_or_an_error_with_their_row() -> None:
    texts = ['{"a": 1}', "{a: 1}", '{"a": "x"}', "[" * 100_000, '{"a": NaN}']
    assert flatten(texts, [("a", "int64")], invalid="null") == [[1, None, None, None, None]]
    with pytest.raises(InvalidInput) as caught:
        flatten(texts, [("a", "int64")])
    assert (caught.value.column, caught.value.row) == ("event", 1)
    assert caught.value.message.startswith("the text is not JSON: Expecting property name")


def test_half_a_surrogate_pair_is_no_text() -> None:
    assert flatten(['{"a": "\\ud83d"}', '{"a": "\\ud83d\\ude00"}'], [("a", "utf8")], invalid="null") == [[None, "😀"]]


@pytest.mark.parametrize(
    ("text", "path"),
    [("a", ("a",)), ("a.b", ("a", "b")), ("[0][1].x", (0, 1, "x")), ('a["b c"].d', ("a", "b c", "d"))],
)
def test_paths_are_read(text: str, path: tuple[str | int, ...]) -> None:
    assert parse_path(text, 0) == path


@pytest.mark.parametrize("text", [".a", "a..b", "a.", "a[x]", "a[", "a b", 'a["b]', "a[0]b"])
def test_a_wrong_path_is_refused(text: str) -> None:
    with pytest.raises(InvalidConfig, match=r"config.columns\[3\].path: .* is no path at character \d"):
        parse_path(text, 3)


def test_columns_have_names_of_their_own_and_the_input_is_one_text() -> None:
    target = {"name": "x", "path": "a", "type": "utf8"}
    with pytest.raises(InvalidConfig, match="there are two of the name 'x'"):
        Harness(JsonFlatten, {"columns": [target, target]}).transform(Batch.of(e=("utf8", ["{}"])))
    with pytest.raises(InvalidSchema, match=r"json-flatten reads one utf8 column, not n \(int64\)"):
        Harness(JsonFlatten, {"columns": [target]}).transform(Batch.of(n=("int64", [1])))

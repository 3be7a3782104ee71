"""The golden vectors, against the Python `standardize`."""

from __future__ import annotations

import json
import pathlib
import struct
from typing import Any

import generate_standardize
import pytest
from standardize import Standardize

from tiegel.plugin import Batch, Column, Field, PluginError, Schema
from tiegel.plugin.testing import Harness

VECTORS = pathlib.Path(__file__).resolve().parents[3] / "vectors"
CASES = sorted((VECTORS / "standardize").glob("*.json"))
FORMATS = {"u8": "<B", "u32": "<I", "u64": "<Q", "f64": "<d"}


def value_of(text: str | None, dtype: str) -> Any:
    if text is None or dtype == "utf8":
        return text
    return float(text) if dtype.startswith("float") else int(text)


def batch_of(schema: Schema, raw: dict[str, Any]) -> Batch:
    values = {
        field.name: [value_of(text, field.dtype) for text in column]
        for field, column in zip(schema, raw["columns"], strict=True)
    }
    fields = {field.name: field for field in schema}
    return Batch(schema, Batch.from_values(fields, values).columns)


def schema_of(raw: list[dict[str, Any]]) -> Schema:
    return Schema(Field(**field) for field in raw)


def host_view(column: Column) -> dict[str, str | None]:
    """As the host passes the buffers on: a validity without nulls is none."""
    validity = bytes(column.validity).hex() if column.validity is not None and column.null_count else None
    return {"data": bytes(column.data).hex(), "validity": validity}


def refusal(error: PluginError) -> dict[str, Any]:
    return {"code": error.code, "column": error.column, "row": error.row}


def check_state(state: bytes, fields: list[dict[str, str]]) -> None:
    at = 0
    for field in fields:
        form = FORMATS[field["type"]]
        (found,) = struct.unpack_from(form, state, at)
        at += struct.calcsize(form)
        expected = float(field["value"]) if form == "<d" else int(field["value"])
        assert abs(found - expected) <= float(field.get("tolerance", 0)), f"{field['name']}: {found} != {expected}"
    assert at == len(state)


def check_fit(harness: Harness[Standardize], schema: Schema, section: dict[str, Any]) -> None:
    chunks = [[batch_of(schema, batch) for batch in chunk] for chunk in section["chunks"]]
    if "error" in section:
        with pytest.raises(PluginError) as caught:
            harness.fit(chunks)
        assert refusal(caught.value) == section["error"]
    else:
        check_state(harness.fit(chunks), section["state"])


def check_transform(harness: Harness[Standardize], schema: Schema, section: dict[str, Any]) -> None:
    harness.state = bytes.fromhex(section["state"])
    if "error" in section:
        with pytest.raises(PluginError) as caught:
            harness.instance(schema)
        assert refusal(caught.value) == section["error"]
        return
    answers = [harness.transform(batch_of(schema, batch)) for batch in section["batches"]]
    assert answers[0].schema == schema_of(section["output"]["schema"])
    found = [{"rows": answer.rows, "columns": [host_view(column) for column in answer]} for answer in answers]
    assert found == section["output"]["batches"]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_standardize_answers_what_the_vector_says(path: pathlib.Path) -> None:
    case = json.loads(path.read_text())
    schema, harness = schema_of(case["schema"]), Harness(Standardize, case["config"])
    if "error" in case:
        with pytest.raises(PluginError) as caught:
            harness.configure(schema)
        assert refusal(caught.value) == case["error"]
    if "fit" in case:
        check_fit(harness, schema, case["fit"])
    if "transform" in case:
        check_transform(harness, schema, case["transform"])


def test_the_vectors_are_what_their_generator_writes() -> None:
    written = {path.stem: path.read_text() for path in CASES}
    assert written == {
        name: generate_standardize.serialised(case) for name, case in generate_standardize.cases().items()
    }
    assert len(written) >= 8

"""Tables up and down, in every form."""

import datetime
import gzip
import pathlib
from collections.abc import Callable
from typing import Any

import pandas
import polars
import pyarrow
import pyarrow.feather
import pytest
from conftest import ROWS_MAX

import tiegel

MORNING = datetime.datetime(2026, 3, 1, 6, 30, tzinfo=datetime.timezone.utc)
ROWS = [
    {"id": 1, "city": "Bern", "height": 540.5, "seen": MORNING, "open": True},
    {"id": 2, "city": None, "height": None, "seen": None, "open": None},
    {"id": 3, "city": "Zürich", "height": 408.0, "seen": MORNING, "open": False},
]
TABLES: dict[str, Callable[[], Any]] = {
    "pandas": lambda: pandas.DataFrame(ROWS),
    "polars": lambda: polars.DataFrame(ROWS),
    "lazy": lambda: polars.LazyFrame(ROWS),
    "pyarrow": lambda: pyarrow.Table.from_pylist(ROWS),
    "batch": lambda: pyarrow.RecordBatch.from_pylist(ROWS),
    "reader": lambda: pyarrow.Table.from_pylist(ROWS).to_reader(),
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_comes_back_as_it_was(client: tiegel.Client, kind: str) -> None:
    dataset = client.upload_dataset(f"table-{kind}", TABLES[kind]())
    assert dataset["rows"] == 3
    types = {field["name"]: field["dtype"] for field in dataset["schema"]}
    assert types == {"id": "int64", "city": "utf8", "height": "float64", "seen": "timestamp_us", "open": "boolean"}
    assert client.read_dataset(f"table-{kind}", "pyarrow").to_pylist() == ROWS
    assert client.read_dataset(f"table-{kind}", "polars").to_dicts() == ROWS
    frame = client.read_dataset(f"table-{kind}")
    assert frame["height"].isna().tolist() == [False, True, False]
    assert frame["seen"].tolist()[0] == MORNING


def test_rows_as_dicts_need_no_package(client: tiegel.Client) -> None:
    client.upload_dataset("dicts", ({"id": number, "half": number / 2} for number in range(4)))
    rows = client.read_dataset("dicts", "rows", columns=["half"], limit=2)
    assert rows == [{"half": 0.0}, {"half": 0.5}]


def test_an_index_with_a_name_is_data(client: tiegel.Client) -> None:
    frame = pandas.DataFrame({"value": [1.5, 2.5]}, index=pandas.Index(["a", "b"], name="key"))
    assert [f["name"] for f in client.upload_dataset("indexed", frame)["schema"]] == ["value", "key"]
    unnamed = frame.rename_axis(None).iloc[::-1]
    assert [f["name"] for f in client.upload_dataset("unnamed", unnamed)["schema"]] == ["value"]


def test_files_are_read_by_their_ending_or_as_told(client: tiegel.Client, tmp_path: pathlib.Path) -> None:
    table = pyarrow.table({"id": [1, 2], "word": ["a", "b"]})
    (tmp_path / "plain.csv").write_text("id,word\n1,a\n2,b\n")
    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress(b"id,word\n1,a\n2,b\n"))
    pyarrow.feather.write_feather(table, str(tmp_path / "table.arrow"), compression="uncompressed")
    (tmp_path / "lines").write_text('{"id": 1, "word": "a"}\n{"id": 2, "word": "b"}\n')
    for number, name in enumerate(("plain.csv", "packed.csv.gz", "table.arrow")):
        client.upload_dataset(f"file-{number}", tmp_path / name)
        assert client.read_dataset(f"file-{number}", "rows") == table.to_pylist(), name
    client.upload_dataset("told", str(tmp_path / "lines"), format="json-lines")
    assert client.query("select count(*) as n from told", "rows") == [{"n": 2}]


def test_an_upload_is_a_new_version(client: tiegel.Client) -> None:
    assert client.upload_dataset("grows", [{"a": 1}])["version"] == 1
    assert client.upload_dataset("grows", [{"a": 1}, {"a": 2}])["version"] == 2
    assert client.read_dataset("grows", "rows", version=1) == [{"a": 1}]
    assert client.dataset("grows")["rows"] == 2
    assert "grows" in [dataset["name"] for dataset in client.datasets()]


@pytest.mark.parametrize(
    ("into", "kind"), [("pandas", pandas.DataFrame), ("polars", polars.DataFrame), ("pyarrow", pyarrow.Table)]
)
def test_a_query_answers_the_table_that_was_asked_for(client: tiegel.Client, into: Any, kind: type) -> None:
    client.upload_dataset("numbers", pandas.DataFrame({"n": range(10)}))
    table: Any = client.query("select n, n * n as square from numbers where n > 7 order by n", into)
    assert [type(table)] == [kind]
    assert [int(value) for value in table["square"]] == [64, 81]


def test_an_answer_that_the_server_cuts_warns(client: tiegel.Client) -> None:
    client.upload_dataset("many", pandas.DataFrame({"n": range(ROWS_MAX + 1)}))
    with pytest.warns(tiegel.TruncatedWarning, match=f"{ROWS_MAX} rows"):
        assert len(client.query("select n from many")) == ROWS_MAX
    assert len(client.query("select n from many", rows_max=ROWS_MAX)) == ROWS_MAX
    assert len(client.query("select n from many limit 5")) == 5
    assert len(client.read_dataset("many")) == ROWS_MAX + 1


def test_a_wrong_query_says_where(client: tiegel.Client) -> None:
    with pytest.raises(tiegel.NotFound, match="has no dataset 'nothing'") as caught:
        client.query("select * from nothing")
    assert caught.value.code == "dataset_not_found"
    assert caught.value.trace_id is not None
    assert len(caught.value.trace_id) == 32
    with pytest.raises(tiegel.Invalid):
        client.query("drop table numbers")


def test_a_file_that_cannot_be_read_fails_its_job(client: tiegel.Client, tmp_path: pathlib.Path) -> None:
    (tmp_path / "broken.csv").write_text("a,b\n1,2\n3\n")
    with pytest.raises(tiegel.JobFailed, match=r"broken\.csv") as caught:
        client.upload_dataset("broken", tmp_path / "broken.csv")
    assert caught.value.job.state == "failed"
    assert client.upload_dataset("later", [{"a": 1}], wait=False).target == "dataset/later"


@pytest.mark.parametrize("data", [5, {"a": 1}, b"bytes", [1, 2]])
def test_what_is_no_table_is_refused(client: tiegel.Client, data: Any) -> None:
    with pytest.raises(tiegel.TiegelError, match=r"is no table|rows are dicts"):
        client.upload_dataset("odd", data)

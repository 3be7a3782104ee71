"""Documents, jobs and predictions."""

import datetime
import pathlib
import random
from typing import Any

import pandas
import polars
import pytest

import tiegel

PROJECT = """apiVersion: tiegel/v1
kind: Dataset
metadata: {name: houses, project: PROJECT}
spec: {source: {path: "data/*.csv"}, tests: [{unique: [id]}]}
---
kind: Pipeline
metadata: {name: rooms}
spec:
  steps:
    priced: {sql: priced.sql, key: [id]}
  split: {step: priced, byFraction: {key: [id], seed: 3, validation: 0.2, test: 0.2}}
---
kind: Training
metadata: {name: price}
spec:
  pipeline: rooms
  task: regression
  target: price
  exclude: [id]
  model: {family: linear}
  train: {epochsMax: 60, batchRows: 64, seed: 1, optimizer: {learningRate: 0.05, schedule: constant}}
  register: {model: PROJECT-price, alias: champion}
---
kind: Endpoint
metadata: {name: PROJECT-price}
spec: {model: PROJECT-price, alias: champion}
"""


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    return write(tmp_path, "default")


def write(folder: pathlib.Path, project: str) -> pathlib.Path:
    numbers = random.Random(5)
    rows = [f"{i},{numbers.randint(1, 6)}.0,{numbers.uniform(0.5, 4.0):.3f}" for i in range(600)]
    (folder / "data").mkdir()
    (folder / "data" / "houses.csv").write_text("id,rooms,area\n" + "\n".join(rows) + "\n")
    (folder / "priced.sql").write_text("select id, rooms, area, 3.0 * rooms + 0.5 * area as price from houses\n")
    (folder / "tiegel.yaml").write_text(PROJECT.replace("PROJECT", project))
    return folder


def test_a_folder_becomes_a_served_model(client: tiegel.Client, folder: pathlib.Path) -> None:
    plan = client.plan(folder)
    assert [change["action"] for change in plan["changes"]] == ["create"] * 4
    assert [change["action"] for change in client.apply(folder)["changes"]] == ["create"] * 4
    job = client.run("endpoint/default-price", timeout=120)
    assert (job.state, job.target) == ("succeeded", "endpoint/default-price")
    assert {step.state for step in job.steps} == {"succeeded"}
    assert client.job("latest").id in [other.id for other in client.jobs()]
    assert all(step["verdict"] == "cached" for step in client.plan(folder)["steps"])

    status = client.status()
    assert [e["state"] for e in status["endpoints"] if e["name"] == "default-price"] == ["ready"]

    rows = [{"rooms": 3.0, "area": 1.5}, {"rooms": 5.0, "area": 2.0}]
    answers = [
        client.predict("default-price", table) for table in (rows, pandas.DataFrame(rows), polars.DataFrame(rows))
    ]
    assert answers[0] == answers[1] == answers[2]
    assert list(answers[0]) == pytest.approx([9.75, 16.0], abs=0.3)
    assert (answers[0].model, answers[0].version) == ("default-price", 1)
    assert answers[0].bundle.startswith("sha256:")
    assert client.predict("default-price", rows[0]).values == answers[0][:1]
    assert len(client.predict("default-price", rows * 6_000)) == 12_000

    with pytest.raises(tiegel.Invalid, match="area"):
        client.predict("default-price", {"rooms": 3.0})
    with pytest.raises(tiegel.NotFound, match="nothing"):
        client.predict("nothing", rows)


def test_a_folder_names_its_project(client: tiegel.Client, server: str, tmp_path: pathlib.Path) -> None:
    write(tmp_path, "houses")
    client.apply(tmp_path / "tiegel.yaml")
    with tiegel.Client(server, project="houses") as own:
        own.run("pipeline/rooms")
        assert own.query('select count(*) as n from "rooms.priced"', "rows") == [{"n": 600}]
    with pytest.raises(tiegel.TiegelError, match="of project 'houses'"):
        tiegel.Client(server, project="other").plan(tmp_path)


def test_documents_may_be_dicts(server: str, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    dataset: dict[str, Any] = {
        "apiVersion": "tiegel/v1",
        "kind": "Dataset",
        "metadata": {"name": "houses"},
        "spec": {"source": {"path": "data/houses.csv"}},
    }
    with tiegel.Client(server, project="dicts") as client:
        serial = client.apply([dataset])["serial"]
        assert client.run("dataset/houses").state == "succeeded"
        dataset["spec"]["tests"] = [{"rows": {"min": 1}}]
        assert client.plan([dataset])["changes"][0]["action"] == "update"
        client.apply([dataset], serial=serial)
        dataset["spec"]["description"] = "too late"
        with pytest.raises(tiegel.Conflict):
            client.apply([dataset], serial=serial)
        with pytest.raises(tiegel.Invalid, match="there is no document"):
            client.plan([])


def test_a_mistake_in_a_document_names_file_line_and_field(client: tiegel.Client, folder: pathlib.Path) -> None:
    (folder / "tiegel.yaml").write_text(PROJECT.replace("source:", "sauce:"))
    with pytest.raises(tiegel.Invalid, match=r"tiegel\.yaml.*line 4") as caught:
        client.plan(folder)
    assert "sauce" in str(caught.value)
    assert caught.value.errors[0]["line"] == 4
    for wrong, message in (("../houses.csv", "leaves the project folder"), ("none.csv", "matches no file")):
        (folder / "tiegel.yaml").write_text(PROJECT.replace("PROJECT", "p").replace("data/*.csv", wrong))
        with pytest.raises(tiegel.TiegelError, match=message):
            client.plan(folder)
    with pytest.raises(tiegel.TiegelError, match="no folder or file"):
        client.plan(folder / "nowhere")


def test_a_job_that_is_too_slow_goes_on(client: tiegel.Client, folder: pathlib.Path) -> None:
    client.apply(folder)
    with pytest.raises(TimeoutError, match="is still"):
        client.run("training/price", no_cache=True, timeout=0)
    assert client.wait("latest").state == "succeeded"
    with pytest.raises(tiegel.Conflict, match="already"):
        client.cancel("latest")


def test_cells_become_json() -> None:
    import decimal

    import numpy

    from tiegel.tables import plain

    zone = datetime.timezone(datetime.timedelta(hours=2))
    assert plain(datetime.datetime(2026, 1, 2, 3, 4, tzinfo=zone)) == "2026-01-02T03:04:00+02:00"
    assert plain(pandas.Timestamp("2026-01-02T03:04")) == "2026-01-02T03:04:00+00:00"
    assert plain(datetime.date(2026, 1, 2)) == "2026-01-02"
    assert [plain(value) for value in (float("nan"), float("-inf"), numpy.float32(0.5), b"\x00")] == [
        "NaN",
        "-Infinity",
        0.5,
        "AA==",
    ]
    assert plain(numpy.array([1, 2])) == [1, 2]
    assert plain(decimal.Decimal("1.5")) == 1.5
    with pytest.raises(tiegel.TiegelError, match="type object"):
        plain(object())

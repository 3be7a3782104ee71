"""Datasets and models that go into a run, and models that come out."""

import json

import pytest
from wire import pairs

SOURCE = json.dumps({"uri": "s3://bucket/data.csv"})


def dataset(name="flights", digest="abc", tags=(), **fields):
    entry = {"name": name, "digest": digest, "source_type": "s3", "source": SOURCE, **fields}
    return {"dataset": entry, "tags": [{"key": key, "value": value} for key, value in tags]}


def log(api, run, *datasets, **fields):
    return api.post("runs/log-inputs", {"run_id": run, "datasets": list(datasets), **fields})


def inputs(api, run):
    return api.run_of(run)["inputs"].get("dataset_inputs", [])


def test_a_dataset_is_kept_with_its_tags(api, run):
    sent = dataset(tags=[("mlflow.data.context", "training")], schema="{}", profile='{"rows": 5}')
    assert log(api, run, sent).ok() == {}
    assert inputs(api, run) == [sent]


def test_the_same_dataset_twice_is_one(api, run):
    log(api, run, dataset(), dataset()).ok()
    log(api, run, dataset()).ok()
    assert len(inputs(api, run)) == 1


def test_another_digest_is_another_dataset(api, run):
    log(api, run, dataset(digest="a"), dataset(digest="b"), dataset(name="other", digest="a")).ok()
    assert len(inputs(api, run)) == 3


def test_runs_of_an_experiment_share_a_dataset(api, experiment):
    first, second = api.run(experiment), api.run(experiment)
    log(api, first, dataset(profile="p1")).ok()
    log(api, second, dataset(profile="p2")).ok()
    assert inputs(api, second)[0]["dataset"]["profile"] == "p1"
    other = api.run(api.experiment())
    log(api, other, dataset(profile="p3")).ok()
    assert inputs(api, other)[0]["dataset"]["profile"] == "p3"


def test_the_first_tags_stay(api, run):
    log(api, run, dataset(tags=[("context", "training")])).ok()
    log(api, run, dataset(tags=[("context", "testing")])).ok()
    assert pairs(inputs(api, run)[0]["tags"]) == {"context": "training"}


@pytest.mark.parametrize(
    "field, length_max", [("name", 500), ("digest", 36), ("source", 65_535), ("schema", 1_048_575)]
)
def test_the_lengths_of_a_dataset_are_limited(api, run, field, length_max):
    log(api, run, dataset(**{field: "x" * length_max})).ok()
    log(api, run, dataset(**{field: "x" * (length_max + 1)})).invalid(str(length_max))


def test_the_lengths_of_input_tags_are_limited(api, run):
    log(api, run, dataset(tags=[("k" * 255, "v" * 500)])).ok()
    log(api, run, dataset(digest="b", tags=[("k" * 256, "v")])).invalid("255")
    log(api, run, dataset(digest="c", tags=[("k", "v" * 501)])).invalid("500")


def test_unknown_runs_and_missing_ids(api):
    unknown = "0123456789abcdef0123456789abcdef"
    log(api, unknown, dataset()).not_found(f"Run with id={unknown} not found")
    api.post("runs/log-inputs", {"datasets": []}).invalid("Missing value for required parameter 'run_id'")
    api.post("runs/log-inputs", {"run_id": "x", "datasets": "x"}).invalid("for parameter 'datasets' supplied")


def model_of(api, experiment):
    body = {"experiment_id": experiment, "name": "model"}
    return api.post("logged-models", body).ok()["model"]["info"]["model_id"]


def test_models_in_and_out(api, experiment, run):
    read, made = model_of(api, experiment), model_of(api, experiment)
    log(api, run, models=[{"model_id": read}]).ok()
    assert api.post("runs/outputs", {"run_id": run, "models": [{"model_id": made, "step": 3}]}).ok() == {}
    found = api.run_of(run)
    assert found["inputs"]["model_inputs"] == [{"model_id": read}]
    assert found["outputs"]["model_outputs"] == [{"model_id": made, "step": 3}]


def test_outputs_need_models(api, run):
    api.post("runs/outputs", {"run_id": run}).invalid("Missing value for required parameter 'models'")
    api.post("runs/outputs", {"models": []}).invalid("Missing value for required parameter 'run_id'")


def test_the_datasets_of_experiments(api, experiment, run):
    log(api, run, dataset(tags=[("mlflow.data.context", "training")]), dataset(name="other")).ok()
    path = "/ajax-api/2.0/mlflow/experiments/search-datasets"
    found = api.post(path, {"experiment_ids": [experiment]}).ok()["dataset_summaries"]
    assert sorted(found, key=lambda summary: summary["name"]) == [
        {"experiment_id": experiment, "name": "flights", "digest": "abc", "context": "training"},
        {"experiment_id": experiment, "name": "other", "digest": "abc"},
    ]
    api.post(path, {}).invalid("at least one experiment_id")
    api.post(path, {"experiment_ids": [str(i) for i in range(21)]}).invalid("more than 20")


def test_the_old_way_to_note_a_model(api, run):
    model = {"artifact_path": "model", "flavors": {"f": {}}, "utc_time_created": "2024-01-01", "run_id": run}
    body = {"run_id": run, "model_json": json.dumps(model)}
    assert api.post("runs/log-model", body).ok() == {}
    [noted] = json.loads(pairs(api.data_of(run)["tags"])["mlflow.log-model.history"])
    assert (noted["artifact_path"], noted["run_id"], noted["flavors"]) == ("model", run, {"f": {}})
    api.post("runs/log-model", body).ok()
    assert len(json.loads(pairs(api.data_of(run)["tags"])["mlflow.log-model.history"])) == 2


def test_an_old_note_must_be_whole(api, run):
    api.post("runs/log-model", {"run_id": run, "model_json": "{"}).invalid("Malformed model info")
    api.post("runs/log-model", {"run_id": run, "model_json": "{}"}).invalid("missing mandatory fields")
    api.post("runs/log-model", {"run_id": run}).invalid("Missing value for required parameter 'model_json'")


def test_client_inputs(fluent):
    import pandas

    frame = pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    data = fluent.data.from_pandas(frame, source="https://example.com/data.csv", name="frame")
    with fluent.start_run() as run:
        fluent.log_input(data, context="training", tags={"version": "3"})
    [logged] = fluent.get_run(run.info.run_id).inputs.dataset_inputs
    assert (logged.dataset.name, logged.dataset.digest) == ("frame", data.digest)
    assert {tag.key: tag.value for tag in logged.tags} == {"mlflow.data.context": "training", "version": "3"}
    assert json.loads(logged.dataset.profile) == {"num_rows": 2, "num_elements": 4}
    assert fluent.data.get_source(logged.dataset).url == "https://example.com/data.csv"

"""A model that Tiegel trained itself, read by MLflow's client."""

import json
import pathlib

import houses
import mlflow
import pytest


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """A client of a server that trained a model."""
    with houses.served(tmp_path_factory.mktemp("own")) as url:
        yield mlflow.MlflowClient(url, registry_uri=url)


@pytest.fixture(scope="module")
def trained(reader):
    experiment = reader.get_experiment_by_name("price")
    runs = reader.search_runs([experiment.experiment_id], "metrics.test_r2 > 0.9 AND params.family = 'linear'")
    assert len(runs) == 1
    return runs[0]


def test_the_run_is_a_normal_run(reader, trained):
    assert trained.info.status == "FINISHED" and trained.info.end_time >= trained.info.start_time > 0
    assert trained.data.params["target"] == "price" and trained.data.params["train.seed"] == "1"
    assert {"train_loss", "validation_rmse", "test_rmse"} <= trained.data.metrics.keys()
    losses = reader.get_metric_history(trained.info.run_id, "train_loss")
    assert [loss.step for loss in losses] == list(range(1, len(losses) + 1)) and losses[-1].value < losses[0].value


def test_the_data_has_its_digest_schema_and_rows(trained):
    [read] = trained.inputs.dataset_inputs
    assert read.dataset.name == "houses"
    assert [(tag.key, tag.value) for tag in read.tags] == [("mlflow.data.context", "training")]
    source = json.loads(read.dataset.source)
    assert source["dataset"] == "houses" and read.dataset.digest in source["digest"]
    columns = json.loads(read.dataset.schema)["mlflow_colspec"]
    assert [column["name"] for column in columns] == ["id", "rooms", "area"]
    assert json.loads(read.dataset.profile) == {"num_rows": 600}


def test_its_files_come_by_the_run_and_by_the_alias(reader, trained, tmp_path):
    run_id = trained.info.run_id
    paths = {file.path for file in reader.list_artifacts(run_id, "model")}
    assert {"model/weights.safetensors", "model/bundle.json"} <= paths
    version = reader.get_model_version_by_alias("price", "champion")
    assert (version.version, version.run_id, version.status) == ("1", run_id, "READY")

    by_run = pathlib.Path(reader.download_artifacts(run_id, "model", str(tmp_path)))
    mlflow.set_tracking_uri(reader.tracking_uri)
    mlflow.set_registry_uri(reader.tracking_uri)
    by_alias = pathlib.Path(mlflow.artifacts.download_artifacts("models:/price@champion"))
    for name in ("weights.safetensors", "bundle.json"):
        assert (by_run / name).read_bytes() == (by_alias / name).read_bytes() != b""
    signature = mlflow.models.Model.load(str(by_alias)).signature
    assert sorted(signature.inputs.input_names()) == ["area", "rooms"]

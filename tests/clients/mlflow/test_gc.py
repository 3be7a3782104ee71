"""What is deleted can be restored until garbage is collected, by `mlflow gc` there and by `tiegel gc` here."""

import os
import subprocess
import sys
import time

import mlflow
import pytest
import servers
from launch import binary
from mlflow import MlflowClient, MlflowException
from mlflow.entities import ViewType
from wire import unique

GRACE_SECONDS = 1


class Collected:
    """A server with its client and its command."""

    def __init__(self, name, url, folder):
        self.name, self.url, self.folder = name, url, folder
        self.client = MlflowClient(url, url)

    def gc(self, *arguments):
        command = [str(binary()), "--server", self.url, "gc", *arguments]
        if self.name == "mlflow":
            places = ("--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db", "--tracking-uri", self.url)
            command = [sys.executable, "-m", "mlflow", "gc", *places, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(self, experiment, **files):
        run_id = self.client.create_run(experiment).info.run_id
        self.client.log_metric(run_id, "loss", 0.5)
        for name, text in files.items():
            self.client.log_text(run_id, text, f"{name}.txt")
        return run_id

    def is_there(self, run_id):
        try:
            return self.client.get_run(run_id).info.run_id == run_id
        except MlflowException as error:
            assert error.error_code == "RESOURCE_DOES_NOT_EXIST"
            return False

    def text(self, run_id, name, folder):
        mlflow.set_tracking_uri(self.url)
        return open(self.client.download_artifacts(run_id, f"{name}.txt", str(folder))).read()


def chosen():
    choice = os.environ.get("TRACKING_SERVERS", "both")
    return ["mlflow", "tiegel"] if choice == "both" else [choice]


@pytest.fixture(scope="module", params=chosen())
def server(request, tmp_path_factory):
    """A server of these tests alone: other tests delete things too."""
    folder = tmp_path_factory.mktemp(f"gc-{request.param}")
    os.environ["TIEGEL_GC__BLOB_GRACE_SECONDS"] = str(GRACE_SECONDS)
    try:
        with {"mlflow": servers.original, "tiegel": servers.ours}[request.param](folder) as url:
            yield Collected(request.param, url, folder)
    finally:
        del os.environ["TIEGEL_GC__BLOB_GRACE_SECONDS"]


@pytest.fixture()
def collected(server):
    mlflow.set_tracking_uri(server.url)
    mlflow.set_registry_uri(server.url)
    return server


@pytest.fixture()
def place(collected):
    return collected.client.create_experiment(unique("collected"))


def test_a_deleted_run_goes_and_others_stay(collected, place, tmp_path):
    gone, active, restored = (collected.run(place, same="same", own=word) for word in ("gone", "active", "restored"))
    for run_id in (gone, restored):
        collected.client.delete_run(run_id)
    collected.client.restore_run(restored)
    time.sleep(GRACE_SECONDS + 0.2)
    collected.gc()
    assert [collected.is_there(run_id) for run_id in (gone, active, restored)] == [False, True, True]
    for run_id, word in ((active, "active"), (restored, "restored")):
        assert collected.text(run_id, "same", tmp_path / run_id) == "same"
        assert collected.text(run_id, "own", tmp_path / run_id) == word
    found = collected.client.search_runs([place], run_view_type=ViewType.ALL)
    assert sorted(run.info.run_id for run in found) == sorted([active, restored])
    assert len(collected.client.get_metric_history(active, "loss")) == 1
    with pytest.raises(MlflowException):
        collected.client.restore_run(gone)


def test_what_was_deleted_lately_waits(collected, place):
    run_id = collected.run(place)
    collected.client.delete_run(run_id)
    collected.gc("--older-than", "1h")
    assert collected.is_there(run_id)
    collected.gc("--older-than", "0.01s")
    assert not collected.is_there(run_id)


def test_a_deleted_experiment_takes_its_runs_along(collected, place):
    name = collected.client.get_experiment(place).name
    run_id = collected.run(place, file="text")
    collected.client.delete_experiment(place)
    collected.gc("--older-than", "1h")
    assert collected.client.get_experiment(place).lifecycle_stage == "deleted"
    collected.gc()
    assert not collected.is_there(run_id)
    with pytest.raises(MlflowException) as error:
        collected.client.get_experiment(place)
    assert error.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    assert collected.client.create_experiment(name), "the name is free again"


def test_a_restored_experiment_keeps_its_runs(collected, place, tmp_path):
    run_id = collected.run(place, file="text")
    collected.client.delete_experiment(place)
    collected.client.restore_experiment(place)
    collected.gc()
    assert collected.client.get_experiment(place).lifecycle_stage == "active"
    assert collected.text(run_id, "file", tmp_path) == "text"


def test_a_deleted_logged_model_goes(collected, place):
    client = collected.client
    gone, stays = (client.create_logged_model(place, name).model_id for name in ("gone", "stays"))
    client.delete_logged_model(gone)
    collected.gc()
    assert [model.model_id for model in client.search_logged_models([place])] == [stays]
    with pytest.raises(MlflowException) as error:
        client.get_logged_model(gone)
    assert error.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_an_age_that_is_none_is_refused(collected):
    with pytest.raises(AssertionError, match="8h"):
        collected.gc("--older-than", "yesterday")


def test_a_dry_run_says_what_would_go_and_changes_nothing(collected, place, tmp_path):
    if collected.name == "mlflow":
        pytest.skip("mlflow gc has no dry run")
    run_id = collected.run(place, file="only here")
    collected.gc()
    collected.client.delete_run(run_id)
    time.sleep(GRACE_SECONDS + 0.2)
    said = collected.gc("--dry-run").split("\n")
    assert said[0] == "would be removed:"
    assert {"1 runs", "0 experiments", "1 files", "1 stored contents", "9 bytes of them"} <= {line.strip() for line in said}
    collected.client.restore_run(run_id)
    assert collected.text(run_id, "file", tmp_path) == "only here"


def test_a_registered_version_keeps_its_files(collected, place, tmp_path):
    """MLflow's own gc takes the files from under it."""
    if collected.name == "mlflow":
        pytest.skip("mlflow gc does not look at the registry")
    client = collected.client
    run_id = collected.run(place)
    client.log_text(run_id, "flavors: {}", "model/MLmodel")
    client.log_text(run_id, "large", "log.txt")
    name = unique("kept")
    client.create_registered_model(name)
    uri = f"{client.get_run(run_id).info.artifact_uri}/model"
    client.create_model_version(name, uri, run_id)
    client.delete_run(run_id)
    time.sleep(GRACE_SECONDS + 0.2)
    collected.gc()
    assert not collected.is_there(run_id)
    kept = mlflow.artifacts.download_artifacts(f"models:/{name}/1", dst_path=str(tmp_path))
    assert open(f"{kept}/MLmodel").read() == "flavors: {}"

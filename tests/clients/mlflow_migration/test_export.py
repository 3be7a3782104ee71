"""A tracking store moves to an MLflow server through the protocol; ids change, and nothing else."""

import mlflow
import pytest
import snapshot
from mlflow import MlflowClient
from mlflow.entities import ViewType

# A server gives these itself.
OWN = ("artifact_uri", "artifact_location", "creation_timestamp", "creation_time", "experiment_id", "source_run_id")


def without(found, *keys):
    return {key: value for key, value in found.items() if key not in keys}


@pytest.fixture()
def exported(source, fresh, move):
    table = move("export", "mlflow", "--to", fresh, server=source)
    assert "DIFFERS" not in table, table
    client = MlflowClient(fresh, fresh)
    experiments = [e.experiment_id for e in client.search_experiments(view_type=ViewType.ALL)]
    runs = client.search_runs(experiments, run_view_type=ViewType.ALL, max_results=1000)
    return client, {run.data.tags["tiegel.source_run_id"]: run.info.run_id for run in runs}


def test_an_mlflow_server_shows_the_same_and_twice_is_once(source, names, exported, fresh, move):
    theirs, (ours, new_ids) = MlflowClient(source, source), exported
    assert sorted(new_ids) == names.runs
    for old, new in new_ids.items():
        mlflow.set_tracking_uri(source)
        before = snapshot.run(theirs, old)
        mlflow.set_tracking_uri(fresh)
        after = snapshot.run(ours, new)
        after["tags"].pop("tiegel.source_run_id")
        if "mlflow.parentRunId" in before["tags"]:
            assert after["tags"].pop("mlflow.parentRunId") == new_ids[before["tags"].pop("mlflow.parentRunId")]
        for side in (before, after):
            side["info"] = without(side["info"], *OWN)
            side["outputs"] = [step for _, step in side["outputs"]]
        assert after == before
    for name, versions in names.versions.items():
        before = snapshot.registered_model(theirs, name, versions)
        after = snapshot.registered_model(ours, name, versions)
        assert (after["description"], after["tags"], after["aliases"]) == (
            before["description"],
            before["tags"],
            before["aliases"],
        )
        for number in versions:
            old, new = before["versions"][number], after["versions"][number]
            for key in ("description", "current_stage", "tags", "aliases"):
                assert (new[key] or None) == (old[key] or None), (name, number, key)
            assert new["run_id"] == new_ids.get(old["run_id"], old["run_id"])
    for trace in names.traces:
        before, after = snapshot.trace(theirs, trace), snapshot.trace(ours, trace)
        assert (after["spans"], after["assessments"]) == (before["spans"], before["assessments"])

    mlflow.set_tracking_uri(fresh)
    mlflow.set_registry_uri(fresh)
    assert mlflow.sklearn.load_model("models:/classifier@champion").predict([[1.0, 0.0, 0.0]]).shape == (1,)

    table = move("export", "mlflow", "--to", fresh, server=source)
    assert "DIFFERS" not in table, table
    experiments = [e.experiment_id for e in ours.search_experiments(view_type=ViewType.ALL)]
    assert len(ours.search_runs(experiments, run_view_type=ViewType.ALL)) == len(names.runs)


def test_an_export_that_was_cut_off_goes_on(source, names, fresh, move, tmp_path):
    move("export", "mlflow", "--to", fresh, server=source)
    journal = tmp_path / "journal.jsonl"
    lines = journal.read_text().splitlines()
    # As if the process had ended in the middle of a line, after things were written that no line tells of.
    journal.write_text("\n".join(lines[:4]) + '\n{"unit": "run/')
    table = move("export", "mlflow", "--to", fresh, server=source)
    assert "DIFFERS" not in table, table
    client = MlflowClient(fresh, fresh)
    experiments = [e.experiment_id for e in client.search_experiments(view_type=ViewType.ALL)]
    assert len(client.search_runs(experiments, run_view_type=ViewType.ALL)) == len(names.runs)
    assert len(client.search_logged_models(experiments)) == len(names.logged_models)
    deleted = client.search_runs(experiments, run_view_type=ViewType.DELETED_ONLY)
    assert sorted(run.info.run_name for run in deleted) == ["deleted alone", "went with it"]


def test_what_a_server_cannot_take_is_said(source, move):
    nobody = "http://127.0.0.1:9"
    said = move("export", "mlflow", "--to", nobody, server=source, code=1)
    assert f"no answer from {nobody}" in said and "the same command goes on" in said


def test_a_name_whose_versions_went_on_is_refused_by_name(source, fresh, move):
    """There a server gives the numbers, so a version that was deleted there leaves a number that ours cannot have."""
    client = MlflowClient(fresh, fresh)
    client.create_registered_model("classifier")
    for _ in range(5):
        client.create_model_version("classifier", "s3://bucket/nothing", None)
    for number in range(1, 6):
        client.delete_model_version("classifier", str(number))
    said = move("export", "mlflow", "--to", fresh, server=source, code=1)
    assert "'classifier'" in said, said

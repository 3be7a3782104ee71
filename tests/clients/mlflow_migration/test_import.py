"""What MLflow kept is in Tiegel as it was, however it was read."""

import json

import mlflow
import pytest
import snapshot
from mlflow import MlflowClient

WAYS = ("database", "server")


@pytest.fixture(scope="module", params=WAYS)
def imported(request, source, store, tmp_path_factory):
    """Both sides, after an import from the database file or through the server."""
    import subprocess

    import servers
    from launch import binary

    folder = tmp_path_factory.mktemp(request.param)
    origin = ["--from", source]
    if request.param == "database":
        origin = ["--from", f"sqlite:///{store}/mlflow.db", "--artifact-root", f"{store}/artifacts"]
    with servers.ours(folder) as url:
        command = [str(binary()), "--server", url, "import", "mlflow", *origin, "--state", str(folder / "journal")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        yield MlflowClient(source, source), MlflowClient(url, url)


def same(imported, describe, *name):
    theirs, ours = imported
    found = []
    for client in (theirs, ours):
        # Artifact URIs without a host are read from the tracking server.
        mlflow.set_tracking_uri(client.tracking_uri)
        found.append(describe(client, *name))
    assert found[1] == found[0]


def test_experiments(imported, names):
    for experiment in names.experiments:
        same(imported, snapshot.experiment, experiment)


def test_runs_with_history_inputs_and_files(imported, names):
    assert len(names.runs) >= 9
    for run in names.runs:
        same(imported, snapshot.run, run)


def test_logged_models(imported, names):
    for model in names.logged_models:
        same(imported, snapshot.logged_model, model)


def test_registered_models_and_prompts(imported, names):
    for name, versions in names.versions.items():
        same(imported, snapshot.registered_model, name, versions)


def test_traces(imported, names):
    for trace in names.traces:
        same(imported, snapshot.trace, trace)


def test_a_registered_model_loads_and_answers(imported):
    theirs, ours = imported
    answers = []
    for client in (theirs, ours):
        mlflow.set_tracking_uri(client.tracking_uri)
        mlflow.set_registry_uri(client.tracking_uri)
        model = mlflow.sklearn.load_model("models:/classifier@champion")
        answers.append(model.predict([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]]).tolist())
    assert answers[0] == answers[1]


def test_versions_go_on_after_the_last_one(imported, names):
    _, ours = imported
    model = names.logged_models[0]
    assert ours.create_model_version("classifier", f"models:/{model}", model_id=model).version == "5"


def test_an_import_again_moves_nothing_and_an_interrupted_one_goes_on(source, store, tiegel, move, tmp_path):
    origin = ["--from", f"sqlite:///{store}/mlflow.db", "--artifact-root", f"{store}/artifacts"]
    move("import", "mlflow", *origin, server=tiegel)
    journal = tmp_path / "journal.jsonl"
    lines = journal.read_text().splitlines()
    # As if the process had ended in the middle of a line.
    journal.write_text("\n".join(lines[:4]) + '\n{"unit": "run/')
    table = move("import", "mlflow", *origin, server=tiegel)
    assert "DIFFERS" not in table
    # A run that goes on is looked at each time, so it may have two lines.
    assert units(journal.read_text().splitlines()) == units(lines)


def units(lines):
    return sorted({json.loads(line)["unit"] for line in lines[1:]})


def test_a_difference_is_shown_and_is_exit_code_1(store, tiegel, move):
    origin = ["--from", f"sqlite:///{store}/mlflow.db", "--artifact-root", f"{store}/artifacts"]
    move("import", "mlflow", *origin, server=tiegel)
    client = MlflowClient(tiegel, tiegel)
    client.set_registered_model_tag("classifier", "added", "here")
    table = move("import", "mlflow", *origin, server=tiegel, code=1)
    row = next(line for line in table.splitlines() if line.startswith("registered model tags"))
    assert row.endswith("DIFFERS"), table


def test_without_the_artifact_folder_the_message_names_the_option(store, tiegel, move):
    said = move("import", "mlflow", "--from", f"sqlite:///{store}/mlflow.db", server=tiegel, code=1)
    assert "--artifact-root" in said

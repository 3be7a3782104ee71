"""Workspaces: made, changed and deleted; what one has does not exist for another."""

import os
import time

import pytest
import servers
from conftest import chosen
from wire import Wire, unique

HEADER = "X-MLFLOW-WORKSPACE"
STATE = "a client repeats a request after a 5xx, and this refusal is for good"


@pytest.fixture(scope="module", params=chosen())
def tracking(request, tmp_path_factory):
    """MLflow's server has workspaces only where it is told so. TEST_MLFLOW_WORKSPACES_URL names one that runs."""
    name = request.param
    running = os.environ.get("TEST_MLFLOW_WORKSPACES_URL" if name == "mlflow" else "TEST_TIEGEL_URL")
    if running:
        yield name, running
        return
    folder = tmp_path_factory.mktemp(f"{name}-workspaces")
    server = servers.original(folder, "--enable-workspaces") if name == "mlflow" else servers.ours(folder)
    with server as url:
        yield name, url


@pytest.fixture(scope="module")
def api(tracking) -> Wire:
    return Wire(*tracking)


def within(api, workspace: str) -> Wire:
    """The same server for a client of a workspace."""
    wire = Wire(api.name, api.url)
    wire.session.headers[HEADER] = workspace
    return wire


def made(api, **fields) -> str:
    name = unique("space")
    answer = api.post("3.0/workspaces", {"name": name, **fields})
    assert answer.status == 201, answer
    return name


@pytest.fixture()
def red(api) -> Wire:
    return within(api, made(api))


@pytest.fixture()
def blue(api) -> Wire:
    return within(api, made(api))


def name_of(wire) -> str:
    return wire.session.headers[HEADER]


def names(api) -> list[str]:
    return [workspace["name"] for workspace in api.get("3.0/workspaces").ok()["workspaces"]]


# Workspaces themselves.


def test_a_new_workspace(api):
    name = unique("space")
    answer = api.post("3.0/workspaces", {"name": name, "description": "ours"})
    assert answer.status == 201, answer
    assert answer.json == {"workspace": {"name": name, "description": "ours"}}
    assert api.get(f"3.0/workspaces/{name}").ok() == answer.json
    assert api.get(f"/ajax-api/3.0/mlflow/workspaces/{name}").ok() == answer.json
    listed = names(api)
    assert name in listed and "default" in listed and listed == sorted(listed)


def test_the_default_workspace_is_there_and_stays(api):
    assert api.get("3.0/workspaces/default").ok()["workspace"]["name"] == "default"
    api.post("3.0/workspaces", {"name": "default"}).invalid("reserved")
    api.delete("3.0/workspaces/default").invalid("reserved")


def test_a_name_is_given_once(api):
    name = made(api)
    api.post("3.0/workspaces", {"name": name}).refused(400, "RESOURCE_ALREADY_EXISTS", name)


BAD_NAMES = ["a", "Team", "under_score", "-dash", "dash-", "a.b", "x" * 64, "workspaces", "api", "ajax-api"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_bad_name_is_refused(api, name):
    api.post("3.0/workspaces", {"name": name}).invalid(name)


@pytest.mark.parametrize(
    "body", [{}, {"name": ""}, {"name": 3}, {"name": "good-name", "description": 3}, {"description": "x"}]
)
def test_a_bad_workspace_is_refused(api, body):
    api.post("3.0/workspaces", body).invalid()


def test_an_update_changes_what_it_names(api):
    name = made(api, description="old")
    path = f"3.0/workspaces/{name}"
    root = "s3://bucket/team"
    changed = api.patch(path, {"default_artifact_root": root}).ok()["workspace"]
    assert changed == {"name": name, "description": "old", "default_artifact_root": root}
    changed = api.patch(path, {"description": "new"}).ok()["workspace"]
    assert changed == {"name": name, "description": "new", "default_artifact_root": root}
    changed = api.patch(path, {"default_artifact_root": ""}).ok()["workspace"]
    assert changed == {"name": name, "description": "new"}
    assert api.get(path).ok()["workspace"] == changed


@pytest.mark.parametrize("body", [{}, {"unknown": "x"}, {"trace_archival_config": {}}])
def test_an_update_of_nothing_is_refused(api, body):
    api.patch(f"3.0/workspaces/{made(api)}", body).invalid("at least one key")


@pytest.mark.parametrize("root", ["relative/path", "s3://bucket/a#b", "runs:/x/y", "http://host/a", "s3://b/a?x=.."])
def test_a_bad_artifact_root_is_refused(api, root):
    api.post("3.0/workspaces", {"name": unique("space"), "default_artifact_root": root}).invalid()
    api.patch(f"3.0/workspaces/{made(api)}", {"default_artifact_root": root}).invalid()


def test_what_is_not_there(api):
    name = unique("none")
    for answer in (
        api.get(f"3.0/workspaces/{name}"),
        api.patch(f"3.0/workspaces/{name}", {"description": "x"}),
        api.delete(f"3.0/workspaces/{name}"),
    ):
        answer.not_found(name)
    api.get("3.0/workspaces/Bad_Name").invalid("Bad_Name")
    api.delete("3.0/workspaces/Bad_Name").invalid("Bad_Name")


# Which one a request is about.


def test_the_server_says_that_it_has_workspaces(api):
    assert api.get("3.0/server-info").ok()["workspaces_enabled"] is True
    assert within(api, "no-such-space").get("3.0/server-info").status == 200


def test_an_unknown_workspace_is_refused(api):
    nowhere = within(api, unique("nowhere"))
    nowhere.get("experiments/get", experiment_id="0").not_found("not found")
    nowhere.post("experiments/create", {"name": unique("e")}).not_found(name_of(nowhere))
    nowhere.get("/api/2.0/mlflow-artifacts/artifacts").not_found(name_of(nowhere))
    within(api, "Bad_Name").get("experiments/get", experiment_id="0").invalid("Bad_Name")


@pytest.mark.parametrize("header", ["", "default", "default  "])
def test_who_names_no_workspace_is_in_the_default_one(api, header):
    experiment = within(api, header).experiment()
    assert api.get("experiments/get", experiment_id=experiment).ok()["experiment"]["experiment_id"] == experiment
    assert api.get("experiments/get", experiment_id="0").ok()["experiment"]["name"] == "Default"


# What is in one is not in another.


def test_experiments_are_apart(api, red, blue):
    name = unique("same")
    ours, theirs = red.experiment(name), blue.experiment(name)
    assert ours != theirs
    for wire, own, foreign in ((red, ours, theirs), (blue, theirs, ours)):
        assert wire.get("experiments/get-by-name", experiment_name=name).ok()["experiment"]["experiment_id"] == own
        wire.get("experiments/get", experiment_id=foreign).not_found(foreign)
        for path in ("delete", "restore", "update", "set-experiment-tag"):
            body = {"experiment_id": foreign, "new_name": "x", "key": "a", "value": "b"}
            wire.post(f"experiments/{path}", body).not_found()
        wire.post("runs/create", {"experiment_id": foreign}).not_found()
        found = wire.post("experiments/search", {"max_results": 100}).ok()["experiments"]
        assert [entry["experiment_id"] for entry in found] == [own]
    api.get("experiments/get", experiment_id=ours).not_found()
    assert api.get("experiments/get-by-name", experiment_name=name).status == 404


def test_an_experiment_keeps_its_files_in_a_folder_of_its_workspace(red):
    experiment = red.experiment()
    location = red.get("experiments/get", experiment_id=experiment).ok()["experiment"]["artifact_location"]
    assert location == f"mlflow-artifacts:/workspaces/{name_of(red)}/{experiment}"
    body = {"name": unique("e"), "artifact_location": "s3://bucket/x"}
    red.post("experiments/create", body).invalid("artifact_location")


def test_the_root_of_a_workspace_is_where_its_experiments_keep_files(api):
    wire = within(api, made(api, default_artifact_root="s3://bucket/team"))
    experiment = wire.experiment()
    location = wire.get("experiments/get", experiment_id=experiment).ok()["experiment"]["artifact_location"]
    assert location == f"s3://bucket/team/{experiment}"


def test_runs_are_apart(api, red, blue):
    experiment = red.experiment()
    run = red.run(experiment)
    red.metric(run, "a", 1.0).ok()
    for foreign in (blue, api):
        for path in ("runs/get", "artifacts/list"):
            foreign.get(path, run_id=run).not_found(run)
        foreign.metric(run, "a", 2.0).not_found(run)
        foreign.param(run, "a", "b").not_found(run)
        foreign.tag(run, "a", "b").not_found(run)
        foreign.batch(run, [("a", 2.0, 1, 1)]).not_found(run)
        foreign.post("runs/update", {"run_id": run, "status": "FAILED"}).not_found(run)
        foreign.post("runs/delete", {"run_id": run}).not_found(run)
        assert foreign.search_runs([experiment]).ok().get("runs", []) == []
        nothing = foreign.get("metrics/get-history", run_id=run, metric_key="a")
        because = "nothing is known of an unknown run's metrics, here as without workspaces"
        assert nothing.status == api.differs(ours=200, original=404, because=because)
        assert "metrics" not in nothing.json
    assert len(red.history(run, "a")) == 1 and red.found(experiment) == [run]


def test_models_are_apart(api, red, blue):
    name = unique("same")
    for wire, versions in ((red, 1), (blue, 2), (api, 3)):
        wire.post("registered-models/create", {"name": name, "description": f"of {versions}"}).ok()
        for _ in range(versions):
            wire.post("model-versions/create", {"name": name, "source": "s3://bucket/model"}).ok()
        body = {"name": name, "alias": "best", "version": str(versions)}
        wire.post("registered-models/alias", body).ok()
    for wire, versions in ((red, 1), (blue, 2), (api, 3)):
        model = wire.get("registered-models/get", name=name).ok()["registered_model"]
        assert (model["description"], model["latest_versions"][0]["version"]) == (f"of {versions}", str(versions))
        best = wire.get("registered-models/alias", name=name, alias="best").ok()["model_version"]
        assert best["version"] == str(versions)
        found = wire.get("model-versions/search", filter=f"name = '{name}'").ok()["model_versions"]
        assert len(found) == versions
        assert wire.get("model-versions/get", name=name, version="3").status == (200 if versions == 3 else 404)
    red.delete("registered-models/delete", {"name": name}).ok()
    red.get("registered-models/get", name=name).not_found(name)
    assert len(blue.get("registered-models/search", filter=f"name = '{name}'").ok()["registered_models"]) == 1
    blue.post("registered-models/rename", {"name": name, "new_name": name + "-new"}).ok()
    assert api.get("registered-models/get", name=name).status == 200


def test_logged_models_are_apart(api, red, blue):
    experiment = red.experiment()
    model = red.post("logged-models", {"experiment_id": experiment, "name": "net"}).ok()["model"]["info"]["model_id"]
    for foreign in (blue, api):
        foreign.get(f"logged-models/{model}").not_found(model)
        foreign.patch(f"logged-models/{model}", {"model_id": model, "status": 2}).not_found(model)
        found = foreign.post("logged-models/search", {"experiment_ids": [experiment]}).ok()
        assert found.get("models", []) == []
        foreign.get(f"logged-models/{model}/artifacts/directories").not_found(model)
        name = unique("m")
        foreign.post("registered-models/create", {"name": name}).ok()
        body = {"name": name, "source": f"models:/{model}", "model_id": model}
        answer = foreign.post("model-versions/create", body)
        answer.refused(404, "RESOURCE_DOES_NOT_EXIST", model, original=(500, "INTERNAL_ERROR"), because=STATE)
    assert red.get(f"logged-models/{model}").status == 200


def trace_in(wire, experiment: str) -> str:
    trace_id = "tr-" + os.urandom(16).hex()
    info = {
        "trace_id": trace_id,
        "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}},
        "request_time": "2023-11-14T22:13:20Z",
        "state": "OK",
    }
    wire.post("3.0/traces", {"trace": {"trace_info": info}}).ok()
    return trace_id


def test_traces_are_apart(api, red, blue):
    experiment = red.experiment()
    trace_id = trace_in(red, experiment)
    body = {"locations": [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}]}
    for foreign in (blue, api):
        foreign.get(f"3.0/traces/{trace_id}").not_found(trace_id)
        foreign.patch(f"traces/{trace_id}/tags", {"key": "a", "value": "b"}).not_found(trace_id)
        assert foreign.post("3.0/traces/search", body).ok().get("traces", []) == []
    assert len(red.post("3.0/traces/search", body).ok()["traces"]) == 1


def test_evaluation_datasets_are_apart(api, red, blue):
    dataset = red.post("3.0/datasets/create", {"name": unique("d")}).ok()["dataset"]["dataset_id"]
    for foreign in (blue, api):
        foreign.get(f"3.0/datasets/{dataset}").not_found(dataset)
        foreign.patch(f"3.0/datasets/{dataset}/tags", {"tags": '{"a": "b"}'}).not_found(dataset)
        listed = foreign.post("3.0/datasets/search", {"max_results": 50}).ok().get("datasets", [])
        assert dataset not in [entry["dataset_id"] for entry in listed]
    assert red.get(f"3.0/datasets/{dataset}").status == 200


def test_webhooks_are_apart(api, red, blue):
    event = {"entity": "REGISTERED_MODEL", "action": "CREATED"}
    body = {"name": "hook", "url": "https://93.184.216.34/hook", "events": [event], "status": "DISABLED"}
    hook = red.post("webhooks", body).ok()["webhook"]["webhook_id"]
    for foreign in (blue, api):
        foreign.get(f"webhooks/{hook}").not_found(hook)
        foreign.delete(f"webhooks/{hook}").not_found(hook)
    assert blue.get("webhooks").ok().get("webhooks", []) == []
    assert [entry["webhook_id"] for entry in red.get("webhooks").ok()["webhooks"]] == [hook]


ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"


def test_artifacts_are_apart(api, red, blue):
    path = unique("folder") + "/file.txt"
    whole = f"{ARTIFACTS}/workspaces/{name_of(red)}/{path}"
    assert red.send("PUT", f"{ARTIFACTS}/{path}", data=b"red").status == 200
    assert red.get(whole).content == b"red"
    assert red.get(f"{ARTIFACTS}/{path}").content == b"red"
    for foreign in (blue, api):
        foreign.get(whole).invalid(name_of(red))
        foreign.send("PUT", whole, data=b"stolen").invalid(name_of(red))
        foreign.delete(whole).invalid(name_of(red))
        assert foreign.get(f"{ARTIFACTS}/{path}").status in (404, 500)
    assert red.get(whole).content == b"red"
    files = red.get(ARTIFACTS, path=path.split("/")[0]).ok()["files"]
    assert [file["path"] for file in files] == ["file.txt"]
    red.get(f"{ARTIFACTS}/workspaces/").invalid()


# Clients.


def test_the_client_makes_workspaces(client):
    name = unique("space")
    assert client.create_workspace(name, description="ours").description == "ours"
    assert name in [workspace.name for workspace in client.list_workspaces()]
    assert client.update_workspace(name, description="new").description == "new"
    assert client.get_workspace(name).description == "new"
    assert client.get_workspace_store_uri().startswith("http")
    client.delete_workspace(name)
    assert name not in [workspace.name for workspace in client.list_workspaces()]


@pytest.fixture()
def in_two(tracking):
    """The module `mlflow` and two workspaces."""
    import mlflow

    mlflow.set_tracking_uri(tracking[1])
    mlflow.set_registry_uri(tracking[1])
    spaces = [unique("space"), unique("space")]
    for space in spaces:
        mlflow.create_workspace(space)
    yield mlflow, *spaces
    while mlflow.active_run():
        mlflow.end_run()
    mlflow.set_workspace(None)


def test_a_script_works_in_the_workspace_that_it_sets(in_two, tmp_path):
    mlflow, red, blue = in_two
    name = unique("script")
    for space in (red, blue, None):
        mlflow.set_workspace(space)
        mlflow.set_experiment(name)
        with mlflow.start_run() as run:
            mlflow.log_param("space", str(space))
            mlflow.log_text(str(space), "notes/space.txt")
            with mlflow.start_span("work") as span:
                span.set_outputs(str(space))
        mlflow.flush_trace_async_logging()
        client = mlflow.MlflowClient()
        client.create_registered_model(name)
        version = client.create_model_version(name, f"{run.info.artifact_uri}/notes", run.info.run_id)
        assert int(version.version) == 1
        assert list(mlflow.search_runs()["params.space"]) == [str(space)]
        assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/notes/space.txt") == str(space)
        folder = mlflow.artifacts.download_artifacts(f"models:/{name}/1", dst_path=str(tmp_path / str(space)))
        assert [file.name for file in os.scandir(folder)] == ["space.txt"]
        [trace] = mlflow.search_traces(return_type="list")
        assert trace.data.spans[0].outputs == str(space)
    mlflow.set_workspace(blue)
    with pytest.raises(mlflow.exceptions.MlflowException, match="not found"):
        mlflow.get_run(run.info.run_id)


# What becomes of what is in a workspace that goes.


def filled(wire) -> tuple[str, str, str]:
    experiment = wire.experiment(unique("kept"))
    run = wire.run(experiment)
    wire.metric(run, "a", 1.0).ok()
    name = unique("kept")
    wire.post("registered-models/create", {"name": name}).ok()
    return experiment, run, name


def test_a_workspace_that_is_not_empty_stays(api, red):
    filled(red)
    for mode in ("", "?mode=RESTRICT"):
        answer = api.delete(f"3.0/workspaces/{name_of(red)}{mode}")
        answer.refused(400, "INVALID_STATE", "still contains", original=(500, "INVALID_STATE"), because=STATE)
    assert name_of(red) in names(api)


def test_what_is_in_it_may_go_to_the_default_workspace(api, red):
    experiment, run, name = filled(red)
    answer = api.delete(f"3.0/workspaces/{name_of(red)}?mode=SET_DEFAULT")
    assert (answer.status, answer.content) == (204, b""), answer
    assert name_of(red) not in names(api)
    assert api.found(experiment) == [run] and len(api.history(run, "a")) == 1
    assert api.get("registered-models/get", name=name).status == 200


def test_names_that_clash_keep_a_workspace(api, red):
    experiment, _, name = filled(red)
    api.post("registered-models/create", {"name": name}).ok()
    answer = api.delete(f"3.0/workspaces/{name_of(red)}?mode=SET_DEFAULT")
    answer.refused(400, "INVALID_STATE", name, original=(500, "INVALID_STATE"), because=STATE)
    assert red.get("experiments/get", experiment_id=experiment).status == 200


def test_what_is_in_it_may_be_deleted(api, red):
    experiment, run, name = filled(red)
    trace_in(red, experiment)
    space = name_of(red)
    answer = api.delete(f"3.0/workspaces/{space}?mode=CASCADE")
    assert answer.status == 204, answer
    assert space not in names(api)
    assert api.post("3.0/workspaces", {"name": space}).status == 201
    # MLflow's workers forget what they knew of a workspace a little later.
    time.sleep(0 if not api.is_original else 1)
    red.get("experiments/get", experiment_id=experiment).not_found()
    red.get("runs/get", run_id=run).not_found()
    red.get("registered-models/get", name=name).not_found()


def test_a_bad_mode_is_refused(api, red):
    api.delete(f"3.0/workspaces/{name_of(red)}?mode=NONSENSE").invalid("NONSENSE")
    assert name_of(red) in names(api)

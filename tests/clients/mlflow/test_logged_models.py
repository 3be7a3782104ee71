"""Logged models: life cycle, params, tags, search."""

import pytest
from wire import pairs, unique

PENDING, READY, FAILED = (f"LOGGED_MODEL_{word}" for word in ("PENDING", "READY", "UPLOAD_FAILED"))


def create(api, experiment, name="model", **fields):
    body = {"experiment_id": experiment, "name": name, **fields}
    return api.post("logged-models", body).ok()["model"]["info"]["model_id"]


def get(api, model_id):
    return api.get(f"logged-models/{model_id}").ok()["model"]


def entries(**values):
    return [{"key": key, "value": value} for key, value in values.items()]


def test_a_new_model(api, experiment, run):
    body = {
        "experiment_id": experiment,
        "name": "model",
        "model_type": "Agent",
        "source_run_id": run,
        "params": entries(a="1"),
        "tags": entries(t="u"),
    }
    model = api.post("logged-models", body).ok()["model"]
    info = model["info"]
    assert info["model_id"].startswith("m-") and len(info["model_id"]) == 34
    assert info["creation_timestamp_ms"] == info["last_updated_timestamp_ms"] > 1_600_000_000_000
    expected = {
        "experiment_id": experiment,
        "name": "model",
        "model_type": "Agent",
        "source_run_id": run,
        "status": PENDING,
        "tags": entries(t="u"),
        "artifact_uri": f"mlflow-artifacts:/{experiment}/models/{info['model_id']}/artifacts",
    }
    assert info.items() >= expected.items()
    assert model["data"] == {"params": entries(a="1")}
    assert get(api, info["model_id"]) == model


def test_a_model_without_a_name_gets_one(api, experiment):
    model = api.post("logged-models", {"experiment_id": experiment}).ok()["model"]
    assert model["info"]["name"].count("-") == 2


@pytest.mark.parametrize("name", ["a/b", "a.b", "a:b", "a%b", "a'b", 'a"b'])
def test_names_that_are_bad(api, experiment, name):
    api.post("logged-models", {"experiment_id": experiment, "name": name}).invalid("Invalid model name")


def test_names_may_repeat(api, experiment):
    assert create(api, experiment, "same") != create(api, experiment, "same")


def test_an_experiment_is_required_and_known(api):
    api.post("logged-models", {"name": "x"}).invalid("Missing value for required parameter 'experiment_id'")
    api.post("logged-models", {"experiment_id": "987654321"}).not_found("No Experiment with id=987654321 exists")


def test_an_unknown_model_is_not_found(api):
    says = "Logged model with ID 'm-none' not found"
    api.get("logged-models/m-none").not_found(says)
    api.patch("logged-models/m-none", {"model_id": "m-none", "status": READY}).not_found(says)
    api.patch("logged-models/m-none/tags", {"tags": entries(a="b")}).not_found(says)
    api.delete("logged-models/m-none").not_found(says)


@pytest.mark.parametrize("status", [READY, FAILED])
def test_finalize(api, experiment, status):
    model_id = create(api, experiment)
    body = {"model_id": model_id, "status": status}
    assert api.patch(f"logged-models/{model_id}", body).ok()["model"]["info"]["status"] == status
    assert get(api, model_id)["info"]["status"] == status


def test_finalize_needs_a_status(api, experiment):
    model_id = create(api, experiment)
    says = "Missing value for required parameter 'status'"
    api.patch(f"logged-models/{model_id}", {"model_id": model_id}).invalid(says)


def test_tags(api, experiment):
    model_id = create(api, experiment, tags=entries(a="1"))
    path = f"logged-models/{model_id}/tags"
    assert api.patch(path, {"model_id": model_id, "tags": entries(a="2", b="日本")}).ok() == {}
    assert pairs(get(api, model_id)["info"]["tags"]) == {"a": "2", "b": "日本"}
    assert api.delete(f"{path}/a").ok() == {}
    assert pairs(get(api, model_id)["info"]["tags"]) == {"b": "日本"}
    api.delete(f"{path}/a").not_found("No tag with key 'a'")


def test_params(api, experiment):
    model_id = create(api, experiment, params=entries(a="1"))
    path = f"logged-models/{model_id}/params"
    assert api.post(path, {"model_id": model_id, "params": entries(b="2")}).ok() == {}
    assert pairs(get(api, model_id)["data"]["params"]) == {"a": "1", "b": "2"}


def test_delete(api, experiment):
    model_id = create(api, experiment)
    assert api.delete(f"logged-models/{model_id}").ok() == {}
    api.get(f"logged-models/{model_id}").not_found()
    assert search(api, experiment) == []
    assert api.get(f"logged-models/{model_id}", allow_deleted="true").ok()["model"]["info"]["model_id"] == model_id


def test_artifacts(api, experiment):
    model_id = create(api, experiment)
    root = f"{experiment}/models/{model_id}/artifacts"
    for name in ("MLmodel", "data/model.pkl"):
        assert api.send("PUT", f"/api/2.0/mlflow-artifacts/artifacts/{root}/{name}", data=b"123").status == 200
    path = f"logged-models/{model_id}/artifacts/directories"
    answer = api.get(path).ok()
    assert answer["root_uri"] == f"mlflow-artifacts:/{root}"
    assert sorted(answer["files"], key=lambda entry: entry["path"]) == [
        {"path": "MLmodel", "is_dir": False, "file_size": 3},
        {"path": "data", "is_dir": True},
    ]
    [entry] = api.get(path, artifact_directory_path="data").ok()["files"]
    assert entry["path"] == "data/model.pkl"
    api.get(path, artifact_directory_path="../..").invalid("Invalid path")
    files = f"/ajax-api/2.0/mlflow/logged-models/{model_id}/artifacts/files"
    assert api.get(files, artifact_file_path="data/model.pkl").content == b"123"
    api.get(files, artifact_file_path="../../a").invalid("Invalid path")


def search(api, experiment, **fields):
    answer = api.post("logged-models/search", {"experiment_ids": [experiment], **fields}).ok()
    return [model["info"]["name"] for model in answer.get("models", [])]


@pytest.fixture(scope="module")
def shelf(api):
    """Models a, b and c with metrics, b's on two datasets."""
    experiment = api.experiment()
    run = api.run(experiment)
    for name, kind, params, metrics in (
        ("a", "Agent", {"lr": "0.1"}, [("acc", 0.1, "d1", "1")]),
        ("b", "Classifier", {"lr": "0.2"}, [("acc", 0.3, "d1", "2"), ("f1", 0.9, "d2", "1")]),
        ("c", "Agent", {}, []),
    ):
        model_id = create(api, experiment, name, model_type=kind, params=entries(**params), tags=entries(n=name))
        for key, value, dataset, digest in metrics:
            metric = {"run_id": run, "key": key, "value": value, "timestamp": 5, "step": 1, "model_id": model_id}
            api.post("runs/log-metric", metric | {"dataset_name": dataset, "dataset_digest": digest}).ok()
    body = {"model_id": model_id, "status": READY}
    api.patch(f"logged-models/{model_id}", body).ok()
    return experiment


@pytest.mark.parametrize(
    "filter, names",
    [
        ("name = 'a'", "a"),
        ("attributes.name != 'a'", "cb"),
        ("name LIKE 'a%'", "a"),
        ("name ILIKE 'A'", "a"),
        ("name IN ('a', 'b')", "ba"),
        ("name NOT IN ('a', 'b')", "c"),
        ("model_type = 'Agent'", "ca"),
        ("params.lr = '0.1'", "a"),
        ("params.lr != '0.1'", "b"),
        ("params.lr LIKE '0.%'", "ba"),
        ("tags.n = 'b'", "b"),
        ("metrics.acc > 0.2", "b"),
        ("metrics.acc >= 0.1 AND name = 'a'", "a"),
        ("metrics.acc < 0.2", "a"),
        ("metrics.none > 0", ""),
        ("creation_timestamp > 5", "cba"),
        ("last_updated_timestamp < 5", ""),
    ],
)
def test_search(api, shelf, filter, names):
    assert "".join(search(api, shelf, filter=filter)) == names


@pytest.mark.parametrize(
    "order, names",
    [
        ([], "cba"),
        ([{"field_name": "name"}], "abc"),
        ([{"field_name": "name", "ascending": False}], "cba"),
        ([{"field_name": "creation_time", "ascending": True}], "abc"),
        ([{"field_name": "creation_timestamp", "ascending": False}], "cba"),
        ([{"field_name": "metrics.acc", "ascending": True}], "abc"),
        ([{"field_name": "metrics.acc", "ascending": False}], "bac"),
        ([{"field_name": "metrics.acc", "ascending": False, "dataset_name": "d1"}], "bac"),
        ([{"field_name": "metrics.acc", "dataset_name": "d1", "dataset_digest": "1"}], "acb"),
    ],
)
def test_order(api, shelf, order, names):
    assert "".join(search(api, shelf, order_by=order)) == names


def test_search_on_datasets(api, shelf):
    on_d2 = {"filter": "metrics.f1 > 0.05", "datasets": [{"dataset_name": "d2"}]}
    because = "a dataset without a digest means every digest, as the order by a dataset does"
    assert search(api, shelf, **on_d2) == api.differs(ours=["b"], original=[], because=because)
    first_d1 = {"filter": "metrics.acc > 0.05", "datasets": [{"dataset_name": "d1", "dataset_digest": "1"}]}
    assert search(api, shelf, **first_d1) == ["a"]
    api.post("logged-models/search", {"experiment_ids": [shelf], "datasets": [{"dataset_digest": "1"}]}).invalid()


@pytest.mark.parametrize(
    "fields",
    [
        {"filter": "name > 'x'"},
        {"filter": "unknown = 1"},
        {"filter": "name = 'a' OR name = 'b'"},
        {"filter": "name IS NULL"},
        {"order_by": [{"field_name": "unknown"}]},
        {"order_by": [{"field_name": "params.lr"}]},
        {"order_by": [{}]},
        {"order_by": "name"},
        {"max_results": "x"},
        {"experiment_ids": "1"},
    ],
)
def test_a_bad_search_is_refused(api, shelf, fields):
    api.post("logged-models/search", {"experiment_ids": [shelf], **fields}).invalid()


def test_a_metric_is_compared_to_a_number(api, shelf):
    body = {"experiment_ids": [shelf], "filter": "metrics.acc = 'a'"}
    because = "the filter can never be answered"
    api.post("logged-models/search", body).invalid(original=(500, "INTERNAL_ERROR"), because=because)


def test_pages(api, shelf):
    order, found, token = [{"field_name": "name"}], [], None
    for _ in range(3):
        body = {"experiment_ids": [shelf], "order_by": order, "max_results": 1, "page_token": token}
        page = api.post("logged-models/search", body).ok()
        found += [model["info"]["name"] for model in page["models"]]
        token = page.get("next_page_token")
    assert (found, token) == (["a", "b", "c"], None)


def test_a_token_belongs_to_its_search(api, shelf):
    body = {"experiment_ids": [shelf], "max_results": 1}
    token = api.post("logged-models/search", body).ok()["next_page_token"]
    api.post("logged-models/search", body | {"page_token": token, "filter": "name = 'a'"}).invalid()
    answer = api.post("logged-models/search", body | {"page_token": "nonsense"})
    answer.invalid(original=(500,), because="a bad token can never become a good one")
    assert api.post("logged-models/search", {"experiment_ids": []}).ok() == {}


def test_client_logged_models(fluent):
    model = fluent.initialize_logged_model(name=unique("client"), params={"a": "1"}, tags={"b": "2"})
    fluent.log_model_params({"c": "3"}, model.model_id)
    fluent.set_logged_model_tags(model.model_id, {"d": "4"})
    fluent.delete_logged_model_tag(model.model_id, "b")
    fluent.finalize_logged_model(model.model_id, "READY")
    found = fluent.get_logged_model(model.model_id)
    assert (found.params, found.tags["d"], str(found.status)) == ({"a": "1", "c": "3"}, "4", "READY")
    assert "b" not in found.tags
    with fluent.start_run():
        fluent.log_metric("acc", 0.5, model_id=model.model_id)
    [listed] = fluent.search_logged_models(filter_string="metrics.acc > 0.4", output_format="list")
    assert listed.model_id == model.model_id and listed.metrics[0].value == 0.5
    fluent.MlflowClient().delete_logged_model(model.model_id)
    assert fluent.search_logged_models(output_format="list") == []

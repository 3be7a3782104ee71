"""Model versions: numbers, stages, sources, tags."""

import pytest
from wire import pairs, unique

BASE = "model-versions"


@pytest.fixture()
def name(api) -> str:
    name = unique("versioned")
    api.post("registered-models/create", {"name": name}).ok()
    return name


def create(api, name, **fields):
    return api.post(f"{BASE}/create", {"name": name, "source": "s3://bucket/model", **fields})


def get(api, name, version="1"):
    return api.get(f"{BASE}/get", name=name, version=version).ok()["model_version"]


def stage(api, name, version, stage, **fields):
    body = {"name": name, "version": version, "stage": stage, **fields}
    return api.post(f"{BASE}/transition-stage", body)


def test_a_new_version(api, name, run):
    tags = [{"key": "k", "value": "v"}]
    created = create(api, name, run_id=run, description="d", tags=tags, run_link="https://x/y").ok()["model_version"]
    assert created == get(api, name)
    assert created["creation_timestamp"] == created["last_updated_timestamp"] > 1_600_000_000_000
    expected = {
        "name": name,
        "version": "1",
        "current_stage": "None",
        "description": "d",
        "source": "s3://bucket/model",
        "run_id": run,
        "run_link": "https://x/y",
        "status": "READY",
        "tags": tags,
    }
    assert created.items() >= expected.items()


def test_numbers_grow_and_are_never_used_again(api, name):
    assert [create(api, name).ok()["model_version"]["version"] for _ in range(3)] == ["1", "2", "3"]
    for number in ("3", "1"):
        assert api.delete(f"{BASE}/delete", {"name": name, "version": number}).ok() == {}
    assert create(api, name).ok()["model_version"]["version"] == "4"
    api.get(f"{BASE}/get", name=name, version="3").not_found(f"Model Version (name={name}, version=3) not found")


def test_a_deleted_version_leaves_its_model_up_to_date(api, name):
    create(api, name).ok(), create(api, name).ok()
    api.delete(f"{BASE}/delete", {"name": name, "version": "2"}).ok()
    model = api.get("registered-models/get", name=name).ok()["registered_model"]
    assert [entry["version"] for entry in model["latest_versions"]] == ["1"]
    api.delete(f"{BASE}/delete", {"name": name, "version": "2"}).not_found()


def test_a_version_of_an_unknown_model(api):
    name = unique("never")
    create(api, name).not_found(f"Registered Model with name={name} not found")
    api.get(f"{BASE}/get", name=name, version="1").not_found(f"Model Version (name={name}, version=1) not found")


@pytest.mark.parametrize("version", ["x", "1.5", "-", "v1"])
def test_a_version_is_a_number(api, name, version):
    api.get(f"{BASE}/get", name=name, version=version).invalid()


def test_what_is_required(api, name):
    says = "Missing value for required parameter '{}'"
    api.post(f"{BASE}/create", {"name": name}).invalid(says.format("source"))
    api.post(f"{BASE}/create", {"source": "s3://b/m"}).invalid(says.format("name"))
    api.get(f"{BASE}/get", name=name).invalid(says.format("version"))
    api.get(f"{BASE}/get", version="1").invalid(says.format("name"))
    api.post(f"{BASE}/transition-stage", {"name": name, "version": "1"}).invalid(says.format("stage"))
    api.get(f"{BASE}/get-download-uri", name=name).invalid("version")
    api.post(f"{BASE}/set-tag", {"name": name, "version": "1", "value": "v"}).invalid(says.format("key"))


def test_a_description_is_updated(api, name):
    create(api, name, description="old").ok()
    body = {"name": name, "version": "1", "description": "new"}
    assert api.patch(f"{BASE}/update", body).ok()["model_version"]["description"] == "new"
    assert get(api, name)["description"] == "new"
    api.patch(f"{BASE}/update", body | {"version": "2"}).not_found()


def test_stages(api, name):
    create(api, name).ok()
    for word in ("Staging", "Production", "Archived", "None"):
        assert stage(api, name, "1", word).ok()["model_version"]["current_stage"] == word
    assert stage(api, name, "1", "production").ok()["model_version"]["current_stage"] == "Production"
    stage(api, name, "1", "Unknown").invalid("Invalid Model Version stage")
    stage(api, name, "2", "Staging").not_found()


@pytest.mark.parametrize("word", ["Staging", "Production"])
def test_a_new_holder_of_a_stage_can_archive_the_old_ones(api, name, word):
    for number in ("1", "2", "3"):
        create(api, name).ok()
        if number != "3":
            stage(api, name, number, word, archive_existing_versions=False).ok()
    stage(api, name, "3", word, archive_existing_versions=True).ok()
    assert [get(api, name, number)["current_stage"] for number in ("1", "2", "3")] == ["Archived", "Archived", word]


def test_only_active_stages_archive_others(api, name):
    create(api, name).ok(), create(api, name).ok()
    for word in ("None", "Archived"):
        stage(api, name, "1", word, archive_existing_versions=True).invalid(
            "archive", original=(500, "INTERNAL_ERROR"), because="the request can never succeed"
        )


def test_tags(api, name):
    create(api, name).ok()
    tag = {"name": name, "version": "1", "key": "k", "value": "v"}
    assert api.post(f"{BASE}/set-tag", tag).ok() == {}
    api.post(f"{BASE}/set-tag", tag | {"value": "w"}).ok()
    api.post(f"{BASE}/set-tag", tag | {"key": "other"}).ok()
    assert pairs(get(api, name)["tags"]) == {"k": "w", "other": "v"}
    body = {"name": name, "version": "1", "key": "k"}
    assert api.delete(f"{BASE}/delete-tag", body).ok() == {}
    assert pairs(get(api, name)["tags"]) == {"other": "v"}
    assert api.delete(f"{BASE}/delete-tag", body).ok() == {}
    api.post(f"{BASE}/set-tag", tag | {"version": "9"}).not_found()
    api.post(f"{BASE}/set-tag", tag | {"key": "k" * 251}).invalid("250")


def test_the_source_can_be_downloaded_from(api, name):
    create(api, name).ok()
    assert api.get(f"{BASE}/get-download-uri", name=name, version="1").ok() == {"artifact_uri": "s3://bucket/model"}
    api.get(f"{BASE}/get-download-uri", name=name, version="2").not_found()


def test_a_version_of_a_version_points_to_the_same_bytes(api, name):
    create(api, name).ok()
    assert create(api, name, source=f"models:/{name}/1").ok()["model_version"]["version"] == "2"
    assert api.get(f"{BASE}/get-download-uri", name=name, version="2").ok()["artifact_uri"] == "s3://bucket/model"
    create(api, name, source=f"models:/{name}/9").not_found()


def test_a_version_of_a_logged_model_is_tagged_there(api, name, experiment):
    model = api.post("logged-models", {"experiment_id": experiment, "name": "m"}).ok()["model"]["info"]
    source = f"models:/{model['model_id']}"
    created = create(api, name, source=source, model_id=model["model_id"]).ok()["model_version"]
    assert created["source"] == source
    uri = api.get(f"{BASE}/get-download-uri", name=name, version="1").ok()["artifact_uri"]
    assert uri == model["artifact_uri"]


@pytest.mark.parametrize(
    "source",
    ["/etc/passwd", "file:///etc/passwd", "./a", "relative/path", "s3://bucket/../x", "mlflow-artifacts:/../x"],
)
def test_a_source_must_not_reach_into_the_server(api, name, source):
    create(api, name, source=source).invalid()


def test_a_source_in_a_run(api, name, experiment, run):
    source = f"mlflow-artifacts:/{experiment}/{run}/artifacts/model"
    created = create(api, name, source=source, run_id=run).ok()["model_version"]
    assert (created["source"], created["run_id"]) == (source, run)
    assert create(api, name, source=f"runs:/{run}/model", run_id=run).ok()["model_version"]["version"] == "2"


def test_client_versions(client):
    name = unique("client")
    client.create_registered_model(name)
    created = client.create_model_version(name, "s3://bucket/model", tags={"a": "b"}, description="d")
    assert (str(created.version), created.status, created.tags) == ("1", "READY", {"a": "b"})
    client.transition_model_version_stage(name, "1", "Staging")
    client.set_model_version_tag(name, "1", "c", "d")
    client.delete_model_version_tag(name, "1", "a")
    client.update_model_version(name, "1", "other")
    found = client.get_model_version(name, "1")
    assert (found.current_stage, found.tags, found.description) == ("Staging", {"c": "d"}, "other")
    assert [str(entry.version) for entry in client.get_latest_versions(name, ["Staging"])] == ["1"]
    assert client.get_model_version_download_uri(name, "1") == "s3://bucket/model"
    client.delete_model_version(name, "1")
    assert client.search_model_versions(f"name = '{name}'") == []

"""Registered models: names, tags, aliases, latest versions."""

import pytest
from wire import pairs, unique

BASE = "registered-models"


def create(api, name=None, **fields):
    name = name or unique("model")
    api.post(f"{BASE}/create", {"name": name, **fields}).ok()
    return name


def get(api, name):
    return api.get(f"{BASE}/get", name=name).ok()["registered_model"]


def version(api, name, **fields):
    body = {"name": name, "source": "s3://bucket/model", **fields}
    return api.post("model-versions/create", body).ok()["model_version"]["version"]


def test_a_new_model(api):
    name = unique("model")
    tags = [{"key": "team", "value": "weather"}]
    created = api.post(f"{BASE}/create", {"name": name, "description": "what it does", "tags": tags}).ok()
    model = created["registered_model"]
    assert model == get(api, name)
    assert (model["name"], model["description"], model["tags"]) == (name, "what it does", tags)
    assert model["creation_timestamp"] == model["last_updated_timestamp"] > 1_600_000_000_000
    assert "latest_versions" not in model and "aliases" not in model


def test_names_are_unique(api):
    name = create(api)
    api.post(f"{BASE}/create", {"name": name}).refused(400, "RESOURCE_ALREADY_EXISTS", name)
    assert create(api, name.upper()) != name


@pytest.mark.parametrize("name", ["日本語", "a b", "a.b-c_d", "emoji 🚀", "x" * 200])
def test_names_that_are_good(api, name):
    name = unique(name)
    assert get(api, create(api, name))["name"] == name


@pytest.mark.parametrize("name", ["a/b", "a:b", ""])
def test_names_that_are_bad(api, name):
    api.post(f"{BASE}/create", {"name": name}).invalid()


def test_a_name_is_required(api):
    says = "Missing value for required parameter 'name'"
    api.post(f"{BASE}/create", {}).invalid(says)
    api.get(f"{BASE}/get").invalid(says)
    api.patch(f"{BASE}/update", {}).invalid(says)
    api.delete(f"{BASE}/delete", {}).invalid(says)
    api.post(f"{BASE}/create", {"name": 5}).invalid("for parameter 'name' supplied")


def test_an_unknown_model_is_not_found(api):
    name = unique("never")
    says = f"Registered Model with name={name} not found"
    api.get(f"{BASE}/get", name=name).not_found(says)
    api.patch(f"{BASE}/update", {"name": name, "description": "d"}).not_found(says)
    api.delete(f"{BASE}/delete", {"name": name}).not_found(says)
    api.post(f"{BASE}/rename", {"name": name, "new_name": unique("n")}).not_found(says)
    api.post(f"{BASE}/set-tag", {"name": name, "key": "k", "value": "v"}).not_found(says)
    api.delete(f"{BASE}/delete-tag", {"name": name, "key": "k"}).not_found(says)
    api.post(f"{BASE}/get-latest-versions", {"name": name}).not_found(says)


def test_a_description_is_updated(api):
    name = create(api, description="old")
    before = get(api, name)
    model = api.patch(f"{BASE}/update", {"name": name, "description": "new"}).ok()["registered_model"]
    assert model["description"] == "new"
    assert model["last_updated_timestamp"] >= before["last_updated_timestamp"]
    api.patch(f"{BASE}/update", {"name": name}).ok()


def test_rename_takes_versions_tags_and_aliases_along(api):
    name, new_name = create(api, tags=[{"key": "k", "value": "v"}]), unique("renamed")
    version(api, name)
    api.post(f"{BASE}/alias", {"name": name, "alias": "best", "version": "1"}).ok()
    model = api.post(f"{BASE}/rename", {"name": name, "new_name": new_name}).ok()["registered_model"]
    assert model["name"] == new_name
    api.get(f"{BASE}/get", name=name).not_found()
    renamed = get(api, new_name)
    assert pairs(renamed["tags"]) == {"k": "v"}
    assert renamed["aliases"] == [{"alias": "best", "version": "1"}]
    found = api.get("model-versions/get", name=new_name, version="1").ok()["model_version"]
    assert found["name"] == new_name


def test_rename_needs_a_free_and_good_name(api):
    name, taken = create(api), create(api)
    api.post(f"{BASE}/rename", {"name": name, "new_name": taken}).refused(400, "RESOURCE_ALREADY_EXISTS", taken)
    api.post(f"{BASE}/rename", {"name": name, "new_name": "a/b"}).invalid()
    api.post(f"{BASE}/rename", {"name": name, "new_name": ""}).invalid()
    assert get(api, name)["name"] == name


def test_delete_takes_versions_along_and_frees_the_name(api):
    name = create(api)
    version(api, name)
    assert api.delete(f"{BASE}/delete", {"name": name}).ok() == {}
    api.get(f"{BASE}/get", name=name).not_found()
    api.get("model-versions/get", name=name, version="1").not_found()
    create(api, name)
    assert version(api, name) == "1"


def test_tags(api):
    name = create(api)
    tag = {"name": name, "key": "k", "value": "v"}
    assert api.post(f"{BASE}/set-tag", tag).ok() == {}
    api.post(f"{BASE}/set-tag", tag | {"value": "w"}).ok()
    api.post(f"{BASE}/set-tag", tag | {"key": "日本", "value": ""}).ok()
    assert pairs(get(api, name)["tags"]) == {"k": "w", "日本": ""}
    assert api.delete(f"{BASE}/delete-tag", {"name": name, "key": "k"}).ok() == {}
    assert pairs(get(api, name)["tags"]) == {"日本": ""}
    assert api.delete(f"{BASE}/delete-tag", {"name": name, "key": "k"}).ok() == {}


def test_the_lengths_of_tags_are_limited(api):
    name = create(api)
    tag = {"name": name, "key": "k" * 250, "value": "v" * 100_000}
    api.post(f"{BASE}/set-tag", tag).ok()
    api.post(f"{BASE}/set-tag", tag | {"key": "k" * 251}).invalid("250")
    api.post(f"{BASE}/set-tag", tag | {"value": "v" * 100_001}).invalid("100000")
    api.post(f"{BASE}/set-tag", {"name": name, "value": "v"}).invalid("Missing value for required parameter 'key'")


def alias(api, name, alias, version):
    return api.post(f"{BASE}/alias", {"name": name, "alias": alias, "version": version})


def test_an_alias_is_set_moved_and_deleted(api):
    name = create(api)
    version(api, name), version(api, name)
    assert alias(api, name, "best", "1").ok() == {}
    found = api.get(f"{BASE}/alias", name=name, alias="best").ok()["model_version"]
    assert (found["version"], found["aliases"]) == ("1", ["best"])
    alias(api, name, "best", "2").ok()
    alias(api, name, "other", "2").ok()
    assert api.get(f"{BASE}/alias", name=name, alias="best").ok()["model_version"]["version"] == "2"
    assert sorted(entry["alias"] for entry in get(api, name)["aliases"]) == ["best", "other"]
    first = api.get("model-versions/get", name=name, version="1").ok()["model_version"]
    assert "aliases" not in first
    assert api.delete(f"{BASE}/alias", {"name": name, "alias": "best"}).ok() == {}
    api.get(f"{BASE}/alias", name=name, alias="best").invalid("Registered model alias best not found")
    assert api.delete(f"{BASE}/alias", {"name": name, "alias": "best"}).ok() == {}


def test_the_version_behind_an_alias_takes_it_along(api):
    name = create(api)
    version(api, name)
    alias(api, name, "best", "1").ok()
    api.delete("model-versions/delete", {"name": name, "version": "1"}).ok()
    api.get(f"{BASE}/alias", name=name, alias="best").invalid()
    assert "aliases" not in get(api, name)


@pytest.mark.parametrize("word", ["a b", "a/b", "latest", "LATEST", "v1", "V22", "", "a.b", "x" * 256])
def test_aliases_that_are_bad(api, word):
    name = create(api)
    version(api, name)
    alias(api, name, word, "1").invalid()


@pytest.mark.parametrize("word", ["best", "a-b_c", "v1x", "1", "日本", "x" * 255])
def test_aliases_that_are_good(api, word):
    name = create(api)
    version(api, name)
    alias(api, name, word, "1").ok()
    assert get(api, name)["aliases"] == [{"alias": word, "version": "1"}]


def test_an_alias_needs_a_known_version(api):
    name = create(api)
    alias(api, name, "best", "1").not_found(f"Model Version (name={name}, version=1) not found")
    alias(api, unique("never"), "best", "1").not_found()
    alias(api, name, "best", "x").invalid("version")


def test_latest_versions_of_each_stage(api):
    name = create(api)
    for stage in ("None", "Staging", "Production", "Staging", "None"):
        number = version(api, name)
        body = {"name": name, "version": number, "stage": stage}
        api.post("model-versions/transition-stage", body).ok()

    def latest(**fields):
        found = api.post(f"{BASE}/get-latest-versions", {"name": name, **fields}).ok().get("model_versions", [])
        return {entry["current_stage"]: entry["version"] for entry in found}

    assert latest() == {"None": "5", "Staging": "4", "Production": "3"}
    assert latest(stages=["Staging"]) == {"Staging": "4"}
    assert latest(stages=["staging", "Archived"]) == {"Staging": "4"}
    by_get = api.get(f"{BASE}/get-latest-versions", name=name, stages=["Production"]).ok()["model_versions"]
    assert [entry["version"] for entry in by_get] == ["3"]
    listed = get(api, name)["latest_versions"]
    assert {entry["current_stage"]: entry["version"] for entry in listed} == latest()
    api.post(f"{BASE}/get-latest-versions", {"name": name, "stages": ["Unknown"]}).invalid()


def test_client_registered_models(client):
    from mlflow.exceptions import MlflowException

    name = unique("client")
    client.create_registered_model(name, tags={"a": "1"}, description="d")
    with pytest.raises(MlflowException) as refused:
        client.create_registered_model(name)
    assert refused.value.error_code == "RESOURCE_ALREADY_EXISTS"
    client.set_registered_model_tag(name, "b", "2")
    client.delete_registered_model_tag(name, "a")
    client.update_registered_model(name, "other")
    client.create_model_version(name, "s3://bucket/model")
    client.set_registered_model_alias(name, "best", "1")
    model = client.get_registered_model(name)
    assert (model.tags, model.description, model.aliases) == ({"b": "2"}, "other", {"best": "1"})
    assert str(client.get_model_version_by_alias(name, "best").version) == "1"
    client.delete_registered_model_alias(name, "best")
    client.rename_registered_model(name, name + "-new")
    client.delete_registered_model(name + "-new")
    with pytest.raises(MlflowException, match="not found"):
        client.get_registered_model(name + "-new")

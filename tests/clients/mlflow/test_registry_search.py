"""Searching models and versions; prompts are kept apart."""

import pytest
from wire import unique

PROMPT = {"key": "mlflow.prompt.is_prompt", "value": "true"}


@pytest.fixture(scope="module")
def prefix(api):
    """Models A, b and c with versions, and a prompt p."""
    prefix = unique("Shelf")
    tags = {"A": {"team": "red"}, "b": {"team": "Red", "n": "1"}, "c": {}, "p": {PROMPT["key"]: "true"}}
    run = api.run(api.experiment())
    for word in "Abcp":
        entries = [{"key": key, "value": value} for key, value in tags[word].items()]
        api.post("registered-models/create", {"name": f"{prefix}-{word}", "tags": entries}).ok()
    for word, count in (("A", 3), ("b", 1), ("p", 1)):
        for number in range(1, count + 1):
            body = {"name": f"{prefix}-{word}", "source": f"s3://bucket/{word}/{number}"}
            if word == "p":
                body["source"] = "dummy-source"
                body["tags"] = [PROMPT, {"key": "mlflow.prompt.text", "value": "say {{x}}"}]
            else:
                body["tags"] = [{"key": "n", "value": str(number)}]
                body["run_id"] = run
            api.post("model-versions/create", body).ok()
    return prefix, run


def models(api, filter="", **query):
    found = api.get("registered-models/search", filter=filter, **query).ok().get("registered_models", [])
    return [model["name"].rsplit("-", 1)[1] for model in found]


def versions(api, filter="", **query):
    found = api.get("model-versions/search", filter=filter, **query).ok().get("model_versions", [])
    return [model["name"].rsplit("-", 1)[1] + model["version"] for model in found]


@pytest.mark.parametrize(
    "filter, words",
    [
        ("name LIKE '{0}-%'", "Abc"),
        ("name ILIKE '{1}-%'", "Abc"),
        ("name LIKE '{1}-%'", ""),
        ("name = '{0}-b'", "b"),
        ("name != '{0}-b' AND name LIKE '{0}-%'", "Ac"),
        ("name LIKE '{0}-%' AND tags.team = 'red'", "A"),
        ("name LIKE '{0}-%' AND tags.`team` = 'red'", "A"),
        ("name LIKE '{0}-%' AND tag.team = 'red'", "A"),
        ("name LIKE '{0}-%' AND tags.team != 'red'", "b"),
        ("name LIKE '{0}-%' AND tags.team ILIKE 'RED'", "Ab"),
        ("name LIKE '{0}-%' AND tags.team LIKE 'R%'", "b"),
        ("name LIKE '{0}-%' AND tags.team ILIKE 'r%' AND tags.n = '1'", "b"),
        ("name LIKE '{0}-%' AND tags.none = 'x'", ""),
        ("name LIKE '{0}-%' AND tags.`mlflow.prompt.is_prompt` = 'true'", "p"),
        ("name LIKE '{0}-%' AND tags.`mlflow.prompt.is_prompt` != 'true'", "Abc"),
        ("name LIKE '{0}-%' AND tags.`mlflow.prompt.is_prompt` = 'false'", "Abc"),
    ],
)
def test_models(api, prefix, filter, words):
    assert "".join(models(api, filter.format(prefix[0], prefix[0].lower()))) == words


@pytest.mark.parametrize(
    "order_by, words",
    [
        ([], "Abc"),
        (["name"], "Abc"),
        (["name ASC"], "Abc"),
        (["name DESC"], "cbA"),
        (["last_updated_timestamp ASC", "name"], "cAb"),
        (["timestamp DESC", "name DESC"], "bAc"),
    ],
)
def test_the_order_of_models(api, prefix, order_by, words):
    assert "".join(models(api, f"name LIKE '{prefix[0]}-%'", order_by=order_by)) == words


def test_pages_of_models(api, prefix):
    filter, found, token = f"name LIKE '{prefix[0]}-%'", [], None
    for _ in range(2):
        page = api.get("registered-models/search", filter=filter, max_results=2, page_token=token).ok()
        found += [model["name"].rsplit("-", 1)[1] for model in page["registered_models"]]
        token = page.get("next_page_token")
    assert (found, token) == (["A", "b", "c"], None)


def test_a_found_model_is_the_whole_model(api, prefix):
    name = f"{prefix[0]}-A"
    [found] = api.get("registered-models/search", filter=f"name = '{name}'").ok()["registered_models"]
    assert found == api.get("registered-models/get", name=name).ok()["registered_model"]


@pytest.mark.parametrize(
    "filter, words",
    [
        ("name = '{0}-A'", "A3 A2 A1"),
        ("name LIKE '{0}-%'", "A3 A2 A1 b1"),
        ("name ILIKE '{1}-a'", "A3 A2 A1"),
        ("name != '{0}-A' AND name LIKE '{0}-%'", "b1"),
        ("name = '{0}-A' AND version_number = 2", "A2"),
        ("name = '{0}-A' AND version_number != 2", "A3 A1"),
        ("name = '{0}-A' AND version_number > 1", "A3 A2"),
        ("name = '{0}-A' AND version_number >= 3", "A3"),
        ("name = '{0}-A' AND version_number < 2", "A1"),
        ("name = '{0}-A' AND version_number <= 2", "A2 A1"),
        ("run_id = '{2}' AND name LIKE '{0}-%'", "A3 A2 A1 b1"),
        ("run_id IN ('{2}')", "A3 A2 A1 b1"),
        ("run_id = 'none'", ""),
        ("name = '{0}-A' AND source_path = 's3://bucket/A/2'", "A2"),
        ("name = '{0}-A' AND source_path LIKE '%/2'", "A2"),
        ("name = '{0}-A' AND tags.n = '1'", "A1"),
        ("name = '{0}-A' AND tags.n != '1'", "A3 A2"),
        ("name LIKE '{0}-%' AND tags.n = '1'", "A1 b1"),
        ("name = '{0}-A' AND tags.`n` ILIKE '%'", "A3 A2 A1"),
        ("name = '{0}-A' AND tags.none = '1'", ""),
        ("name = '{0}-p' AND tags.`mlflow.prompt.is_prompt` = 'true'", "p1"),
    ],
)
def test_versions(api, prefix, filter, words):
    found = versions(api, filter.format(prefix[0], prefix[0].lower(), prefix[1]))
    assert sorted(found) == sorted(words.split())


@pytest.mark.parametrize(
    "order_by, words",
    [
        (["name ASC", "version_number ASC"], "A1 A2 A3 b1"),
        (["version_number DESC"], "A3 A2 A1 b1"),
        (["name DESC"], "b1 A3 A2 A1"),
        (["creation_timestamp ASC", "version_number ASC"], "A1 A2 A3 b1"),
        (["name DESC", "version_number ASC"], "b1 A1 A2 A3"),
    ],
)
def test_the_order_of_versions(api, prefix, order_by, words):
    assert versions(api, f"name LIKE '{prefix[0]}-%'", order_by=order_by) == words.split()


def test_versions_have_the_newest_first(api, prefix):
    assert versions(api, f"name = '{prefix[0]}-A'") == ["A3", "A2", "A1"]


def test_pages_of_versions(api, prefix):
    filter, found, token = f"name LIKE '{prefix[0]}-%'", [], None
    for _ in range(2):
        page = api.get("model-versions/search", filter=filter, max_results=2, page_token=token).ok()
        found += [model["version"] for model in page["model_versions"]]
        token = page.get("next_page_token")
    assert (len(found), token) == (4, None)


def test_deleted_versions_are_not_found(api):
    name = unique("model")
    api.post("registered-models/create", {"name": name}).ok()
    for _ in range(2):
        api.post("model-versions/create", {"name": name, "source": "s3://b/m"}).ok()
    api.delete("model-versions/delete", {"name": name, "version": "1"}).ok()
    found = api.get("model-versions/search", filter=f"name = '{name}'").ok()["model_versions"]
    assert [entry["version"] for entry in found] == ["2"]


@pytest.mark.parametrize("what", ["registered-models", "model-versions"])
@pytest.mark.parametrize(
    "query",
    [
        {"filter": "unknown = 'a'"},
        {"filter": "name = 5"},
        {"filter": "name > 'a'"},
        {"filter": "name = 'a' OR name = 'b'"},
        {"filter": "name"},
        {"filter": "tags.a > 'x'"},
        {"filter": "metrics.a = 1"},
        {"order_by": "unknown"},
        {"order_by": "name SIDEWAYS"},
        {"max_results": 200_001},
        {"page_token": "nonsense"},
    ],
)
def test_a_bad_search_is_refused(api, what, query):
    api.get(f"{what}/search", **query).invalid()


def test_the_size_of_a_page_of_models_is_limited(api):
    api.get("registered-models/search", max_results=1_000).ok()
    api.get("registered-models/search", max_results=1_001).invalid("max_results")
    api.get("model-versions/search", max_results=200_000).ok()
    for size in (0, -1):
        api.get("model-versions/search", max_results=size).invalid("max_results")
        answer = api.get("registered-models/search", max_results=size)
        answer.invalid("max_results", original=(200,), because="a page of nothing never ends")


def test_client_prompts(client):
    name = unique("prompt")
    client.register_prompt(name, "Say {{word}}", commit_message="first", tags={"a": "b"})
    client.register_prompt(name, "Shout {{word}}", commit_message="second")
    client.set_prompt_alias(name, "live", 1)
    assert client.get_prompt_version_by_alias(name, "live").template == "Say {{word}}"
    assert client.load_prompt(f"prompts:/{name}/2").format(word="hi") == "Shout hi"
    assert [prompt.name for prompt in client.search_prompts(f"name = '{name}'")] == [name]
    assert client.search_registered_models(f"name = '{name}'") == []
    client.set_prompt_tag(name, "c", "d")
    client.set_prompt_version_tag(name, 1, "e", "f")
    assert client.get_prompt_version(name, 1).tags["e"] == "f"
    client.delete_prompt_alias(name, "live")


def test_client_search(client, prefix):
    found = client.search_registered_models(f"name LIKE '{prefix[0]}-%'", max_results=2, order_by=["name DESC"])
    assert [model.name[-1] for model in found] == ["c", "b"]
    rest = client.search_registered_models(
        f"name LIKE '{prefix[0]}-%'", max_results=2, order_by=["name DESC"], page_token=found.token
    )
    assert [model.name[-1] for model in rest] == ["A"]
    assert [int(found.version) for found in client.search_model_versions(f"name = '{prefix[0]}-A'")] == [3, 2, 1]

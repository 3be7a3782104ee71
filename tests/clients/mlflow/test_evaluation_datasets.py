"""Evaluation datasets and scorers."""

import json

import pytest
from wire import DATABASE, unique

UNKNOWN = "d-" + "0" * 32


def create(api, experiment, name=None, **fields):
    body = {"name": name or unique("dataset"), "experiment_ids": [experiment], **fields}
    return api.post("3.0/datasets/create", body).ok()["dataset"]


@pytest.fixture()
def dataset(api, experiment) -> str:
    return create(api, experiment)["dataset_id"]


def upsert(api, dataset, *records):
    body = {"dataset_id": dataset, "records": json.dumps(list(records))}
    return api.post(f"3.0/datasets/{dataset}/records", body)


def records(api, dataset, **query):
    return json.loads(api.get(f"3.0/datasets/{dataset}/records", **query).ok().get("records", "[]"))


def test_a_new_dataset(api, experiment):
    name = unique("dataset")
    made = create(api, experiment, name, tags='{"team": "red"}', created_by="ada")
    assert made["dataset_id"].startswith("d-") and made["name"] == name
    assert made["created_time"] == made["last_update_time"] > 1_600_000_000_000
    assert json.loads(made["tags"])["team"] == "red"
    assert made["experiment_ids"] == [experiment]
    read = api.get(f"3.0/datasets/{made['dataset_id']}").ok()["dataset"]
    assert (read["name"], read["digest"]) == (name, made["digest"])


def test_a_name_is_required(api):
    api.post("3.0/datasets/create", {}).invalid("Missing value for required parameter 'name'")


def test_an_unknown_dataset_is_not_found(api):
    api.get(f"3.0/datasets/{UNKNOWN}").not_found(UNKNOWN)
    answer = upsert(api, UNKNOWN, {"inputs": {"q": 1}})
    answer.refused(404, "RESOURCE_DOES_NOT_EXIST", original=(400, "BAD_REQUEST"), because=DATABASE)


def test_records_are_joined_by_their_inputs(api, dataset):
    first = {"inputs": {"q": 1}, "expectations": {"a": 2}, "tags": {"t": "u"}}
    assert upsert(api, dataset, first, {"inputs": {"q": 2}}).ok() == {"inserted_count": 2, "updated_count": 0}
    again = {"inputs": {"q": 1}, "expectations": {"a": 3, "b": 4}}
    assert upsert(api, dataset, again).ok() == {"inserted_count": 0, "updated_count": 1}
    kept = {record["inputs"]["q"]: record for record in records(api, dataset)}
    assert sorted(kept) == [1, 2]
    assert kept[1]["expectations"] == {"a": 3, "b": 4} and kept[1]["tags"] == {"t": "u"}
    assert kept[1]["dataset_record_id"].startswith("dr-") and kept[1]["dataset_id"] == dataset


def test_the_digest_and_the_profile_follow_the_records(api, dataset):
    before = api.get(f"3.0/datasets/{dataset}").ok()["dataset"]
    upsert(api, dataset, {"inputs": {"q": 1}, "expectations": {"a": "x"}}).ok()
    after = api.get(f"3.0/datasets/{dataset}").ok()["dataset"]
    assert before["digest"] != after["digest"]
    assert json.loads(after["profile"]) == {"num_records": 1}
    schema = json.loads(after["schema"])
    assert (schema["inputs"], schema["expectations"]) == ({"q": "integer"}, {"a": "string"})


def test_pages_of_records(api, dataset):
    upsert(api, dataset, *({"inputs": {"q": number}} for number in range(5))).ok()
    found, token = [], None
    for _ in range(3):
        query = {"max_results": 2} | ({"page_token": token} if token else {})
        page = api.get(f"3.0/datasets/{dataset}/records", **query).ok()
        found += [record["inputs"]["q"] for record in json.loads(page["records"])]
        token = page.get("next_page_token")
    assert (sorted(found), token) == ([0, 1, 2, 3, 4], None)


def test_records_are_deleted(api, dataset):
    upsert(api, dataset, {"inputs": {"q": 1}}, {"inputs": {"q": 2}}).ok()
    gone = records(api, dataset)[0]
    body = {"dataset_id": dataset, "dataset_record_ids": [gone["dataset_record_id"]]}
    assert api.delete(f"3.0/datasets/{dataset}/records", body).ok() == {"deleted_count": 1}
    assert gone["inputs"] not in [record["inputs"] for record in records(api, dataset)]


def test_tags(api, experiment):
    dataset = create(api, experiment, tags='{"a": "1"}')["dataset_id"]
    body = {"dataset_id": dataset, "tags": '{"b": "2", "c": "3"}'}
    api.patch(f"3.0/datasets/{dataset}/tags", body).ok()
    api.delete(f"3.0/datasets/{dataset}/tags/c").ok()
    tags = json.loads(api.get(f"3.0/datasets/{dataset}").ok()["dataset"]["tags"])
    assert tags.items() >= {"a": "1", "b": "2"}.items() and "c" not in tags


def test_experiments_come_and_go(api, experiment, dataset):
    other = api.experiment()
    path = f"3.0/datasets/{dataset}"
    api.post(f"{path}/add-experiments", {"dataset_id": dataset, "experiment_ids": [other]}).ok()
    assert sorted(api.get(f"{path}/experiment-ids").ok()["experiment_ids"]) == sorted([experiment, other])
    api.post(f"{path}/remove-experiments", {"dataset_id": dataset, "experiment_ids": [experiment]}).ok()
    assert api.get(f"{path}/experiment-ids").ok()["experiment_ids"] == [other]


def test_search(api):
    experiment = api.experiment()
    prefix = unique("shelf")
    for word, team in (("a", "red"), ("b", "blue")):
        create(api, experiment, f"{prefix}-{word}", tags=json.dumps({"team": team}))

    def names(**fields):
        body = {"experiment_ids": [experiment], **fields}
        found = api.post("3.0/datasets/search", body).ok().get("datasets", [])
        return [dataset["name"].rsplit("-", 1)[1] for dataset in found]

    assert sorted(names()) == ["a", "b"]
    assert names(filter_string=f"name = '{prefix}-a'") == ["a"]
    assert names(filter_string=f"name LIKE '{prefix}-%' AND tags.team = 'blue'") == ["b"]
    assert names(order_by=["name ASC"]) == ["a", "b"]
    assert names(order_by=["name DESC"], max_results=1) == ["b"]
    assert names(filter_string="name = 'none'") == []
    api.post("3.0/datasets/search", {"experiment_ids": [experiment], "filter_string": "unknown = 'x'"}).invalid()


def test_delete(api, dataset):
    upsert(api, dataset, {"inputs": {"q": 1}}).ok()
    assert api.delete(f"3.0/datasets/{dataset}").ok() == {}
    api.get(f"3.0/datasets/{dataset}").not_found()


def test_client_datasets(fluent):
    from mlflow.genai import datasets

    name = unique("client")
    made = datasets.create_dataset(name=name, tags={"a": "b"})
    made.merge_records([{"inputs": {"q": "1"}, "expectations": {"a": "2"}}, {"inputs": {"q": "2"}}])
    assert len(datasets.get_dataset(dataset_id=made.dataset_id).to_df()) == 2
    assert [found.name for found in datasets.search_datasets(filter_string=f"name = '{name}'")] == [name]
    datasets.delete_dataset(dataset_id=made.dataset_id)


SCORER = json.dumps(
    {
        "name": "short",
        "mlflow_version": "3.17.2",
        "serialization_version": 1,
        "instructions_judge_pydantic_data": {"instructions": "Is {{outputs}} short?", "model": "openai:/gpt-4"},
    }
)


def register(api, experiment, name="short", scorer=SCORER):
    body = {"experiment_id": experiment, "name": name, "serialized_scorer": scorer}
    return api.post("3.0/scorers/register", body)


def test_versions_of_a_scorer(api, experiment):
    first, second = register(api, experiment).ok(), register(api, experiment).ok()
    assert (first["version"], second["version"]) == (1, 2)
    assert first["scorer_id"] == second["scorer_id"] and first["serialized_scorer"] == SCORER
    register(api, experiment, "other").ok()
    listed = api.get("3.0/scorers/list", experiment_id=experiment).ok()["scorers"]
    assert sorted((entry["scorer_name"], entry["scorer_version"]) for entry in listed) == [("other", 1), ("short", 2)]
    versions = api.get("3.0/scorers/versions", experiment_id=experiment, name="short").ok()["scorers"]
    assert sorted(entry["scorer_version"] for entry in versions) == [1, 2]

    def get(**query):
        return api.get("3.0/scorers/get", experiment_id=experiment, name="short", **query)

    assert get().ok()["scorer"]["scorer_version"] == 2
    assert get(version=1).ok()["scorer"]["scorer_version"] == 1
    get(version=9).not_found("version 9 not found")


def test_scorers_are_deleted(api, experiment):
    register(api, experiment).ok(), register(api, experiment).ok()
    body = {"experiment_id": experiment, "name": "short"}
    assert api.delete("3.0/scorers/delete", body | {"version": 2}).ok() == {}
    assert api.get("3.0/scorers/get", **body).ok()["scorer"]["scorer_version"] == 1
    assert api.delete("3.0/scorers/delete", body).ok() == {}
    api.get("3.0/scorers/get", **body).not_found("Scorer with name 'short' not found")
    api.delete("3.0/scorers/delete", body).not_found()
    assert api.get("3.0/scorers/list", experiment_id=experiment).ok() == {}


def test_a_scorer_needs_its_parts(api, experiment):
    says = "Missing value for required parameter"
    api.post("3.0/scorers/register", {"experiment_id": experiment, "name": "x"}).invalid(says)
    api.post("3.0/scorers/register", {"name": "x", "serialized_scorer": SCORER}).invalid(says)
    register(api, experiment, scorer="{").invalid("must be valid JSON")
    register(api, "987654321").not_found()

"""Experiments: creation, names, life cycle, tags."""

import pytest
from wire import DATABASE, pairs, unique


def get(api, experiment_id):
    return api.get("experiments/get", experiment_id=experiment_id).ok()["experiment"]


def test_the_default_experiment_exists_from_the_start(api):
    experiment = get(api, "0")
    assert experiment["name"] == "Default"
    assert experiment["lifecycle_stage"] == "active"


def test_a_created_experiment_has_an_id_a_location_and_times(api):
    name = unique("created")
    created = api.post("experiments/create", {"name": name}).ok()
    assert list(created) == ["experiment_id"]
    experiment = get(api, created["experiment_id"])
    assert experiment["name"] == name
    assert experiment["artifact_location"] == f"mlflow-artifacts:/{created['experiment_id']}"
    assert experiment["lifecycle_stage"] == "active"
    assert experiment["creation_time"] == experiment["last_update_time"]
    assert experiment["creation_time"] > 1_600_000_000_000
    assert "tags" not in experiment or experiment["tags"] == []


def test_ids_are_numbers_that_grow(api):
    first, second = int(api.experiment()), int(api.experiment())
    assert first < second


def test_a_given_artifact_location_and_tags_are_kept(api):
    tags = [{"key": "team", "value": "weather"}, {"key": "empty", "value": ""}]
    experiment = get(api, api.experiment(artifact_location="s3://bucket/some/folder", tags=tags))
    assert experiment["artifact_location"] == "s3://bucket/some/folder"
    assert pairs(experiment["tags"]) == {"team": "weather", "empty": ""}


def test_a_run_lies_below_its_experiments_location(api):
    experiment_id = api.experiment(artifact_location="s3://bucket/some/folder")
    run_id = api.run(experiment_id)
    assert api.run_of(run_id)["info"]["artifact_uri"] == f"s3://bucket/some/folder/{run_id}/artifacts"


def test_an_existing_name_is_refused(api):
    name = unique("twice")
    api.experiment(name)
    api.post("experiments/create", {"name": name}).refused(400, "RESOURCE_ALREADY_EXISTS", name)


def test_the_name_of_a_deleted_experiment_stays_taken(api):
    name = unique("deleted")
    api.post("experiments/delete", {"experiment_id": api.experiment(name)}).ok()
    api.post("experiments/create", {"name": name}).refused(400, "RESOURCE_ALREADY_EXISTS", name)


def test_a_name_is_required(api):
    says = "Missing value for required parameter 'name'"
    api.post("experiments/create", {}).invalid(says)
    api.post("experiments/create", {"name": ""}).invalid(says)
    api.post("experiments/create", {"name": None}).invalid(says)


def test_a_name_that_is_no_string_is_refused(api):
    says = "Invalid value 5 for parameter 'name' supplied"
    api.post("experiments/create", {"name": 5}).invalid(says)


def test_a_name_may_have_500_characters(api):
    name = unique("long").ljust(500, "x")
    assert get(api, api.experiment(name))["name"] == name
    api.post("experiments/create", {"name": name + "x"}).invalid("500")


def test_names_are_compared_by_case(api):
    name = unique("Case")
    assert api.experiment(name) != api.experiment(name.upper())


@pytest.mark.parametrize("name", ["日本語 実験", "a/b/c", "  spaces  ", "emoji 🚀", 'quote"s', "per%cent_"])
def test_any_text_is_a_name(api, name):
    name = unique(name)
    experiment_id = api.experiment(name)
    found = api.get("experiments/get-by-name", experiment_name=name).ok()["experiment"]
    assert (found["experiment_id"], found["name"]) == (experiment_id, name)


@pytest.mark.parametrize("location", ["s3://bucket/a#b", "runs:/1234/model"])
def test_a_location_with_a_fragment_or_in_a_run_is_refused(api, location):
    body = {"name": unique("location"), "artifact_location": location}
    api.post("experiments/create", body).invalid()


def test_an_unknown_id_is_not_found(api):
    says = "No Experiment with id=987654321 exists"
    api.get("experiments/get", experiment_id="987654321").not_found(says)
    for action in ("delete", "restore"):
        body = {"experiment_id": "987654321"}
        api.post(f"experiments/{action}", body).not_found("987654321")
    body = {"experiment_id": "987654321", "new_name": unique("n")}
    api.post("experiments/update", body).not_found("987654321")


def test_an_id_that_is_no_number_is_refused(api):
    api.get("experiments/get", experiment_id="abc").invalid("abc")


def test_an_id_is_required(api):
    says = "Missing value for required parameter 'experiment_id'"
    api.get("experiments/get").invalid(says)
    api.post("experiments/delete").invalid(says)
    api.post("experiments/update", {"new_name": "x"}).invalid(says)


def test_get_by_name_finds_active_and_deleted_ones(api):
    name = unique("by-name")
    experiment_id = api.experiment(name)
    found = api.get("experiments/get-by-name", experiment_name=name).ok()["experiment"]
    assert found["experiment_id"] == experiment_id
    api.post("experiments/delete", {"experiment_id": experiment_id}).ok()
    found = api.get("experiments/get-by-name", experiment_name=name).ok()["experiment"]
    assert found["lifecycle_stage"] == "deleted"


def test_get_by_an_unknown_name_is_not_found(api):
    answer = api.get("experiments/get-by-name", experiment_name="no such experiment")
    answer.not_found("Could not find experiment with name 'no such experiment'")
    says = "Missing value for required parameter 'experiment_name'"
    api.get("experiments/get-by-name").invalid(says)


def test_rename(api):
    experiment_id, name = api.experiment(), unique("renamed")
    before = get(api, experiment_id)
    assert api.post("experiments/update", {"experiment_id": experiment_id, "new_name": name}).ok() == {}
    after = get(api, experiment_id)
    assert after["name"] == name
    assert after["last_update_time"] >= before["last_update_time"]
    assert after["creation_time"] == before["creation_time"]


def test_rename_needs_a_free_name(api):
    taken = unique("taken")
    api.experiment(taken)
    body = {"experiment_id": api.experiment(), "new_name": taken}
    answer = api.post("experiments/update", body)
    answer.refused(400, "RESOURCE_ALREADY_EXISTS", original=(400, "BAD_REQUEST"), because=DATABASE)


def test_rename_needs_a_name(api, experiment):
    says = "Missing value for required parameter 'new_name'"
    api.post("experiments/update", {"experiment_id": experiment}).invalid(says)


def test_a_deleted_experiment_can_be_read_but_not_renamed(api, experiment):
    api.post("experiments/delete", {"experiment_id": experiment}).ok()
    assert get(api, experiment)["lifecycle_stage"] == "deleted"
    body = {"experiment_id": experiment, "new_name": unique("n")}
    api.post("experiments/update", body).invalid(original=(500, "INVALID_STATE"), because="the state is permanent")


def test_deleting_twice_is_refused(api, experiment):
    api.post("experiments/delete", {"experiment_id": experiment}).ok()
    api.post("experiments/delete", {"experiment_id": experiment}).not_found()


def test_restoring_an_active_one_is_refused(api, experiment):
    api.post("experiments/restore", {"experiment_id": experiment}).not_found()


def test_delete_and_restore_take_the_runs_along(api, experiment):
    kept, deleted_before = api.run(experiment), api.run(experiment)
    api.post("runs/delete", {"run_id": deleted_before}).ok()

    api.post("experiments/delete", {"experiment_id": experiment}).ok()
    assert api.run_of(kept)["info"]["lifecycle_stage"] == "deleted"

    api.post("experiments/restore", {"experiment_id": experiment}).ok()
    assert get(api, experiment)["lifecycle_stage"] == "active"
    assert api.run_of(kept)["info"]["lifecycle_stage"] == "active"
    assert api.run_of(deleted_before)["info"]["lifecycle_stage"] == "active"


def test_a_deleted_experiment_takes_no_runs(api, experiment):
    api.post("experiments/delete", {"experiment_id": experiment}).ok()
    body = {"experiment_id": experiment, "start_time": 1}
    api.post("runs/create", body).invalid("must be in the 'active' state")


def set_tag(api, experiment_id, key, value):
    return api.post("experiments/set-experiment-tag", {"experiment_id": experiment_id, "key": key, "value": value})


def test_a_tag_is_set_and_replaced(api, experiment):
    assert set_tag(api, experiment, "team", "a").ok() == {}
    set_tag(api, experiment, "team", "b").ok()
    set_tag(api, experiment, "日本", "語 🚀").ok()
    assert pairs(get(api, experiment)["tags"]) == {"team": "b", "日本": "語 🚀"}


def test_a_tag_is_deleted(api, experiment):
    set_tag(api, experiment, "team", "a").ok()
    body = {"experiment_id": experiment, "key": "team"}
    api.post("experiments/delete-experiment-tag", body).ok()
    assert "tags" not in get(api, experiment) or get(api, experiment)["tags"] == []
    api.post("experiments/delete-experiment-tag", body).not_found("team")


def test_the_lengths_of_tags_are_limited(api, experiment):
    set_tag(api, experiment, "k" * 250, "v" * 5000).ok()
    set_tag(api, experiment, "k" * 251, "v").invalid("250")
    set_tag(api, experiment, "k", "v" * 20_001).invalid("20000")


def test_tags_of_an_unknown_or_deleted_experiment(api, experiment):
    set_tag(api, "987654321", "k", "v").not_found()
    api.post("experiments/delete", {"experiment_id": experiment}).ok()
    set_tag(api, experiment, "k", "v").invalid("must be in the 'active' state")


def test_a_tag_needs_a_key(api, experiment):
    says = "Missing value for required parameter 'key'"
    body = {"experiment_id": experiment, "value": "v"}
    api.post("experiments/set-experiment-tag", body).invalid(says)

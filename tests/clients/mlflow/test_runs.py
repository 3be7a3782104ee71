"""Runs: creation, names, status, life cycle."""

import re

import pytest
from wire import DATABASE, UNREADABLE, pairs

UNKNOWN = "0123456789abcdef0123456789abcdef"


def create(api, experiment_id, **fields):
    return api.post("runs/create", {"experiment_id": experiment_id, "start_time": 1_700_000_000_000, **fields})


def update(api, run_id, **fields):
    return api.post("runs/update", {"run_id": run_id, **fields})


def test_a_new_run(api, experiment):
    body = create(api, experiment, user_id="ada", run_name="first").ok()
    run_id = body["run"]["info"]["run_id"]
    assert re.fullmatch("[0-9a-f]{32}", run_id)
    read = api.run_of(run_id)
    assert (read["info"], read["data"], read["inputs"]) == (body["run"]["info"], body["run"]["data"], {})
    assert read["outputs"] == {}
    assert body["run"]["info"] == {
        "run_id": run_id,
        "run_uuid": run_id,
        "run_name": "first",
        "experiment_id": experiment,
        "user_id": "ada",
        "status": "RUNNING",
        "start_time": 1_700_000_000_000,
        "artifact_uri": f"mlflow-artifacts:/{experiment}/{run_id}/artifacts",
        "lifecycle_stage": "active",
    }
    assert pairs(body["run"]["data"]["tags"]) == {"mlflow.runName": "first"}
    assert body["run"]["inputs"] == {}


def test_empty_lists_are_left_out(api, run):
    assert set(api.data_of(run)) == {"tags"}


def test_a_run_without_a_name_gets_one_with_words_and_a_number(api, experiment):
    run = create(api, experiment).ok()["run"]
    assert re.fullmatch(r"[a-z]+-[a-z]+-\d{1,4}", run["info"]["run_name"])
    assert len(run["info"]["run_name"]) <= 20
    assert pairs(run["data"]["tags"]) == {"mlflow.runName": run["info"]["run_name"]}


def test_an_empty_name_counts_as_none(api, experiment):
    assert create(api, experiment, run_name="").ok()["run"]["info"]["run_name"] != ""


def test_the_name_may_come_from_the_tag(api, experiment):
    run = create(api, experiment, tags=[{"key": "mlflow.runName", "value": "tagged"}]).ok()["run"]
    assert run["info"]["run_name"] == "tagged"


def test_name_and_tag_must_agree(api, experiment):
    tags = [{"key": "mlflow.runName", "value": "same"}]
    assert create(api, experiment, run_name="same", tags=tags).ok()["run"]["info"]["run_name"] == "same"
    create(api, experiment, run_name="other", tags=tags).invalid()


def test_the_tag_renames_and_the_name_retags(api, run):
    api.tag(run, "mlflow.runName", "by tag").ok()
    assert api.run_of(run)["info"]["run_name"] == "by tag"
    update(api, run, run_name="by name").ok()
    assert pairs(api.data_of(run)["tags"])["mlflow.runName"] == "by name"


def test_a_batch_renames_too(api, run):
    api.batch(run, tags=[("mlflow.runName", "by batch")]).ok()
    assert api.run_of(run)["info"]["run_name"] == "by batch"


def test_tags_at_creation(api, experiment):
    tags = [{"key": "a", "value": "1"}, {"key": "mlflow.source.name", "value": "train.py"}]
    run = create(api, experiment, tags=tags).ok()["run"]
    assert pairs(run["data"]["tags"]).items() >= {"a": "1", "mlflow.source.name": "train.py"}.items()


def test_a_nested_run_is_found_by_its_parent(api, experiment):
    parent = api.run(experiment)
    child = api.run(experiment, tags=[{"key": "mlflow.parentRunId", "value": parent}])
    assert api.found(experiment, f"tags.mlflow.parentRunId = '{parent}'") == [child]


def test_a_run_without_a_start_time_starts_at_zero(api, experiment):
    run = api.post("runs/create", {"experiment_id": experiment}).ok()["run"]
    assert run["info"]["start_time"] == 0


def test_a_run_in_an_unknown_experiment_is_refused(api):
    create(api, "987654321").not_found("No Experiment with id=987654321 exists")
    create(api, "abc").invalid()


def test_a_run_without_an_experiment_id(api):
    answer = api.post("runs/create", {"start_time": 1})
    answer.invalid(original=(400, "BAD_REQUEST"), because=DATABASE)


def test_numbers_may_come_as_strings(api, experiment):
    assert create(api, experiment, start_time="1700000000001").ok()["run"]["info"]["start_time"] == 1_700_000_000_001


def test_a_start_time_that_is_no_integer_is_refused(api, experiment):
    create(api, experiment, start_time="soon").invalid("Invalid value \"soon\" for parameter 'start_time' supplied")
    create(api, experiment, start_time=1.5).invalid("start_time", original=(200,), because=UNREADABLE)
    create(api, experiment, start_time=[]).invalid("start_time", original=(500,), because=UNREADABLE)


def test_the_old_name_of_the_id_is_accepted(api, run):
    assert api.get("runs/get", run_uuid=run).ok()["run"]["info"]["run_id"] == run
    api.post("runs/log-metric", {"run_uuid": run, "key": "m", "value": 1, "timestamp": 1}).ok()
    api.post("runs/log-parameter", {"run_uuid": run, "key": "p", "value": "1"}).ok()
    api.post("runs/set-tag", {"run_uuid": run, "key": "t", "value": "1"}).ok()
    api.post("runs/update", {"run_uuid": run, "status": "FINISHED"}).ok()
    data = api.data_of(run)
    assert [len(data[kind]) for kind in ("metrics", "params")] == [1, 1]


def test_an_unknown_run_is_not_found(api):
    says = f"Run with id={UNKNOWN} not found"
    api.get("runs/get", run_id=UNKNOWN).not_found(says)
    update(api, UNKNOWN, status="FINISHED").not_found(says)
    for action in ("delete", "restore"):
        api.post(f"runs/{action}", {"run_id": UNKNOWN}).not_found(says)
    api.metric(UNKNOWN, "m", 1.0).not_found(says)
    api.param(UNKNOWN, "p", "1").not_found(says)
    api.tag(UNKNOWN, "t", "1").not_found(says)
    api.batch(UNKNOWN).not_found(says)
    api.post("runs/delete-tag", {"run_id": UNKNOWN, "key": "t"}).not_found(says)


def test_a_run_id_is_required(api):
    says = "Missing value for required parameter 'run_id'"
    api.get("runs/get").invalid(says)
    for action in ("update", "delete", "restore", "log-metric", "log-parameter", "set-tag", "log-batch", "log-inputs"):
        api.post(f"runs/{action}").invalid(says)


def test_update_answers_the_new_info(api, run):
    info = update(api, run, status="FINISHED", end_time=1_700_000_005_000, run_name="done").ok()["run_info"]
    assert (info["status"], info["end_time"], info["run_name"]) == ("FINISHED", 1_700_000_005_000, "done")
    assert info == api.run_of(run)["info"]


@pytest.mark.parametrize("status", ["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"])
def test_every_status(api, run, status):
    assert update(api, run, status=status).ok()["run_info"]["status"] == status


def test_an_unknown_status_is_refused(api, run):
    update(api, run, status="SLEEPING").invalid("status", original=(200,), because=UNREADABLE)


def test_update_leaves_out_what_it_was_not_given(api, run):
    update(api, run, status="FAILED", end_time=5).ok()
    info = update(api, run, run_name="n").ok()["run_info"]
    assert (info["status"], info["end_time"], info["run_name"]) == ("FAILED", 5, "n")


def test_an_end_time_is_there_only_once_it_was_sent(api, run):
    update(api, run, status="FINISHED").ok()
    assert "end_time" not in api.run_of(run)["info"]


def test_a_finished_run_still_takes_data(api, run):
    update(api, run, status="FINISHED", end_time=1).ok()
    api.metric(run, "late", 1.0).ok()
    assert api.data_of(run)["metrics"][0]["key"] == "late"


def test_delete_and_restore(api, experiment, run):
    assert api.post("runs/delete", {"run_id": run}).ok() == {}
    assert api.run_of(run)["info"]["lifecycle_stage"] == "deleted"
    assert api.found(experiment) == []
    assert api.found(experiment, run_view_type="DELETED_ONLY") == [run]
    assert api.found(experiment, run_view_type="ALL") == [run]
    assert api.post("runs/restore", {"run_id": run}).ok() == {}
    assert api.found(experiment) == [run]


def test_deleting_and_restoring_twice_is_as_good_as_once(api, run):
    for action in ("restore", "delete", "delete", "restore", "restore"):
        api.post(f"runs/{action}", {"run_id": run}).ok()
    assert api.run_of(run)["info"]["lifecycle_stage"] == "active"


def test_a_deleted_run_takes_no_writes(api, run):
    api.post("runs/delete", {"run_id": run}).ok()
    says = f"The run {run} must be in the 'active' state. Current state is deleted."
    api.metric(run, "m", 1.0).invalid(says)
    api.param(run, "p", "1").invalid(says)
    api.tag(run, "t", "1").invalid(says)
    api.batch(run, metrics=[("m", 1.0, 1, 0)]).invalid(says)
    update(api, run, status="FINISHED").invalid(says)
    api.post("runs/delete-tag", {"run_id": run, "key": "mlflow.runName"}).invalid(says)
    api.post("runs/log-inputs", {"run_id": run, "datasets": []}).invalid(says)


@pytest.mark.parametrize("name", ["日本語", "emoji 🚀", "a" * 250, "with/slash", "  "])
def test_any_text_is_a_run_name(api, experiment, name):
    run = create(api, experiment, run_name=name).ok()["run"]
    assert run["info"]["run_name"] == name


def test_client_run_round_trip(client, experiment):
    run = client.create_run(experiment, start_time=123, tags={"a": "b"}, run_name="named")
    client.set_terminated(run.info.run_id, status="KILLED", end_time=456)
    run = client.get_run(run.info.run_id)
    assert (run.info.status, run.info.start_time, run.info.end_time) == ("KILLED", 123, 456)
    assert (run.info.run_name, run.data.tags["a"]) == ("named", "b")
    client.delete_run(run.info.run_id)
    assert client.get_run(run.info.run_id).info.lifecycle_stage == "deleted"
    client.restore_run(run.info.run_id)
    assert client.get_run(run.info.run_id).info.lifecycle_stage == "active"


def test_fluent_nested_runs(fluent):
    with fluent.start_run(run_name="parent") as parent:
        with fluent.start_run(run_name="child", nested=True) as child:
            fluent.log_metric("m", 1)
    assert fluent.get_parent_run(child.info.run_id).info.run_id == parent.info.run_id
    assert fluent.get_run(child.info.run_id).info.status == "FINISHED"


def test_fluent_run_that_fails(fluent):
    with pytest.raises(ZeroDivisionError):
        with fluent.start_run() as run:
            raise ZeroDivisionError
    assert fluent.get_run(run.info.run_id).info.status == "FAILED"


def test_fluent_resume(fluent):
    with fluent.start_run() as first:
        fluent.log_param("p", 1)
    with fluent.start_run(run_id=first.info.run_id):
        fluent.log_param("q", 2)
    assert fluent.get_run(first.info.run_id).data.params == {"p": "1", "q": "2"}

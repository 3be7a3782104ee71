"""Params never change; tags do."""

import pytest
from wire import pairs


def params(api, run):
    return pairs(api.data_of(run).get("params", []))


def tags(api, run):
    return pairs(api.data_of(run).get("tags", []))


def test_a_param_is_kept_as_text(api, run):
    assert api.param(run, "rate", "0.10").ok() == {}
    assert params(api, run) == {"rate": "0.10"}


def test_the_same_param_again_is_fine(api, run):
    for _ in range(2):
        api.param(run, "rate", "0.1").ok()
        api.batch(run, params=[("rate", "0.1")]).ok()
    assert params(api, run) == {"rate": "0.1"}


def test_another_value_is_refused(api, run):
    api.param(run, "a", "1").ok()
    says = "Changing param values is not allowed. Param with key='a' was already logged with value='1'"
    api.param(run, "a", "2").invalid(says)
    api.batch(run, params=[("b", "1"), ("a", "2")]).invalid("Changing param values is not allowed")
    assert params(api, run) == {"a": "1"}


def test_the_refusal_of_a_batch_names_old_and_new_values(api, run):
    api.param(run, "a", "1").ok()
    message = api.batch(run, params=[("a", "2")]).invalid()["message"]
    assert "'key': 'a'" in message and "'old_value': '1'" in message and "'new_value': '2'" in message


def test_two_values_in_one_batch_are_refused(api, run):
    api.batch(run, params=[("a", "1"), ("a", "2")]).invalid("Duplicate parameter keys have been submitted")
    api.batch(run, params=[("a", "1"), ("a", "1")]).invalid("Duplicate parameter keys have been submitted")
    assert params(api, run) == {}


@pytest.mark.parametrize(
    "value", ["", " ", "日本語 🚀", "line\nbreak\ttab", '{"json": [1, null]}', "None", "\\", "'\""]
)
def test_values_of_params_and_tags(api, run, value):
    api.param(run, "p", value).ok()
    api.tag(run, "t", value).ok()
    assert params(api, run)["p"] == value
    assert tags(api, run)["t"] == value


def test_a_param_or_tag_without_a_value_is_empty(api, run):
    api.post("runs/log-parameter", {"run_id": run, "key": "p"}).ok()
    api.post("runs/set-tag", {"run_id": run, "key": "t"}).ok()
    assert params(api, run)["p"] == "" and tags(api, run)["t"] == ""


@pytest.mark.parametrize("key", ["a b", "a/b", "a.b-c:d", "日本", "k" * 250])
def test_keys_that_are_good(api, run, key):
    api.param(run, key, "1").ok()
    api.tag(run, key, "1").ok()
    assert params(api, run)[key] == "1" and tags(api, run)[key] == "1"


@pytest.mark.parametrize("key", ["", "a*b", "a?", "..", "/a", "a//b", "./a", "k" * 251])
def test_keys_that_are_bad(api, run, key):
    api.param(run, key, "1").invalid()
    api.tag(run, key, "1").invalid()
    api.batch(run, params=[(key, "1")]).invalid()
    api.batch(run, tags=[(key, "1")]).invalid()
    assert params(api, run) == {} and set(tags(api, run)) == {"mlflow.runName"}


@pytest.mark.parametrize("key", [5, [], {}])
def test_keys_that_are_no_text_are_refused(api, run, key):
    api.post("runs/log-parameter", {"run_id": run, "key": key, "value": "1"}).invalid("for parameter 'key' supplied")
    api.post("runs/set-tag", {"run_id": run, "key": key, "value": "1"}).invalid("for parameter 'key' supplied")


@pytest.mark.parametrize("value", [5, 1.5, True, [], {}])
def test_values_that_are_no_text_are_refused(api, run, value):
    api.post("runs/log-parameter", {"run_id": run, "key": "k", "value": value}).invalid(
        "for parameter 'value' supplied"
    )
    api.post("runs/set-tag", {"run_id": run, "key": "k", "value": value}).invalid("for parameter 'value' supplied")


def test_long_values_are_cut_at_their_limits(api, run):
    api.param(run, "p", "v" * 6_001).ok()
    api.tag(run, "t", "v" * 8_001).ok()
    api.batch(run, params=[("bp", "v" * 6_001)], tags=[("bt", "v" * 8_001)]).ok()
    assert {key: len(value) for key, value in params(api, run).items()} == {"p": 6_000, "bp": 6_000}
    found = tags(api, run)
    assert (len(found["t"]), len(found["bt"])) == (8_000, 8_000)


def test_a_tag_is_replaced(api, run):
    assert api.tag(run, "t", "1").ok() == {}
    api.tag(run, "t", "2").ok()
    assert tags(api, run)["t"] == "2"
    api.batch(run, tags=[("t", "3"), ("t", "4")]).ok()
    assert tags(api, run)["t"] == "4"


def test_a_tag_is_deleted(api, run):
    api.tag(run, "t", "1").ok()
    body = {"run_id": run, "key": "t"}
    assert api.post("runs/delete-tag", body).ok() == {}
    assert "t" not in tags(api, run)
    api.post("runs/delete-tag", body).not_found(f"No tag with name: t in run with id {run}")


def test_params_and_tags_are_told_apart_by_case(api, run):
    api.batch(run, params=[("a", "1"), ("A", "2")], tags=[("a", "3"), ("A", "4")]).ok()
    assert params(api, run) == {"a": "1", "A": "2"}
    assert tags(api, run).items() >= {"a": "3", "A": "4"}.items()


def test_client_params_and_tags(client, run):
    from mlflow.exceptions import MlflowException

    assert client.log_param(run, "p", 5) == 5
    client.set_tag(run, "t", True)
    found = client.get_run(run).data
    assert (found.params, found.tags["t"]) == ({"p": "5"}, "True")
    with pytest.raises(MlflowException, match="Changing param values is not allowed") as refused:
        client.log_param(run, "p", 6)
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"
    client.delete_tag(run, "t")
    assert "t" not in client.get_run(run).data.tags


def test_fluent_params_and_tags(fluent):
    with fluent.start_run() as run:
        fluent.log_params({"a": 1, "b": [1, 2]})
        fluent.set_tags({"x": "y", "n": 1})
        fluent.set_tag("mlflow.note.content", "a **note**")
    data = fluent.get_run(run.info.run_id).data
    assert data.params == {"a": "1", "b": "[1, 2]"}
    assert (data.tags["x"], data.tags["n"], data.tags["mlflow.note.content"]) == ("y", "1", "a **note**")

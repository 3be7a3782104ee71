"""log-batch: limits, messages, all or nothing."""

import pytest
from wire import UNREADABLE, pairs


def post(api, run, **fields):
    return api.post("runs/log-batch", {"run_id": run, **fields})


def test_everything_at_once(api, run):
    answer = api.batch(run, [("m", 1.5, 10, 1), ("n", 2.5, 11, 2)], [("p", "1"), ("q", "2")], [("t", "x")])
    assert answer.ok() == {}
    data = api.data_of(run)
    assert sorted((m["key"], m["value"], m["timestamp"], m["step"]) for m in data["metrics"]) == [
        ("m", 1.5, 10, 1),
        ("n", 2.5, 11, 2),
    ]
    assert pairs(data["params"]) == {"p": "1", "q": "2"}
    assert pairs(data["tags"])["t"] == "x"


def test_nothing_at_all_is_fine(api, run):
    assert post(api, run).ok() == {}
    assert post(api, run, metrics=[], params=[], tags=[]).ok() == {}


def test_the_same_batch_twice_changes_nothing(api, run):
    batch = ([("m", float(step), 10, step) for step in range(50)], [("p", "1")], [("t", "x")])
    api.batch(run, *batch).ok()
    once = api.data_of(run)
    api.batch(run, *batch).ok()
    assert api.data_of(run) == once
    assert len(api.history(run, "m")) == 50


@pytest.mark.parametrize("metrics, params, tags", [(1_000, 0, 0), (0, 100, 0), (0, 0, 100), (800, 100, 100)])
def test_batches_at_the_limits(api, run, metrics, params, tags):
    api.batch(
        run,
        [("m", float(step), 10, step) for step in range(metrics)],
        [(f"p{i}", "1") for i in range(params)],
        [(f"t{i}", "1") for i in range(tags)],
    ).ok()
    data = api.data_of(run)
    assert len(data.get("params", [])) == params
    assert len(data["tags"]) == tags + 1
    assert len(api.history(run, "m")) == metrics


@pytest.mark.parametrize(
    "metrics, params, tags, says",
    [
        (1_001, 0, 0, "metrics"),
        (0, 101, 0, "params"),
        (0, 0, 101, "tags"),
        (801, 100, 100, "at most 1000"),
    ],
)
def test_batches_over_the_limits_are_refused_whole(api, run, metrics, params, tags, says):
    answer = api.batch(
        run,
        [("m", float(step), 10, step) for step in range(metrics)],
        [(f"p{i}", "1") for i in range(params)],
        [(f"t{i}", "1") for i in range(tags)],
    )
    answer.invalid(says)
    assert set(api.data_of(run)) == {"tags"} and len(api.data_of(run)["tags"]) == 1


@pytest.mark.parametrize(
    "fields, says",
    [
        ({"metrics": [{"value": 1, "timestamp": 1}]}, "metrics[0].key"),
        ({"metrics": [{"key": "m", "timestamp": 1}]}, "metrics[0].value"),
        ({"metrics": [{"key": "m", "value": 1}]}, "metrics[0].timestamp"),
        (
            {"metrics": [{"key": "m", "value": 1, "timestamp": 1}, {"key": "n", "timestamp": 1}]},
            "metrics[1].value",
        ),
        ({"params": [{"value": "1"}]}, "params[0].key"),
        ({"params": [{"key": "p", "value": "1"}, {"key": "", "value": "1"}]}, "params[1].key"),
        ({"tags": [{"value": "1"}]}, "tags[0].key"),
    ],
)
def test_what_is_missing_is_named(api, run, fields, says):
    post(api, run, **fields).invalid(f"Missing value for required parameter '{says}'.")


@pytest.mark.parametrize(
    "fields, says",
    [
        ({"metrics": "x"}, "for parameter 'metrics' supplied"),
        ({"metrics": {"key": "m"}}, "for parameter 'metrics' supplied"),
        ({"params": 5}, "for parameter 'params' supplied"),
        ({"tags": "x"}, "for parameter 'tags' supplied"),
    ],
)
def test_what_is_no_list_is_refused(api, run, fields, says):
    post(api, run, **fields).invalid(says)


@pytest.mark.parametrize(
    "metric",
    [
        {"key": "m", "value": "x", "timestamp": 1},
        {"key": "m", "value": 1, "timestamp": "x"},
        {"key": "m", "value": 1, "timestamp": 1, "step": "x"},
        {"key": "m", "value": [1], "timestamp": 1},
    ],
)
def test_a_metric_of_the_wrong_type_is_refused(api, run, metric):
    post(api, run, metrics=[metric]).invalid(original=(200,), because=UNREADABLE)


def test_a_metric_key_of_the_wrong_type_is_refused(api, run):
    post(api, run, metrics=[{"key": 5, "value": 1, "timestamp": 1}]).invalid()


@pytest.mark.parametrize("item", ["x", 5, [], None])
def test_an_item_of_the_wrong_type_is_refused(api, run, item):
    post(api, run, metrics=[item]).invalid(original=(500,), because=UNREADABLE)


@pytest.mark.parametrize(
    "fields, says",
    [
        ({"metrics": [{"key": "a*", "value": 1, "timestamp": 1}]}, "metrics[0].name"),
        ({"metrics": [{"key": "m", "value": 1, "timestamp": -1}]}, "metrics[0].timestamp"),
        ({"params": [{"key": "p", "value": "1"}, {"key": "a*", "value": "1"}]}, "params[1].key"),
        ({"tags": [{"key": "a*", "value": "1"}]}, "tags[0].key"),
    ],
)
def test_what_is_invalid_is_named(api, run, fields, says):
    post(api, run, **fields).invalid(f"for parameter '{says}' supplied")


def test_a_batch_with_one_bad_part_leaves_nothing(api, run):
    before = api.run_of(run)
    api.batch(run, [("m", 1.0, 1, 0)], [("p", "1")], [("bad*key", "1")]).invalid()
    api.batch(run, [("m", 1.0, 1, 0), ("bad*key", 1.0, 1, 0)], [("p", "1")], [("t", "1")]).invalid()
    assert api.run_of(run) == before


def test_a_batch_with_a_changed_param_leaves_nothing(api, run):
    api.param(run, "p", "1").ok()
    before = api.run_of(run)
    api.batch(run, [("m", 1.0, 1, 0)], [("q", "1"), ("p", "2")], [("t", "1")]).invalid()
    assert api.run_of(run) == before


def test_a_run_id_is_required(api):
    api.post("runs/log-batch", {"metrics": []}).invalid("Missing value for required parameter 'run_id'")


def test_many_keys_and_many_steps(api, run):
    api.batch(run, [(f"k{i}", float(i), 10, 0) for i in range(1_000)]).ok()
    api.batch(run, [("k0", float(step), 10 + step, step) for step in range(1_000)]).ok()
    found = pairs(api.data_of(run)["metrics"])
    assert len(found) == 1_000 and found["k0"] == 999.0 and found["k999"] == 999.0


def test_a_metric_without_a_step_is_at_step_zero(api, run):
    post(api, run, metrics=[{"key": "m", "value": 1, "timestamp": 5}]).ok()
    assert api.history(run, "m") == [{"key": "m", "value": 1.0, "timestamp": 5, "step": 0}]


def test_client_batch(client, run):
    from mlflow.entities import Metric, Param, RunTag

    client.log_batch(run, [Metric("m", 1.0, 5, 2)], [Param("p", "1")], [RunTag("t", "x")])
    data = client.get_run(run).data
    assert (data.metrics, data.params, data.tags["t"]) == ({"m": 1.0}, {"p": "1"}, "x")


def test_client_splits_what_is_over_the_limits(fluent):
    with fluent.start_run() as run:
        fluent.log_params({f"p{i}": i for i in range(250)})
        fluent.log_metrics({f"m{i}": i for i in range(1_500)})
    data = fluent.get_run(run.info.run_id).data
    assert (len(data.params), len(data.metrics)) == (250, 1_500)

"""Metrics: which one is the latest, what counts as the same, special values."""

import math

import pytest
from wire import UNREADABLE, pairs

LARGEST = 1.7976931348623157e308


def latest(api, run, key="m"):
    return next(metric for metric in api.data_of(run)["metrics"] if metric["key"] == key)


def test_a_metric_is_kept_as_it_was_sent(api, run):
    assert api.metric(run, "m", 0.1, timestamp=1234, step=7).ok() == {}
    expected = {"key": "m", "value": 0.1, "timestamp": 1234, "step": 7}
    assert latest(api, run) == expected
    assert api.history(run, "m") == [expected]


def test_step_is_zero_where_none_is_given(api, run):
    api.post("runs/log-metric", {"run_id": run, "key": "m", "value": 1.5, "timestamp": 5}).ok()
    assert latest(api, run)["step"] == 0


@pytest.mark.parametrize(
    "points, value",
    [
        ([(1.0, 10, 0), (2.0, 20, 1)], 2.0),
        ([(2.0, 20, 1), (1.0, 10, 0)], 2.0),
        ([(1.0, 20, 0), (2.0, 10, 1)], 2.0),
        ([(1.0, 10, 1), (2.0, 20, 1)], 2.0),
        ([(5.0, 10, 1), (2.0, 10, 1)], 5.0),
        ([(2.0, 10, 1), (5.0, 10, 1)], 5.0),
        ([(1.0, 10, -3), (2.0, 20, -4)], 1.0),
        ([(-1.0, 10, 0), ("NaN", 10, 0)], "NaN"),
        ([(1.0, 10, 0), ("NaN", 10, 0)], 1.0),
        ([("NaN", 10, 0), (1.0, 10, 0)], 1.0),
        ([("NaN", 10, 0), (-1.0, 10, 0)], "NaN"),
    ],
)
def test_the_latest_is_the_greatest_by_step_time_and_value(api, experiment, points, value):
    one_by_one, at_once = api.run(experiment), api.run(experiment)
    for point in points:
        api.metric(one_by_one, "m", *point).ok()
    api.batch(at_once, metrics=[("m", *point) for point in points]).ok()
    assert latest(api, one_by_one)["value"] == value
    assert latest(api, at_once)["value"] == value


def test_the_same_point_twice_is_one(api, run):
    for _ in range(3):
        api.metric(run, "m", 1.0, 10, 0).ok()
    api.batch(run, metrics=[("m", 1.0, 10, 0), ("m", 1.0, 10, 0), ("m", 2.0, 10, 0)]).ok()
    assert [point["value"] for point in api.history(run, "m")] == [1.0, 2.0]


def test_a_point_that_differs_in_anything_is_another(api, run):
    points = [(1.0, 10, 0), (1.0, 11, 0), (1.0, 10, 1), (2.0, 10, 0), ("NaN", 10, 0)]
    for point in points:
        api.metric(run, "m", *point).ok()
    assert len(api.history(run, "m")) == len(points)


@pytest.mark.parametrize(
    "sent, kept",
    [
        (0.1, 0.1),
        (5, 5.0),
        (-0.0, 0.0),
        (1e308, 1e308),
        (5e-324, 5e-324),
        (123456789012345678, 123456789012345680.0),
        ("3.5", 3.5),
        ("NaN", "NaN"),
        ("Infinity", LARGEST),
        ("-Infinity", -LARGEST),
    ],
)
def test_values(api, run, sent, kept):
    api.metric(run, "m", sent).ok()
    assert latest(api, run)["value"] == kept
    assert [point["value"] for point in api.history(run, "m")] == [kept]


def test_true_counts_as_one(api, run):
    api.metric(run, "m", True).ok()
    assert latest(api, run)["value"] == 1.0


def test_a_value_that_is_no_number_is_refused(api, run):
    says = "for parameter 'value' supplied"
    api.metric(run, "m", "nonsense").invalid(says)
    for value in ([], {}, [1.0], {"a": 1}):
        api.metric(run, "m", value).invalid(says, original=(500,), because=UNREADABLE)


def test_a_value_is_required(api, run):
    says = "Missing value for required parameter 'value'"
    api.post("runs/log-metric", {"run_id": run, "key": "m", "timestamp": 1}).invalid(says)
    api.metric(run, "m", None).invalid(says)


def test_a_time_is_required_and_an_integer(api, run):
    says = "Missing value for required parameter 'timestamp'"
    api.post("runs/log-metric", {"run_id": run, "key": "m", "value": 1}).invalid(says)
    api.metric(run, "m", 1.0, timestamp="soon").invalid("for parameter 'timestamp' supplied")
    api.metric(run, "m", 1.0, timestamp=1.5).invalid("timestamp", original=(200,), because=UNREADABLE)


def test_a_step_is_an_integer_of_64_bits(api, run):
    api.metric(run, "m", 1.0, step=2**63 - 1).ok()
    api.metric(run, "m", 2.0, step=-(2**63)).ok()
    assert latest(api, run)["step"] == 2**63 - 1
    assert [point["step"] for point in api.history(run, "m")] == [-(2**63), 2**63 - 1]
    api.metric(run, "m", 1.0, step=2**63).invalid("step", original=(200,), because=UNREADABLE)
    api.metric(run, "m", 1.0, step=1.5).invalid("step", original=(200,), because=UNREADABLE)
    api.metric(run, "m", 1.0, step="x").invalid("for parameter 'step' supplied")


def test_a_negative_time_is_refused(api, run):
    api.metric(run, "m", 1.0, timestamp=-1).invalid("timestamp")


def test_a_key_is_required(api, run):
    says = "Missing value for required parameter 'key'"
    api.post("runs/log-metric", {"run_id": run, "value": 1, "timestamp": 1}).invalid(says)
    api.metric(run, "", 1.0).invalid(says)


@pytest.mark.parametrize("key", ["a b", "a/b/c", "a.b-c:d", "日本", "UPPER_1", "ü", "k" * 250])
def test_keys_that_are_good(api, run, key):
    api.metric(run, key, 1.0).ok()
    assert latest(api, run, key)["value"] == 1.0
    assert len(api.history(run, key)) == 1


@pytest.mark.parametrize("key", ["a*b", "a?", "..", "a/../b", "/a", "a//b", "./a", "a/.", "a\tb\n*", "k" * 251, "🚀"])
def test_keys_that_are_bad(api, run, key):
    api.metric(run, key, 1.0).invalid()
    api.batch(run, metrics=[(key, 1.0, 1, 0)]).invalid()
    assert "metrics" not in api.data_of(run)


def test_keys_are_compared_by_case(api, run):
    api.batch(run, metrics=[("loss", 1.0, 1, 0), ("Loss", 2.0, 1, 0)]).ok()
    assert pairs(api.data_of(run)["metrics"]) == {"loss": 1.0, "Loss": 2.0}


def test_a_metric_knows_its_model_and_dataset(api, run, experiment):
    model = api.post("logged-models", {"experiment_id": experiment, "name": "m"}).ok()["model"]["info"]["model_id"]
    body = {"run_id": run, "key": "m", "value": 1, "timestamp": 5, "step": 3, "model_id": model}
    api.post("runs/log-metric", body | {"dataset_name": "d", "dataset_digest": "1"}).ok()
    [metric] = api.get("logged-models/" + model).ok()["model"]["data"]["metrics"]
    assert metric == {
        "key": "m",
        "value": 1.0,
        "timestamp": 5,
        "step": 3,
        "model_id": model,
        "dataset_name": "d",
        "dataset_digest": "1",
        "run_id": run,
    }
    assert latest(api, run)["value"] == 1.0


def test_client_metrics(client, run):
    client.log_metric(run, "m", 1.5, timestamp=10, step=1)
    client.log_metric(run, "m", math.nan, timestamp=20, step=2)
    client.log_metric(run, "inf", math.inf)
    metrics = client.get_run(run).data.metrics
    assert math.isnan(metrics["m"]) and metrics["inf"] == LARGEST
    history = client.get_metric_history(run, "m")
    assert [(point.step, point.timestamp) for point in history] == [(1, 10), (2, 20)]


def test_fluent_metrics(fluent):
    with fluent.start_run() as run:
        fluent.log_metrics({"a": 1, "b": 2.5}, step=3)
        fluent.log_metric("a", 0.5, step=4)
    assert fluent.get_run(run.info.run_id).data.metrics == {"a": 0.5, "b": 2.5}


def test_fluent_async_logging(fluent):
    with fluent.start_run() as run:
        for step in range(30):
            fluent.log_metric("a", step, step=step, synchronous=False)
        fluent.log_params({"p": 1}, synchronous=False)
        fluent.set_tag("t", "v", synchronous=False)
        fluent.flush_async_logging()
    data = fluent.get_run(run.info.run_id).data
    assert (data.metrics["a"], data.params["p"], data.tags["t"]) == (29, "1", "v")
    assert len(fluent.MlflowClient().get_metric_history(run.info.run_id, "a")) == 30

"""Histories: order, pages, many runs at once, sampled intervals."""

import itertools

import pytest
from wire import UNREADABLE

BULK = "/ajax-api/2.0/mlflow/metrics/get-history-bulk"
INTERVAL = "metrics/get-history-bulk-interval"
UNKNOWN = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def curve(api):
    """A run with 1,200 points of one metric."""
    run = api.run(api.experiment())
    points = [("loss", 1.0 / (step + 1), 1_000 + step, step) for step in range(1_200)]
    api.batch(run, metrics=points[:600]).ok()
    api.batch(run, metrics=points[600:]).ok()
    return run


def steps(points):
    return [point["step"] for point in points]


def test_order_is_time_then_step_then_value(api, run):
    points = [(3.0, 20, 0), (1.0, 10, 5), (2.0, 10, 4), (0.5, 10, 5), (9.0, 5, 9)]
    api.batch(run, metrics=[("m", *point) for point in points]).ok()
    found = [(point["value"], point["timestamp"], point["step"]) for point in api.history(run, "m")]
    assert found == sorted(points, key=lambda point: (point[1], point[2], point[0]))


def test_without_a_limit_everything_is_answered(api, curve):
    answer = api.get("metrics/get-history", run_id=curve, metric_key="loss").ok()
    assert steps(answer["metrics"]) == list(range(1_200))
    assert "next_page_token" not in answer


def test_pages_of_a_history(api, curve):
    found, token, pages = [], None, 0
    while pages == 0 or token:
        query = {"page_token": token} if token else {}
        page = api.get("metrics/get-history", run_id=curve, metric_key="loss", max_results=500, **query).ok()
        found += page["metrics"]
        token, pages = page.get("next_page_token"), pages + 1
    assert (pages, steps(found)) == (3, list(range(1_200)))


def test_a_page_of_exactly_all_has_no_token(api, curve):
    page = api.get("metrics/get-history", run_id=curve, metric_key="loss", max_results=1_200).ok()
    assert len(page["metrics"]) == 1_200 and "next_page_token" not in page


@pytest.mark.parametrize("max_results", [0, -1, "x"])
def test_a_limit_must_be_positive(api, curve, max_results):
    answer = api.get("metrics/get-history", run_id=curve, metric_key="loss", max_results=max_results)
    if max_results == "x":
        answer.invalid(original=(200,), because=UNREADABLE)
    else:
        answer.invalid("max_results")


def test_a_bad_page_token_is_refused(api, curve):
    query = {"run_id": curve, "metric_key": "loss", "max_results": 5, "page_token": "nonsense"}
    api.get("metrics/get-history", **query).invalid()


def test_an_unknown_key_has_an_empty_history(api, run):
    assert api.get("metrics/get-history", run_id=run, metric_key="none").ok() == {}


def test_a_history_needs_a_key_and_a_run(api, run):
    api.get("metrics/get-history", run_id=run).invalid("Missing value for required parameter 'metric_key'")
    api.get("metrics/get-history", metric_key="m").invalid("Missing value for required parameter 'run_id'")


def test_the_history_of_an_unknown_run_is_empty(api):
    assert api.get("metrics/get-history", run_id=UNKNOWN, metric_key="m").ok() == {}


def test_bulk_joins_runs(api, experiment):
    runs = sorted(api.run(experiment) for _ in range(3))
    for number, run in enumerate(runs):
        api.batch(run, metrics=[("m", float(number), 10 + step, step) for step in range(2)]).ok()
    metrics = api.get(BULK, run_id=runs, metric_key="m").ok()["metrics"]
    assert [(point["run_id"], point["step"], point["value"]) for point in metrics] == [
        (run, step, float(number)) for number, run in enumerate(runs) for step in range(2)
    ]
    assert set(metrics[0]) == {"key", "value", "timestamp", "step", "run_id"}
    assert len(api.get(BULK, run_id=runs, metric_key="m", max_results=4).ok()["metrics"]) == 4


def test_bulk_needs_a_key_and_at_most_100_runs(api, run):
    api.get(BULK, metric_key="m").invalid("at least one run_id")
    api.get(BULK, run_id=run).invalid("must specify a metric_key")
    api.get(BULK, run_id=[f"{i:032x}" for i in range(101)], metric_key="m").invalid("more than 100 run_ids")
    assert api.get(BULK, run_id=run, metric_key="none").ok() == {"metrics": []}


def interval(api, runs, **query):
    return api.get(INTERVAL, run_ids=runs, metric_key="loss", **query)


def test_an_interval_without_need_for_samples_has_every_point(api, curve):
    metrics = interval(api, curve, start_step=100, end_step=199, max_results=100).ok()["metrics"]
    assert steps(metrics) == list(range(100, 200))
    assert metrics[0] == {"key": "loss", "value": 1.0 / 101, "timestamp": 1_100, "step": 100, "run_id": curve}


def test_a_sampled_interval_is_spread_and_has_the_first_and_the_last_point(api, curve):
    found = steps(interval(api, curve, max_results=50).ok()["metrics"])
    assert found == sorted(set(found))
    assert found[0] == 0 and found[-1] == 1_199
    assert 50 <= len(found) <= 52
    widest = max(later - earlier for earlier, later in itertools.pairwise(found))
    assert widest <= 3 * 1_200 // 50


def test_the_samples_of_several_runs_share_their_steps(api, experiment):
    runs = sorted(api.run(experiment) for _ in range(2))
    for run, count in zip(runs, (100, 60), strict=True):
        api.batch(run, metrics=[("loss", 1.0, 1_000 + step, step) for step in range(count)]).ok()
    metrics = interval(api, runs, max_results=10).ok()["metrics"]
    by_run = {run: [point["step"] for point in metrics if point["run_id"] == run] for run in runs}
    assert by_run[runs[0]][-1] == 99 and by_run[runs[1]][-1] == 59
    assert [point["run_id"] for point in metrics] == sorted(point["run_id"] for point in metrics)


def test_an_interval_needs_both_ends_in_order(api, curve):
    both = "If either start step or end step are specified, both must be specified"
    interval(api, curve, start_step=1).invalid(both)
    interval(api, curve, end_step=1).invalid(both)
    interval(api, curve, start_step=2, end_step=1).invalid("end_step must be greater than start_step")


@pytest.mark.parametrize("max_results", [0, -1, 2_501])
def test_an_interval_has_between_1_and_2500_points_of_a_run(api, curve, max_results):
    interval(api, curve, max_results=max_results).invalid("max_results must be between 1 and 2500")


def test_an_interval_needs_runs_and_a_key(api, curve):
    api.get(INTERVAL, metric_key="loss").invalid("Missing value for required parameter 'run_ids'")
    api.get(INTERVAL, run_ids=curve).invalid("Missing value for required parameter 'metric_key'")
    interval(api, [f"{i:032x}" for i in range(101)]).invalid("at most 100 run_ids")


def test_an_empty_interval(api, curve):
    assert interval(api, curve, start_step=5_000, end_step=6_000).ok() == {}
    assert api.get(INTERVAL, run_ids=curve, metric_key="none").ok() == {}


def test_client_history_pages(client, curve):
    assert len(client.get_metric_history(curve, "loss")) == 1_200

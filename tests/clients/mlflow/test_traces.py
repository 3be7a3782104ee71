"""Traces: start, read, tags, delete, link to runs."""

import pytest
from traces import found, info_of, location, search, start, started
from wire import DATABASE

UNKNOWN = "tr-" + "0" * 32


def test_a_trace_is_kept_as_it_was_sent(api, experiment):
    answer = start(
        api,
        experiment,
        tags={"t": "u"},
        metadata={"mlflow.user": "ada"},
        request_preview="question",
        response_preview="answer",
        client_request_id="c-1",
    )
    info = answer.ok()["trace"]["trace_info"]
    assert info == info_of(api, info["trace_id"])
    expected = {
        "client_request_id": "c-1",
        "trace_location": location(experiment),
        "request_time": "2024-05-01T10:00:00.123Z",
        "execution_duration": "1.500s",
        "state": "OK",
        "request_preview": "question",
        "response_preview": "answer",
    }
    assert info.items() >= expected.items()
    assert info["tags"]["t"] == "u"
    assert info["trace_metadata"]["mlflow.user"] == "ada"
    place = f"mlflow-artifacts:/{experiment}/traces/{info['trace_id']}/artifacts"
    assert info["tags"]["mlflow.artifactLocation"] == place


@pytest.mark.parametrize("state", ["OK", "ERROR", "IN_PROGRESS", "STATE_UNSPECIFIED"])
def test_every_state(api, experiment, state):
    assert info_of(api, started(api, experiment, state=state)).get("state", "STATE_UNSPECIFIED") == state


def test_starting_the_same_trace_again_updates_it(api, experiment):
    trace_id = started(api, experiment, state="IN_PROGRESS", tags={"a": "1"})
    started(api, experiment, trace_id=trace_id, state="OK", tags={"b": "2"}, execution_duration="3s")
    info = info_of(api, trace_id)
    assert (info["state"], info["execution_duration"], info["tags"]["b"]) == ("OK", "3s", "2")
    assert found(api, experiment) == [trace_id]


def test_a_trace_needs_its_parts(api):
    api.post("3.0/traces", {}).invalid("Missing value for required parameter 'trace'")
    start(api, "987654321").not_found("No Experiment with id=987654321 exists")


def test_an_unknown_trace_is_not_found(api):
    api.get(f"3.0/traces/{UNKNOWN}").not_found(UNKNOWN)
    api.get("3.0/traces/get", trace_id=UNKNOWN).not_found(UNKNOWN)
    answer = api.patch(f"3.0/traces/{UNKNOWN}/tags", {"key": "a", "value": "b"})
    answer.refused(
        404,
        "RESOURCE_DOES_NOT_EXIST",
        UNKNOWN,
        original=(400, "BAD_REQUEST"),
        because=DATABASE,
    )
    api.delete(f"3.0/traces/{UNKNOWN}/tags", {"key": "a"}).not_found(UNKNOWN)
    api.get("/ajax-api/3.0/mlflow/get-trace-artifact", request_id=UNKNOWN).not_found(UNKNOWN)


@pytest.mark.parametrize("base", ["3.0/traces", "traces"])
def test_tags(api, experiment, base):
    trace_id = started(api, experiment)
    path = f"{base}/{trace_id}/tags"
    assert api.patch(path, {"key": "a", "value": "1"}).ok() == {}
    api.patch(path, {"key": "a", "value": "2"}).ok()
    assert info_of(api, trace_id)["tags"]["a"] == "2"
    assert api.delete(path, {"key": "a"}).ok() == {}
    assert "a" not in info_of(api, trace_id)["tags"]
    api.delete(path, {"key": "a"}).not_found("'a'")
    api.delete(path, {}).invalid("Missing value for required parameter 'key'")


def test_the_lengths_of_tags(api, experiment):
    trace_id = started(api, experiment)
    path = f"3.0/traces/{trace_id}/tags"
    api.patch(path, {"key": "k" * 250, "value": "v"}).ok()
    api.patch(path, {"key": "k" * 251, "value": "v"}).invalid("250")
    api.patch(path, {"key": "long", "value": "v" * 8_001}).ok()
    assert len(info_of(api, trace_id)["tags"]["long"]) == 4_096


def test_the_place_of_the_spans_cannot_be_changed(api, experiment):
    trace_id = started(api, experiment)
    body = {"key": "mlflow.trace.spansLocation", "value": "x"}
    api.patch(f"3.0/traces/{trace_id}/tags", body).invalid("immutable")


def test_several_infos_at_once(api, experiment):
    ids = sorted(started(api, experiment, request_time=second) for second in range(3))
    infos = api.post("3.0/traces/batchGetInfos", {"trace_ids": [*ids, UNKNOWN]}).ok()["trace_infos"]
    assert sorted(info["trace_id"] for info in infos) == ids
    assert api.post("3.0/traces/batchGetInfos", {"trace_ids": [UNKNOWN]}).ok() == {}


def delete(api, experiment, **fields):
    return api.post("3.0/traces/delete-traces", {"experiment_id": experiment, **fields})


def test_delete_by_id(api, experiment):
    ids = [started(api, experiment, request_time=second) for second in range(3)]
    assert delete(api, experiment, request_ids=ids[:2]).ok() == {"traces_deleted": 2}
    assert found(api, experiment) == ids[2:]
    api.get(f"3.0/traces/{ids[0]}").not_found()
    assert delete(api, experiment, request_ids=ids[:2]).ok() == {"traces_deleted": 0}


def test_delete_by_time(api, experiment):
    ids = [started(api, experiment, request_time=second) for second in range(4)]
    base = 1_714_557_600_123
    assert delete(api, experiment, max_timestamp_millis=base + 2_000, max_traces=2).ok() == {"traces_deleted": 2}
    assert found(api, experiment) == [ids[3], ids[2]]
    assert delete(api, experiment, max_timestamp_millis=base + 2_000).ok() == {"traces_deleted": 1}
    assert found(api, experiment) == [ids[3]]


def test_delete_leaves_other_experiments_alone(api, experiment):
    trace_id = started(api, api.experiment())
    assert delete(api, experiment, request_ids=[trace_id]).ok() == {"traces_deleted": 0}
    info_of(api, trace_id)


def test_delete_needs_one_condition(api, experiment):
    delete(api, experiment).invalid("must be specified")
    delete(api, experiment, request_ids=["x"], max_timestamp_millis=5).invalid()
    api.post("3.0/traces/delete-traces", {"request_ids": ["x"]}).invalid(
        "Missing value for required parameter 'experiment_id'"
    )


def test_traces_are_linked_to_runs(api, experiment, run):
    ids = [started(api, experiment, request_time=second) for second in range(2)]
    assert api.post("traces/link-to-run", {"trace_ids": ids, "run_id": run}).ok() == {}
    api.post("traces/link-to-run", {"trace_ids": ids[:1], "run_id": run}).ok()
    assert sorted(found(api, experiment, f"run_id = '{run}'")) == sorted(ids)
    api.post("traces/link-to-run", {"trace_ids": ids}).invalid("Missing value for required parameter 'run_id'")
    too_many = [f"tr-{i}" for i in range(101)]
    api.post("traces/link-to-run", {"trace_ids": too_many, "run_id": run}).invalid("100")


def test_a_trace_of_a_run_is_found_by_its_run(api, experiment, run):
    trace_id = started(api, experiment, metadata={"mlflow.sourceRun": run})
    started(api, experiment)
    assert found(api, experiment, f"run_id = '{run}'") == [trace_id]


def test_the_second_version_of_the_routes(api, experiment):
    body = {"experiment_id": experiment, "timestamp_ms": 1_000, "tags": [{"key": "a", "value": "1"}]}
    info = api.post("traces", body).ok()["trace_info"]
    assert (info["experiment_id"], info["timestamp_ms"], info["status"]) == (experiment, 1_000, "IN_PROGRESS")
    trace_id = info["request_id"]
    end = {"request_id": trace_id, "timestamp_ms": 3_000, "status": "OK"}
    ended = api.patch(f"traces/{trace_id}", end).ok()["trace_info"]
    assert (ended["status"], ended["execution_time_ms"]) == ("OK", 2_000)
    assert api.get(f"traces/{trace_id}/info").ok()["trace_info"]["status"] == "OK"
    listed = api.get("traces", experiment_ids=[experiment]).ok()["traces"]
    assert [trace["request_id"] for trace in listed] == [trace_id]
    assert info_of(api, trace_id)["execution_duration"] == "2s"


@pytest.fixture(scope="module")
def shelf(api):
    """Traces a, b and c, one second apart."""
    experiment = api.experiment()
    ids = {}
    for second, (name, state, duration, tags, metadata) in enumerate(
        [
            ("a", "OK", "0.100s", {"team": "red"}, {"mlflow.trace.user": "ada"}),
            ("b", "ERROR", "2s", {"team": "Red", "x y": "1"}, {"mlflow.trace.user": "bob"}),
            ("c", "IN_PROGRESS", "1s", {}, {}),
        ]
    ):
        fields = {"state": state, "execution_duration": duration, "request_time": second}
        fields |= {"request_preview": f"ask {name}", "client_request_id": f"c-{name}"}
        ids[started(api, experiment, tags=tags | {"mlflow.traceName": name}, metadata=metadata, **fields)] = name
    return experiment, ids


def names(api, shelf, *args, **fields):
    return "".join(shelf[1][trace_id] for trace_id in found(api, shelf[0], *args, **fields))


@pytest.mark.parametrize(
    "filter, expected",
    [
        ("", "cba"),
        ("status = 'OK'", "a"),
        ("trace.status = 'OK'", "a"),
        ("attributes.status = 'OK'", "a"),
        ("status != 'OK'", "cb"),
        ("name = 'a'", "a"),
        ("trace.name = 'a'", "a"),
        ("name != 'a'", "cb"),
        ("name LIKE 'a%'", "a"),
        ("name ILIKE 'A'", "a"),
        ("name RLIKE '^[ab]$'", "ba"),
        ("timestamp_ms > 1714557600123", "cb"),
        ("timestamp_ms >= 1714557600123", "cba"),
        ("timestamp <= 1714557600123", "a"),
        ("trace.timestamp_ms = 1714557601123", "b"),
        ("execution_time_ms > 100", "cb"),
        ("trace.execution_time_ms = 2000", "b"),
        ("execution_time < 500", "a"),
        ("tags.team = 'red'", "a"),
        ("tag.team = 'red'", "a"),
        ("tags.team != 'red'", "b"),
        ("tags.`x y` = '1'", "b"),
        ("tags.team ILIKE 'RED'", "ba"),
        ("tags.team LIKE 'R%'", "b"),
        ("tags.team RLIKE '[rR]ed'", "ba"),
        ("tags.team IS NULL", "c"),
        ("tags.team IS NOT NULL", "ba"),
        ("metadata.`mlflow.trace.user` = 'ada'", "a"),
        ("metadata.`mlflow.trace.user` IS NULL", "c"),
        ("request_metadata.`mlflow.trace.user` = 'bob'", "b"),
        ("client_request_id = 'c-b'", "b"),
        ("status = 'ERROR' AND tags.team = 'Red'", "b"),
        ("status = 'OK' AND tags.team = 'Red'", ""),
    ],
)
def test_search(api, shelf, filter, expected):
    assert names(api, shelf, filter) == expected


@pytest.mark.parametrize(
    "order_by, expected",
    [
        (["timestamp_ms"], "abc"),
        (["timestamp_ms ASC"], "abc"),
        (["timestamp DESC"], "cba"),
        (["trace.timestamp_ms ASC"], "abc"),
        (["execution_time_ms ASC"], "acb"),
        (["execution_time DESC"], "bca"),
        (["name DESC"], "cba"),
        (["status ASC"], "bca"),
        (["tags.team ASC"], "bac"),
    ],
)
def test_order(api, shelf, order_by, expected):
    assert names(api, shelf, order_by=order_by) == expected


def test_pages(api, shelf):
    joined, token = "", None
    for _ in range(4):
        page = search(api, shelf[0], max_results=1, page_token=token).ok()
        joined += "".join(shelf[1][trace["trace_id"]] for trace in page.get("traces", []))
        token = page.get("next_page_token")
        if not token:
            break
    assert (joined, token) == ("cba", None)


@pytest.mark.parametrize(
    "fields",
    [
        {"filter": "name = 'a' OR name = 'b'"},
        {"filter": "unknown = 'x'"},
        {"filter": "trace.unknown = 'x'"},
        {"filter": "metrics.a > 1"},
        {"filter": "name IN ('a')"},
        {"filter": "name = 5"},
        {"filter": "name >= 'a'"},
        {"filter": "span.unknown = 'x'"},
        {"order_by": ["unknown"]},
        {"order_by": ["timestamp_ms SIDEWAYS"]},
        {"max_results": 0},
        {"max_results": -1},
        {"max_results": 501},
        {"max_results": "x"},
        {"page_token": "nonsense"},
    ],
)
def test_a_bad_search_is_refused(api, shelf, fields):
    search(api, shelf[0], **fields).invalid()


def test_a_search_needs_locations(api):
    api.post("3.0/traces/search", {}).invalid("Missing value for required parameter 'locations'")
    assert api.post("3.0/traces/search", {"locations": []}).ok() == {}

"""The JSON form of requests and answers, methods, routes and headers."""

import json

import pytest
from wire import UNREADABLE, pairs

TAG = "runs/set-tag"


def raw(api, path, body, kind: str | None = "application/json"):
    return api.send("POST", path, data=body, headers={"content-type": kind} if kind else {})


def tag_of(api, run, key):
    return pairs(api.data_of(run)["tags"]).get(key)


def test_integers_are_numbers_and_unset_fields_are_left_out(api, experiment, run):
    api.metric(run, "m", 1, timestamp=1_700_000_000_000, step=5).ok()
    text = api.get("runs/get", run_id=run).text.replace(" ", "").replace("\n", "")
    assert '"start_time":1700000000000' in text
    assert '"value":1.0,"timestamp":1700000000000,"step":5' in text
    assert "end_time" not in text and "null" not in text and "params" not in text


def test_an_id_is_text(api, experiment, run):
    assert api.run_of(run)["info"]["experiment_id"] == experiment
    assert isinstance(experiment, str)


def test_both_spellings_of_a_field_are_read(api, experiment):
    body = {"experimentId": experiment, "startTime": 5, "runName": "camel", "userId": "ada"}
    info = api.post("runs/create", body).ok()["run"]["info"]
    assert (info["experiment_id"], info["start_time"], info["run_name"], info["user_id"]) == (
        experiment,
        5,
        "camel",
        "ada",
    )
    found = api.post("runs/search", {"experimentIds": [experiment], "maxResults": 1}).ok()["runs"]
    assert found[0]["info"]["run_name"] == "camel"


def test_both_spellings_at_once_are_refused(api, run):
    body = {"run_id": run, "runId": run, "key": "k", "value": "v"}
    api.post(TAG, body).invalid("Request specifies both 'run_id' and 'runId'")


def test_unknown_fields_are_ignored(api, run):
    api.post(TAG, {"run_id": run, "key": "k", "value": "v", "unknown": 5, "more": {"a": [{}]}}).ok()
    assert tag_of(api, run, "k") == "v"
    assert api.get("runs/get", run_id=run, unknown="1").status == 200


def test_null_counts_as_absent(api, run):
    api.post(TAG, {"run_id": run, "key": "k", "value": None}).ok()
    assert tag_of(api, run, "k") == ""
    api.post(TAG, {"run_id": None, "key": "k"}).invalid("Missing value for required parameter 'run_id'")


def test_a_body_may_be_encoded_twice(api, run):
    body = json.dumps(json.dumps({"run_id": run, "key": "twice", "value": "v"}))
    raw(api, TAG, body).ok()
    assert tag_of(api, run, "twice") == "v"


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8"])
def test_the_content_type_is_json(api, run, kind):
    raw(api, TAG, json.dumps({"run_id": run, "key": "k", "value": "v"}), kind).ok()


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/vnd.x+json", None])
def test_another_content_type_is_refused(api, run, kind):
    body = json.dumps({"run_id": run, "key": "k", "value": "v"})
    raw(api, TAG, body, kind).invalid("Content-Type")
    assert tag_of(api, run, "k") is None


@pytest.mark.parametrize("body", ["", "{}", "null", "{", "not json", '{"run_id":', b"\xff\xfe{}"])
def test_a_body_that_says_nothing_lacks_its_fields(api, body):
    raw(api, TAG, body).invalid(
        "" if body not in ("", "{}", "null") else "Missing value for required parameter 'run_id'"
    )


@pytest.mark.parametrize("body", ["[]", "5", '"x"', "true", "[{}]"])
def test_a_body_that_is_no_object_is_refused(api, body):
    raw(api, TAG, body).invalid(original=(500,), because=UNREADABLE)


def test_numbers_may_be_text(api, run):
    api.metric(run, "m", "1e3", timestamp="12", step="3").ok()
    assert api.history(run, "m") == [{"key": "m", "value": 1000.0, "timestamp": 12, "step": 3}]


def test_whole_floats_are_integers(api, run):
    api.metric(run, "m", 1, timestamp=12.0, step=3.0).ok()
    raw(api, "runs/log-metric", f'{{"run_id": "{run}", "key": "n", "value": 1, "timestamp": 1e3}}').ok()
    assert api.history(run, "m")[0]["step"] == 3
    assert api.history(run, "n")[0]["timestamp"] == 1000


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity"])
def test_bare_words_for_numbers(api, run, literal):
    body = f'{{"run_id": "{run}", "key": "m", "value": {literal}, "timestamp": 5}}'
    answer = raw(api, "runs/log-metric", body)
    if api.differs(ours=True, original=False, because="MLflow keeps 0 at time 0 for them, without a word"):
        # JSON has no such words: both to refuse and to understand them is right.
        assert answer.status in (200, 400), answer
        if answer.status == 200:
            assert api.history(run, "m")[0]["timestamp"] == 5


def test_the_last_of_two_equal_fields_counts(api, run):
    raw(api, TAG, f'{{"run_id": "{run}", "key": "first", "key": "second", "value": "v"}}').ok()
    assert tag_of(api, run, "first") is None and tag_of(api, run, "second") == "v"


def test_deep_json_does_not_hurt(api, run):
    deep = "[" * 5_000 + "]" * 5_000
    answer = raw(api, TAG, f'{{"run_id": "{run}", "key": "k", "value": {deep}}}')
    answer.refused(400, answer.json["error_code"] if not api.is_original else "", original=(500,), because=UNREADABLE)
    nested = '{"x":' * 90 + "1" + "}" * 90
    raw(api, TAG, f'{{"run_id": "{run}", "key": "k", "value": "v", "unknown": {nested}}}').ok()


@pytest.mark.parametrize(
    "text", ["日本語", "🚀", "e\u0301", "\u202eright to left", "a\u2028b", "\ufeffbom", '"\\/\b\f\n\r\t']
)
def test_text_comes_back_as_it_was(api, run, text):
    api.tag(run, "k", text).ok()
    assert tag_of(api, run, "k") == text


def test_query_values_of_booleans(api, experiment):
    made = api.post("logged-models", {"experiment_id": experiment, "name": "m"}).ok()["model"]["info"]["model_id"]
    for word in ("true", "false", "TRUE"):
        api.get(f"logged-models/{made}", allow_deleted=word).ok()
    api.get("3.0/traces/get", trace_id="tr-" + "0" * 32, allow_partial="perhaps").invalid("Invalid boolean value")


@pytest.mark.parametrize("base", ["/api/2.0/mlflow", "/ajax-api/2.0/mlflow"])
def test_the_page_has_the_same_routes(api, run, base):
    assert api.get(f"{base}/runs/get", run_id=run).ok()["run"]["info"]["run_id"] == run


@pytest.mark.parametrize(
    "path",
    [
        "/api/2.0/mlflow/nothing",
        "/api/2.0/mlflow/runs/nothing",
        "/api/2.0/mlflow/runs/create/",
        "/api/3.0/mlflow/runs/get",
        "/api/2.0/preview/mlflow/runs/get",
        "/api/9.0/mlflow/runs/get",
        "/ajax-api/2.0/mlflow/nothing",
        "/api/2.0/mlflow/logged-models/a/b/c",
    ],
)
def test_an_unknown_route(api, path):
    assert api.get(path).status == 404
    assert api.post(path).status == 404


@pytest.mark.parametrize(
    "method, path",
    [
        ("GET", "runs/create"),
        ("POST", "runs/get"),
        ("PUT", "runs/set-tag"),
        ("POST", "registered-models/update"),
        ("GET", "registered-models/delete"),
        ("POST", "model-versions/get"),
        ("PATCH", "experiments/create"),
        ("DELETE", "runs/search"),
    ],
)
def test_the_wrong_method(api, method, path):
    assert api.send(method, path, json={}).status == 405


def test_a_strange_host_or_origin_is_refused(api, run):
    assert api.send("GET", f"runs/get?run_id={run}", headers={"host": "evil.example.com"}).status == 403
    body = {"run_id": run, "key": "k", "value": "v"}
    assert api.send("POST", TAG, json=body, headers={"origin": "http://evil.example.com"}).status == 403
    assert tag_of(api, run, "k") is None


def test_health_and_version(api):
    health = api.get("/health")
    assert (health.status, health.text) == (200, "OK")
    version = api.get("/version")
    assert version.status == 200
    assert tuple(int(part) for part in version.text.split(".")[:2]) >= (3, 4)


def test_what_the_server_can_do(api):
    info = api.get("/api/3.0/mlflow/server-info").ok()
    assert info["store_type"] == "SqlStore"
    for flag in (
        "workspaces_enabled",
        "trace_archival_enabled",
        "multipart_uploads_enabled",
        "multipart_downloads_enabled",
        "presigned_upload_run_id_supported",
        "presigned_upload_model_id_supported",
    ):
        assert info[flag] in (True, False), flag
    assert info == api.get("/ajax-api/3.0/mlflow/server-info").ok()


ERRORS = [
    ("GET", "experiments/get", {"experiment_id": "987654321"}, 404, "RESOURCE_DOES_NOT_EXIST"),
    ("GET", "experiments/get", {}, 400, "INVALID_PARAMETER_VALUE"),
    ("GET", "runs/get", {"run_id": "0" * 32}, 404, "RESOURCE_DOES_NOT_EXIST"),
    ("POST", "experiments/create", {"name": "Default"}, 400, "RESOURCE_ALREADY_EXISTS"),
    ("GET", "registered-models/get", {"name": "never"}, 404, "RESOURCE_DOES_NOT_EXIST"),
    ("GET", "model-versions/get", {"name": "never", "version": "1"}, 404, "RESOURCE_DOES_NOT_EXIST"),
    ("GET", "logged-models/m-none", {}, 404, "RESOURCE_DOES_NOT_EXIST"),
    ("GET", "3.0/traces/tr-none", {}, 404, "RESOURCE_DOES_NOT_EXIST"),
    ("GET", "webhooks/none", {}, 404, "RESOURCE_DOES_NOT_EXIST"),
    ("GET", "3.0/datasets/d-none", {}, 404, "RESOURCE_DOES_NOT_EXIST"),
]


@pytest.mark.parametrize("method, path, fields, status, code", ERRORS)
def test_an_error_is_json_with_a_code_and_a_message(api, method, path, fields, status, code):
    options = {"params": fields} if method == "GET" else {"json": fields}
    answer = api.send(method, path, **options)
    body = answer.refused(status, code)
    assert answer.headers["content-type"].startswith("application/json")
    assert isinstance(body["message"], str) and body["message"]

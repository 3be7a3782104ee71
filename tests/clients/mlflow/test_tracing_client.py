"""The tracing decorators and OpenTelemetry's own protocol."""

import gzip
import json
import os

import pytest
from traces import found, info_of

OTLP = "/v1/traces"
BEGAN_NS = 1_700_000_000_000_000_000


def text(key, value):
    return {"key": key, "value": {"stringValue": value}}


def span(trace_id, span_id, name, parent="", attributes=(), code=1, milliseconds=5):
    fields = {
        "traceId": trace_id,
        "spanId": span_id,
        "name": name,
        "kind": 1,
        "startTimeUnixNano": str(BEGAN_NS),
        "endTimeUnixNano": str(BEGAN_NS + milliseconds * 1_000_000),
        "attributes": list(attributes),
        "status": {"code": code},
    }
    return fields | ({"parentSpanId": parent} if parent else {})


def export(*spans):
    resource = {"attributes": [text("service.name", "tests")]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": list(spans)}]}]}


def two_spans(trace_id):
    attributes = [
        text("mlflow.spanType", "CHAIN"),
        text("mlflow.spanInputs", '{"q": 1}'),
        text("mlflow.spanOutputs", '"yes"'),
    ]
    child = span(trace_id, "b" * 16, "child", "a" * 16, [text("k", "v"), {"key": "n", "value": {"intValue": "5"}}])
    return export(span(trace_id, "a" * 16, "root", attributes=attributes), child)


def as_protobuf(body) -> bytes:
    """The JSON form, whose ids are in hexadecimal, as the binary form."""
    import base64

    from google.protobuf.json_format import ParseDict
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    body = json.loads(json.dumps(body))
    for entry in body["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        for key in ("traceId", "spanId", "parentSpanId"):
            if key in entry:
                entry[key] = base64.b64encode(bytes.fromhex(entry[key])).decode()
    return ParseDict(body, ExportTraceServiceRequest()).SerializeToString()


def send(api, experiment, data, kind="application/x-protobuf", **headers):
    return api.send(
        "POST", OTLP, data=data, headers={"x-mlflow-experiment-id": experiment, "content-type": kind} | headers
    )


@pytest.mark.parametrize("form", ["json", "protobuf", "gzip"])
def test_spans_arrive(api, experiment, form):
    trace_id = os.urandom(16).hex()
    body = two_spans(trace_id)
    if form == "json":
        answer = send(api, experiment, json.dumps(body), "application/json")
    elif form == "protobuf":
        answer = send(api, experiment, as_protobuf(body))
    else:
        answer = send(api, experiment, gzip.compress(as_protobuf(body)), **{"content-encoding": "gzip"})
    assert answer.status == 200, answer
    assert found(api, experiment) == [f"tr-{trace_id}"]
    info = info_of(api, f"tr-{trace_id}")
    assert (info["state"], info["request_time"], info["execution_duration"]) == ("OK", "2023-11-14T22:13:20Z", "0.005s")
    assert info["tags"]["mlflow.trace.spansLocation"] == "TRACKING_STORE"
    trace = api.get("3.0/traces/get", trace_id=f"tr-{trace_id}").ok()["trace"]
    assert trace["trace_info"]["trace_id"] == f"tr-{trace_id}"
    assert sorted(entry["name"] for entry in trace["spans"]) == ["child", "root"]
    child = next(entry for entry in trace["spans"] if entry["name"] == "child")
    values = {attribute["key"]: attribute["value"] for attribute in child["attributes"]}
    assert values["k"] == {"string_value": "v"} and int(values["n"]["int_value"]) == 5
    [whole] = api.get("3.0/traces/batchGet", trace_ids=[f"tr-{trace_id}"]).ok()["traces"]
    assert len(whole["spans"]) == 2


def test_the_spans_of_a_trace_may_come_one_by_one_and_twice(api, experiment):
    trace_id = os.urandom(16).hex()
    spans = two_spans(trace_id)["resourceSpans"][0]["scopeSpans"][0]["spans"]
    for entry in (spans[1], spans[0], spans[0]):
        assert send(api, experiment, as_protobuf(export(entry))).status == 200
    trace = api.get("3.0/traces/get", trace_id=f"tr-{trace_id}").ok()["trace"]
    assert sorted(entry["name"] for entry in trace["spans"]) == ["child", "root"]
    assert found(api, experiment) == [f"tr-{trace_id}"]


def test_a_failed_span_makes_the_trace_fail(api, experiment):
    trace_id = os.urandom(16).hex()
    assert send(api, experiment, as_protobuf(export(span(trace_id, "a" * 16, "root", code=2)))).status == 200
    assert info_of(api, f"tr-{trace_id}")["state"] == "ERROR"


def test_a_trace_belongs_to_the_run_in_the_header(api, experiment, run):
    trace_id = os.urandom(16).hex()
    answer = send(api, experiment, as_protobuf(two_spans(trace_id)), **{"x-mlflow-run-id": run})
    assert answer.status == 200, answer
    assert found(api, experiment, f"run_id = '{run}'") == [f"tr-{trace_id}"]


def test_traces_are_found_by_their_spans(api, experiment):
    one, other = os.urandom(16).hex(), os.urandom(16).hex()
    assert send(api, experiment, as_protobuf(two_spans(one))).status == 200
    assert send(api, experiment, as_protobuf(export(span(other, "a" * 16, "lonely", code=2)))).status == 200
    for filter, trace_id in (
        ("span.name = 'child'", one),
        ("span.name LIKE 'lone%'", other),
        ("span.type = 'CHAIN'", one),
        ("span.status = 'ERROR'", other),
        ("span.attributes.k LIKE '%v%'", one),
        ("trace.text LIKE '%lonely%'", other),
        ("span.content LIKE '%child%'", one),
        ("span.name = 'child' AND span.attributes.k LIKE '%v%'", one),
    ):
        assert found(api, experiment, filter) == [f"tr-{trace_id}"], filter
    assert found(api, experiment, "span.name = 'none'") == []


def test_what_is_refused(api, experiment):
    good = as_protobuf(two_spans(os.urandom(16).hex()))
    assert api.send("POST", OTLP, data=good, headers={"content-type": "application/x-protobuf"}).status == 422
    assert send(api, experiment, b"\xffgarbage").status == 400
    assert send(api, experiment, b"").status == 400
    assert send(api, experiment, b"{", "application/json").status == 400
    assert send(api, experiment, good, "text/plain").status == 400
    assert send(api, experiment, good, **{"content-encoding": "gzip"}).status == 400
    assert send(api, "987654321", good).status == 404
    assert send(api, "abc", good).status == 400


@pytest.fixture()
def traced(fluent):
    """A module that was traced once: an outer call with an inner one and a failure."""

    @fluent.trace(name="outer", span_type="CHAIN", attributes={"colour": "blue"})
    def outer(question):
        return inner(question) + "!"

    @fluent.trace
    def inner(question):
        fluent.update_current_trace(tags={"topic": "weather"}, metadata={"mlflow.trace.session": "s-1"})
        return question.upper()

    @fluent.trace
    def failing():
        raise ValueError("no")

    assert outer("why") == "WHY!"
    with pytest.raises(ValueError):
        failing()
    fluent.flush_trace_async_logging()
    return fluent


def test_decorated_functions_make_traces(traced):
    failed, good = traced.search_traces(return_type="list")
    assert [good.info.state, failed.info.state] == ["OK", "ERROR"]
    assert [span.name for span in good.data.spans] == ["outer", "inner"]
    outer, inner = good.data.spans
    assert (outer.inputs, outer.outputs, outer.span_type) == ({"question": "why"}, "WHY!", "CHAIN")
    assert outer.attributes["colour"] == "blue" and inner.parent_id == outer.span_id
    assert good.info.tags["topic"] == "weather"
    assert json.loads(good.info.request_preview) == {"question": "why"}
    assert failed.data.spans[0].status.status_code == "ERROR"
    assert failed.data.spans[0].events[0].name == "exception"


def test_traces_are_searched(traced):
    found = traced.search_traces(filter_string="tags.topic = 'weather'", return_type="list")
    assert [trace.info.tags["mlflow.traceName"] for trace in found] == ["outer"]
    table = traced.search_traces(order_by=["timestamp_ms ASC"], max_results=1)
    assert list(table["state"]) == ["OK"]
    assert traced.search_traces(filter_string="name = 'failing'", return_type="list")[0].info.state == "ERROR"
    assert len(traced.search_traces(filter_string="span.name = 'inner'", return_type="list")) == 1


def test_a_trace_in_a_run_is_found_by_it(fluent):
    with fluent.start_run() as run:
        with fluent.start_span("work", span_type="TOOL") as span:
            span.set_inputs({"a": 1})
            span.set_outputs({"b": 2})
    fluent.flush_trace_async_logging()
    [trace] = fluent.search_traces(run_id=run.info.run_id, return_type="list")
    assert trace.info.trace_metadata["mlflow.sourceRun"] == run.info.run_id
    assert trace.data.spans[0].outputs == {"b": 2}


def test_client_tags_and_deletes_traces(traced):
    client = traced.MlflowClient()
    [trace] = traced.search_traces(filter_string="tags.topic = 'weather'", return_type="list")
    trace_id = trace.info.trace_id
    client.set_trace_tag(trace_id, "more", "yes")
    client.delete_trace_tag(trace_id, "topic")
    tags = traced.get_trace(trace_id).info.tags
    assert tags["more"] == "yes" and "topic" not in tags
    assert client.delete_traces(trace.info.experiment_id, trace_ids=[trace_id]) == 1
    assert len(traced.search_traces(return_type="list")) == 1

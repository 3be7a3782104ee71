"""What people and judges say about a trace."""

import pytest
from traces import found, info_of, started

UNKNOWN = "tr-" + "0" * 32


@pytest.fixture()
def trace(api, experiment) -> str:
    return started(api, experiment)


def create(api, trace_id, name="good", **fields):
    assessment = {"assessment_name": name, "trace_id": trace_id}
    assessment |= {"source": {"source_type": "HUMAN", "source_id": "ada"}} | fields
    return api.post(f"3.0/traces/{trace_id}/assessments", {"assessment": assessment})


def created(api, trace_id, *args, **fields) -> str:
    return create(api, trace_id, *args, **fields).ok()["assessment"]["assessment_id"]


def get(api, trace_id, assessment_id):
    return api.get(f"3.0/traces/{trace_id}/assessments/{assessment_id}").ok()["assessment"]


@pytest.mark.parametrize("value", [True, False, 3.5, "text", ["a", "b"], {"a": 1.0}])
def test_feedback(api, trace, value):
    made = create(api, trace, feedback={"value": value}, rationale="why", metadata={"k": "v"}).ok()["assessment"]
    assert made["assessment_id"].startswith("a-")
    assert made["create_time"] == made["last_update_time"]
    expected = {
        "assessment_name": "good",
        "trace_id": trace,
        "source": {"source_type": "HUMAN", "source_id": "ada"},
        "feedback": {"value": value},
        "rationale": "why",
        "metadata": {"k": "v"},
    }
    assert made.items() >= expected.items()
    assert get(api, trace, made["assessment_id"]) == made
    assert info_of(api, trace)["assessments"] == [made]


def test_feedback_with_an_error(api, trace):
    error = {"error_code": "E", "error_message": "broke", "stack_trace": "at line 1"}
    assert get(api, trace, created(api, trace, feedback={"error": error}))["feedback"]["error"] == error


@pytest.mark.parametrize("value", [True, 5.0, "text"])
def test_expectations(api, trace, value):
    made = get(api, trace, created(api, trace, "answer", expectation={"value": value}))
    assert made["expectation"] == {"value": value}


def test_expectations_of_structure_travel_as_text(api, trace):
    value = {"serialization_format": "JSON_FORMAT", "value": '{"a": [1]}'}
    made = get(api, trace, created(api, trace, "answer", expectation={"serialized_value": value}))
    assert made["expectation"]["serialized_value"] == value


def test_an_update_touches_what_its_mask_names(api, trace):
    assessment_id = created(api, trace, feedback={"value": True}, rationale="why")
    body = {
        "assessment": {"assessment_name": "better", "feedback": {"value": 3.0}, "rationale": "ignored"},
        "update_mask": "assessmentName,feedback",
    }
    updated = api.patch(f"3.0/traces/{trace}/assessments/{assessment_id}", body).ok()["assessment"]
    assert (updated["assessment_name"], updated["feedback"], updated["rationale"]) == ("better", {"value": 3.0}, "why")
    assert get(api, trace, assessment_id) == updated


def test_delete(api, trace):
    assessment_id = created(api, trace, feedback={"value": True})
    path = f"3.0/traces/{trace}/assessments/{assessment_id}"
    assert api.delete(path).ok() == {}
    api.get(path).not_found(assessment_id)
    assert "assessments" not in info_of(api, trace)


def test_an_override_hides_the_older_one(api, trace):
    first = created(api, trace, feedback={"value": True})
    second = created(api, trace, feedback={"value": False}, overrides=first)
    assert get(api, trace, first)["valid"] is False
    assert get(api, trace, second)["valid"] is True
    api.delete(f"3.0/traces/{trace}/assessments/{second}").ok()
    assert get(api, trace, first)["valid"] is True


def test_unknown_traces_and_assessments(api, trace):
    create(api, UNKNOWN, feedback={"value": True}).not_found(UNKNOWN)
    api.get(f"3.0/traces/{trace}/assessments/a-none").not_found("a-none")
    body = {"assessment": {"assessment_name": "x"}, "update_mask": "assessmentName"}
    api.patch(f"3.0/traces/{trace}/assessments/a-none", body).not_found()
    assert api.delete(f"3.0/traces/{trace}/assessments/a-none").ok() == {}


def test_an_assessment_is_required(api, trace):
    api.post(f"3.0/traces/{trace}/assessments", {}).invalid("Missing value for required parameter 'assessment'")


def test_traces_are_found_by_what_was_said(api, experiment, trace):
    other = started(api, experiment)
    created(api, trace, "good", feedback={"value": "yes"})
    created(api, other, "good", feedback={"value": "no"})
    created(api, other, "answer", expectation={"value": "42"})
    assert found(api, experiment, "feedback.good = 'yes'") == [trace]
    assert found(api, experiment, "feedback.good LIKE '%no%'") == [other]
    assert found(api, experiment, "expectation.answer = '42'") == [other]
    assert found(api, experiment, "expectation.answer IS NULL") == [trace]
    assert found(api, experiment, "feedback.none IS NOT NULL") == []


def test_client_assessments(fluent):
    @fluent.trace
    def answer(question):
        return question + "!"

    answer("why")
    trace_id = fluent.get_last_active_trace_id()
    fluent.flush_trace_async_logging()
    feedback = fluent.log_feedback(trace_id=trace_id, name="good", value=0.5, rationale="r")
    expectation = fluent.log_expectation(trace_id=trace_id, name="answer", value={"a": [1, 2]})
    fluent.update_assessment(trace_id, feedback.assessment_id, fluent.entities.Feedback(name="good", value=0.75))
    assert fluent.get_assessment(trace_id, feedback.assessment_id).value == 0.75
    assert fluent.get_assessment(trace_id, expectation.assessment_id).value == {"a": [1, 2]}
    fluent.delete_assessment(trace_id, feedback.assessment_id)
    kept = fluent.get_trace(trace_id).info.assessments
    assert [assessment.name for assessment in kept] == ["answer"]

"""Exceptions, apart from a server."""

import pickle

from tiegel import ApiError, Busy, Conflict, Invalid, Job, JobFailed
from tiegel.errors import api_error

JOB = Job("j1", "default", "training/t", "failed", "out of rows", 1, 2, ())


def test_a_problem_reads_as_a_message() -> None:
    problem = {
        "code": "invalid_documents",
        "detail": "the documents cannot be read",
        "trace_id": "ab",
        "errors": [{"path": "tiegel.yaml: spec", "detail": "unknown field", "line": 4, "column": 2}],
    }
    error = api_error(422, problem, None)
    assert isinstance(error, Invalid)
    assert str(error) == (
        "the documents cannot be read [invalid_documents]\n  tiegel.yaml: spec, line 4: unknown field"
    )
    assert str(ApiError(500, problem)).endswith("trace id ab")


def test_what_is_no_problem_document_is_shown_as_it_came() -> None:
    error = api_error(502, {"detail": "Bad Gateway"}, None)
    assert (error.code, str(error)) == ("http_502", "Bad Gateway [http_502]")


def test_busy_says_when_to_try_again() -> None:
    error = api_error(429, {}, "7")
    assert isinstance(error, Busy)
    assert error.retry_after == 7.0


def test_errors_cross_process_borders() -> None:
    error = pickle.loads(pickle.dumps(api_error(409, {"code": "conflict", "detail": "taken", "trace_id": "x"}, None)))
    assert isinstance(error, Conflict)
    assert (error.status, error.code, error.trace_id) == (409, "conflict", "x")
    failed = pickle.loads(pickle.dumps(JobFailed(JOB)))
    assert failed.job == JOB
    assert str(failed) == "run j1 of training/t failed: out of rows"

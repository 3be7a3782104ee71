"""Traces as a client sends them."""

import os

from wire import Wire


def location(experiment_id: str) -> dict:
    return {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment_id}}


def start(api: Wire, experiment_id: str, tags=None, metadata=None, **fields):
    """Starts a trace that is over already. `request_time` is in seconds."""
    trace_id = fields.pop("trace_id", None) or f"tr-{os.urandom(16).hex()}"
    second = fields.pop("request_time", 0)
    info = {
        "trace_id": trace_id,
        "trace_location": location(experiment_id),
        "request_time": f"2024-05-01T10:00:{second:02}.123Z",
        "execution_duration": "1.5s",
        "state": "OK",
        "trace_metadata": metadata or {},
        "tags": tags or {},
        **fields,
    }
    return api.post("3.0/traces", {"trace": {"trace_info": info}})


def started(api: Wire, experiment_id: str, **fields) -> str:
    return start(api, experiment_id, **fields).ok()["trace"]["trace_info"]["trace_id"]


def info_of(api: Wire, trace_id: str) -> dict:
    return api.get(f"3.0/traces/{trace_id}").ok()["trace"]["trace_info"]


def search(api: Wire, experiment_id: str, filter: str = "", **fields):
    body = {"locations": [location(experiment_id)], "filter": filter, **fields}
    return api.post("3.0/traces/search", body)


def found(api: Wire, experiment_id: str, filter: str = "", **fields) -> list[str]:
    traces = search(api, experiment_id, filter, **fields).ok().get("traces", [])
    return [trace["trace_id"] for trace in traces]

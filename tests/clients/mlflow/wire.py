"""One tracking server over plain HTTP: what a client without any library sees."""

import itertools
import json as jsonlib
import os

import requests

SECONDS_MAX = 60
# A field that MLflow cannot read, and all after it, silently take their defaults; some end in an unhandled exception.
UNREADABLE = "a value that cannot be read must not be replaced by a default"
# A constraint of its database was broken.
DATABASE = "the message is the database's own, with the SQL text"
_serial = itertools.count()


def unique(word: str) -> str:
    """A name that no other test on the same server has."""
    return f"{word}-{os.getpid()}-{next(_serial)}"


class Answer:
    """A response that knows which server it came from."""

    def __init__(self, wire: "Wire", response: requests.Response):
        self.wire = wire
        self.status = response.status_code
        self.headers = response.headers
        self.content = response.content
        self.text = response.text
        self.request = f"{response.request.method} {response.request.path_url}"

    def __repr__(self) -> str:
        return f"{self.wire.name}: {self.request} -> {self.status} {self.text[:800]}"

    @property
    def json(self) -> dict:
        return jsonlib.loads(self.content)

    def ok(self) -> dict:
        """The body of an answer that must be 200."""
        assert self.status == 200, self
        assert self.headers["content-type"].split(";")[0] == "application/json", self
        return self.json

    def refused(self, status: int, code: str, says: str = "", *, original: tuple = (), because: str = "") -> dict:
        """The body of an error, whose message holds `says`.

        Where `original` is given, MLflow answers with that status (and code, if two are given) instead; `because` says
        why that is not worth copying.
        """
        if original and self.wire.is_original:
            assert because, "a difference needs its reason"
            assert self.status == original[0], self
            assert len(original) == 1 or self.json["error_code"] == original[1], self
            return {}
        assert self.status == status, self
        body = self.json
        assert body["error_code"] == code, self
        assert says.lower() in body["message"].lower(), self
        return body

    def not_found(self, says: str = "") -> dict:
        return self.refused(404, "RESOURCE_DOES_NOT_EXIST", says)

    def invalid(self, says: str = "", **difference) -> dict:
        return self.refused(400, "INVALID_PARAMETER_VALUE", says, **difference)


class Wire:
    """Requests to one server. A path without a leading slash is below `/api/2.0/mlflow/`, or, where it begins with
    `3.0/`, below `/api/3.0/mlflow/`."""

    def __init__(self, name: str, url: str):
        self.name = name
        self.url = url
        self.session = requests.Session()

    @property
    def is_original(self) -> bool:
        return self.name == "mlflow"

    def differs(self, *, ours, original, because: str):
        """What this server answers where the two differ on purpose."""
        assert because, "a difference needs its reason"
        return original if self.is_original else ours

    def address(self, path: str) -> str:
        if path.startswith("/"):
            return self.url + path
        if path.startswith("3.0/"):
            return f"{self.url}/api/3.0/mlflow/{path[4:]}"
        return f"{self.url}/api/2.0/mlflow/{path}"

    def send(self, method: str, path: str, **options) -> Answer:
        response = self.session.request(method, self.address(path), timeout=SECONDS_MAX, **options)
        answer = Answer(self, response)
        # Clients repeat a request seven times over minutes after a 5xx, so that a permanent error must never be one.
        assert self.is_original or answer.status < 500 or answer.status == 501, answer
        return answer

    def get(self, path: str, /, **query) -> Answer:
        return self.send("GET", path, params=query)

    def post(self, path: str, body=None) -> Answer:
        return self.send("POST", path, json={} if body is None else body)

    def put(self, path: str, body=None) -> Answer:
        return self.send("PUT", path, json={} if body is None else body)

    def patch(self, path: str, body=None) -> Answer:
        return self.send("PATCH", path, json={} if body is None else body)

    def delete(self, path: str, body=None) -> Answer:
        return self.send("DELETE", path, json={} if body is None else body)

    # The steps that most tests begin with.

    def experiment(self, name: str | None = None, **fields) -> str:
        return self.post("experiments/create", {"name": name or unique("experiment"), **fields}).ok()["experiment_id"]

    def run(self, experiment_id: str, **fields) -> str:
        body = {"experiment_id": experiment_id, "start_time": 1_700_000_000_000, **fields}
        return self.post("runs/create", body).ok()["run"]["info"]["run_id"]

    def run_of(self, run_id: str) -> dict:
        return self.get("runs/get", run_id=run_id).ok()["run"]

    def data_of(self, run_id: str) -> dict:
        return self.run_of(run_id)["data"]

    def metric(self, run_id: str, key: str, value, timestamp: int = 1_700_000_000_000, step: int = 0) -> Answer:
        body = {"run_id": run_id, "key": key, "value": value, "timestamp": timestamp, "step": step}
        return self.post("runs/log-metric", body)

    def param(self, run_id: str, key: str, value: str) -> Answer:
        return self.post("runs/log-parameter", {"run_id": run_id, "key": key, "value": value})

    def tag(self, run_id: str, key: str, value: str) -> Answer:
        return self.post("runs/set-tag", {"run_id": run_id, "key": key, "value": value})

    def batch(self, run_id: str, metrics=(), params=(), tags=()) -> Answer:
        """Metrics are (key, value, timestamp, step); params and tags are (key, value)."""
        body = {
            "run_id": run_id,
            "metrics": [dict(zip(("key", "value", "timestamp", "step"), metric, strict=True)) for metric in metrics],
            "params": [{"key": key, "value": value} for key, value in params],
            "tags": [{"key": key, "value": value} for key, value in tags],
        }
        return self.post("runs/log-batch", body)

    def search_runs(self, experiment_ids: list[str], filter: str = "", **fields) -> Answer:
        return self.post("runs/search", {"experiment_ids": experiment_ids, "filter": filter, **fields})

    def found(self, experiment_id: str, filter: str = "", **fields) -> list[str]:
        """The ids of the runs that a search finds, in order."""
        runs = self.search_runs([experiment_id], filter, **fields).ok().get("runs", [])
        return [run["info"]["run_id"] for run in runs]

    def history(self, run_id: str, key: str, **query) -> list[dict]:
        return self.get("metrics/get-history", run_id=run_id, metric_key=key, **query).ok().get("metrics", [])


def pairs(entries: list[dict]) -> dict:
    """Params, tags or latest metrics as one mapping."""
    return {entry["key"]: entry["value"] for entry in entries}

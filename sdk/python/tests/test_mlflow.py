"""MLflow's own client, with this package beside it: it finds the plugin by its entry point."""

import http.server
import os
import threading
from collections.abc import Iterator

import pytest

import tiegel

# Read when MLflow is imported, which the first test here does.
os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"


class Recorder(http.server.BaseHTTPRequestHandler):
    """Answers everything, and keeps the workspaces that MLflow's client names."""

    seen: list[str | None]

    def do_GET(self) -> None:
        if "experiments/get" in self.path:
            self.seen.append(self.headers.get("X-MLFLOW-WORKSPACE"))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"version": "0.0.0", "experiment": {"experiment_id": "0", "name": "Default"}}')

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def recorder() -> Iterator[tuple[str, list[str | None]]]:
    seen: list[str | None] = []
    handler = type("Handler", (Recorder,), {"seen": seen})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", seen
        server.shutdown()
        thread.join()


def ask() -> None:
    import mlflow

    assert mlflow.MlflowClient().get_experiment("0").name == "Default"


def test_the_project_travels_as_the_workspace(recorder: tuple[str, list[str | None]]) -> None:
    url, seen = recorder
    tiegel.connect(url, project="prices")
    ask()
    tiegel.connect(url)
    ask()
    assert seen == ["prices", None]


def test_another_server_does_not_get_the_project(recorder: tuple[str, list[str | None]], server: str) -> None:
    import mlflow

    url, seen = recorder
    tiegel.connect(server, project="prices")
    mlflow.set_tracking_uri(url)
    ask()
    assert seen == [None]


def test_an_imported_mlflow_is_pointed_at_the_server(server: str) -> None:
    import mlflow

    mlflow.set_tracking_uri("http://127.0.0.1:1")
    tiegel.connect(server)
    assert mlflow.get_tracking_uri() == server


def test_a_workspace_of_its_own_goes_before_the_project(monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    from tiegel.mlflow_plugin import ProjectHeader

    tiegel.connect(server, project="prices")
    assert ProjectHeader().in_context()
    monkeypatch.setenv("MLFLOW_WORKSPACE", "other")
    assert not ProjectHeader().in_context()

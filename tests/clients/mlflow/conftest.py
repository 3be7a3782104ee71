"""Each case runs against MLflow's own server and against ours, with the same assertions.

TRACKING_SERVERS chooses: `both` (the default), `mlflow` or `tiegel`. TEST_MLFLOW_URL and TEST_TIEGEL_URL name servers
that are running already, for quick turns.
"""

import os

# Read by the client when it is imported. A client that has to ask twice is a failure here, not a wait of minutes.
os.environ |= {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}

import pytest
import servers
from wire import Wire

SERVERS = {"mlflow": servers.original, "tiegel": servers.ours}


def chosen() -> list[str]:
    choice = os.environ.get("TRACKING_SERVERS", "both")
    assert choice in ("both", *SERVERS), f"TRACKING_SERVERS is {choice}: use both, mlflow or tiegel"
    return list(SERVERS) if choice == "both" else [choice]


@pytest.fixture(scope="session", params=chosen())
def tracking(request, tmp_path_factory):
    """The name and the address of a server."""
    name = request.param
    if running := os.environ.get(f"TEST_{name.upper()}_URL"):
        yield name, running
        return
    with SERVERS[name](tmp_path_factory.mktemp(name)) as url:
        yield name, url


@pytest.fixture(scope="session")
def api(tracking) -> Wire:
    return Wire(*tracking)


@pytest.fixture()
def experiment(api) -> str:
    """An experiment of this test alone."""
    return api.experiment()


@pytest.fixture()
def run(api, experiment) -> str:
    return api.run(experiment)


@pytest.fixture()
def client(tracking):
    """MlflowClient, unmodified."""
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=tracking[1], registry_uri=tracking[1])


@pytest.fixture()
def fluent(tracking):
    """The module `mlflow`, pointed at the server and at a fresh experiment."""
    import mlflow
    from wire import unique

    mlflow.set_tracking_uri(tracking[1])
    mlflow.set_registry_uri(tracking[1])
    mlflow.set_experiment(unique("fluent"))
    yield mlflow
    while mlflow.active_run():
        mlflow.end_run()

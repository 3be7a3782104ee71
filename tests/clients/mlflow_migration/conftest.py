"""A store of MLflow's own, with something of everything, and the servers that it is moved to.

TEST_MLFLOW_STORE names a folder with a populated store, for quick turns.
"""

import os

os.environ |= {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}

import pathlib
import subprocess

import content
import pytest
import servers
from launch import binary
from snapshot import Names


@pytest.fixture(scope="session")
def store(tmp_path_factory) -> pathlib.Path:
    if known := os.environ.get("TEST_MLFLOW_STORE"):
        return pathlib.Path(known)
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="session")
def source(store) -> str:
    """MLflow's server over that store."""
    is_populated = (store / "mlflow.db").exists()
    with servers.original(store) as url:
        if not is_populated:
            content.populate(url)
        yield url


@pytest.fixture(scope="session")
def names(source) -> Names:
    return Names.of(source)


@pytest.fixture()
def tiegel(tmp_path):
    """An empty server of ours."""
    with servers.ours(tmp_path) as url:
        yield url


@pytest.fixture()
def fresh(tmp_path):
    """An empty server of MLflow's."""
    folder = tmp_path / "fresh"
    folder.mkdir()
    with servers.original(folder) as url:
        yield url


@pytest.fixture()
def move(tmp_path):
    """Runs the command line; its journal is the test's own."""

    def run(*arguments: str, server: str, code: int = 0) -> str:
        command = [str(binary()), "--server", server, *arguments, "--state", str(tmp_path / "journal.jsonl")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == code, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    return run

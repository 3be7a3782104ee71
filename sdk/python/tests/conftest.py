"""A real server for each session, and the environment as it was after each test."""

import contextlib
import os
import pathlib
import subprocess
from collections.abc import Iterator

import pytest
from launch import binary, free_port, wait_ready

import tiegel

TOKEN = "a-token-of-many-letters-for-the-tests"
ROWS_MAX = 1_000

VARIABLES = (
    "MLFLOW_TRACKING_URI",
    "MLFLOW_TRACKING_TOKEN",
    "MLFLOW_WORKSPACE",
    "TIEGEL_SERVER",
    "TIEGEL_TOKEN",
    "TIEGEL_PROJECT",
)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("server"), {"TIEGEL_QUERY__ROWS_MAX": str(ROWS_MAX)}) as url:
        yield url


@pytest.fixture(scope="session")
def guarded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that asks for a token."""
    with running(tmp_path_factory.mktemp("guarded"), {"TIEGEL_ADMIN_TOKEN": TOKEN}) as url:
        yield url


@contextlib.contextmanager
def running(folder: pathlib.Path, settings: dict[str, str]) -> Iterator[str]:
    address = f"127.0.0.1:{free_port()}"
    command = [str(binary()), "serve", "--listen", address, "--data-dir", str(folder / "data")]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TIEGEL_")} | settings
    with (folder / "log").open("w") as log, subprocess.Popen(command, stderr=log, env=environment) as process:
        try:
            wait_ready(f"http://{address}/health/ready", process)
            yield f"http://{address}"
            process.terminate()
            assert process.wait(timeout=30) == 0, (folder / "log").read_text()
        finally:
            process.kill()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """`connect` writes the environment; a test begins without what the one before it wrote."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        # Set and removed again, so that monkeypatch removes what the test itself sets.
        monkeypatch.setenv(name, "")
        os.environ.pop(name)


@pytest.fixture
def client(server: str) -> Iterator[tiegel.Client]:
    with tiegel.Client(server) as client:
        yield client

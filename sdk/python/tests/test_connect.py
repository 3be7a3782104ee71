"""Connecting, and what MLflow's client learns from it."""

import os
import pathlib
import subprocess
import sys

import pytest
from conftest import TOKEN
from launch import free_port

import tiegel


def test_connect_points_mlflow_at_the_server(server: str) -> None:
    client = tiegel.connect(server + "/", project="prices")
    assert client.version().count(".") == 2
    assert os.environ["MLFLOW_TRACKING_URI"] == os.environ["TIEGEL_SERVER"] == server
    assert os.environ["TIEGEL_PROJECT"] == "prices"
    assert "MLFLOW_TRACKING_TOKEN" not in os.environ


def test_the_environment_names_server_and_token(guarded_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIEGEL_SERVER", guarded_server)
    monkeypatch.setenv("TIEGEL_TOKEN", TOKEN)
    assert tiegel.connect().datasets() == []
    assert os.environ["MLFLOW_TRACKING_TOKEN"] == TOKEN


@pytest.mark.parametrize("token", [None, "wrong"])
def test_a_missing_or_wrong_token_is_denied(guarded_server: str, token: str | None) -> None:
    with pytest.raises(tiegel.Denied, match="admin token") as caught:
        tiegel.connect(guarded_server, token)
    assert (caught.value.status, caught.value.code) == (401, "token_required")
    assert "MLFLOW_TRACKING_URI" not in os.environ


def test_without_a_server_the_message_says_what_to_do() -> None:
    with pytest.raises(tiegel.ConnectionFailed, match="tiegel serve"):
        tiegel.connect(f"http://127.0.0.1:{free_port()}")


@pytest.mark.parametrize("url", ["localhost:8484", "ftp://localhost", "http://", "http://localhost?a=b"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(tiegel.TiegelError, match="is not a server's URL"):
        tiegel.Client(url)


def test_a_connection_that_the_server_closed_is_opened_again(client: tiegel.Client) -> None:
    client.version()
    connection = client._connection._local.connection
    connection.sock.shutdown(2)
    assert client.version()
    assert client._connection._local.connection is not connection


def test_the_package_needs_nothing_but_the_standard_library(server: str) -> None:
    source = pathlib.Path(tiegel.__file__).parents[1]
    program = (
        f"import sys; sys.path.insert(0, {str(source)!r}); import tiegel; c = tiegel.connect({server!r})\n"
        "c.upload_dataset('bare', [{'a': 1}, {'a': 2}]); print(c.query('select sum(a) as s from bare', 'rows'))\n"
        "try: c.query('select 1')\n"
        "except tiegel.MissingPackage as error: print(error)"
    )
    # -S and -I leave site-packages out.
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "[{'s': 3}]"
    assert "pip install 'tiegel[pandas]'" in done.stdout

"""The environment's variables, which child processes inherit."""

from __future__ import annotations

import os
import sys

SERVER = "TIEGEL_SERVER"
TOKEN = "TIEGEL_TOKEN"
PROJECT = "TIEGEL_PROJECT"

DEFAULT_SERVER = "http://127.0.0.1:8484"
DEFAULT_PROJECT = "default"


def point_mlflow_at(server: str, token: str | None, project: str) -> None:
    """Makes MLflow's client in this process, and in its children, use the server."""
    os.environ |= {"MLFLOW_TRACKING_URI": server, SERVER: server, PROJECT: project}
    if token:
        os.environ["MLFLOW_TRACKING_TOKEN"] = token
    # An MLflow that is imported later reads the environment.
    if (mlflow := sys.modules.get("mlflow")) is not None:
        mlflow.set_tracking_uri(server)


def is_same_server(uri: str | None, server: str | None) -> bool:
    return (uri or "").rstrip("/") == (server or DEFAULT_SERVER).rstrip("/")

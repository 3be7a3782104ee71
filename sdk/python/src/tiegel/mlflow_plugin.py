"""Tells an MLflow server's workspace apart by Tiegel's project: MLflow loads this by its entry point."""

from __future__ import annotations

import os

from mlflow.tracking.request_header.abstract_request_header_provider import RequestHeaderProvider

from tiegel.environment import DEFAULT_PROJECT, PROJECT, SERVER, is_same_server


class ProjectHeader(RequestHeaderProvider):  # type: ignore[misc]
    """Sends the project of `tiegel.connect(project=…)` with each request to that server, and to no other."""

    def in_context(self) -> bool:
        if os.environ.get(PROJECT, DEFAULT_PROJECT) == DEFAULT_PROJECT or os.environ.get("MLFLOW_WORKSPACE"):
            return False  # a client that has a word for it sends it itself
        import mlflow

        return is_same_server(mlflow.get_tracking_uri(), os.environ.get(SERVER))

    def request_headers(self) -> dict[str, str]:
        return {"X-MLFLOW-WORKSPACE": os.environ[PROJECT]}

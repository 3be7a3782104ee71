"""A real server with a served model, for other people's clients."""

import json
import urllib.request

import houses
import pytest


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with houses.served(tmp_path_factory.mktemp("project")) as url:
        yield url


@pytest.fixture()
def predict(server):
    """Predictions of the native route."""

    def call(rows):
        request = urllib.request.Request(
            f"{server}/api/v1/endpoints/price/predict",
            data=json.dumps({"rows": rows}).encode(),
            headers={"content-type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)["predictions"]

    return call

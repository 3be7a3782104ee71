"""tritonclient, unmodified, against the Open Inference Protocol."""

import numpy
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

ROWS = [{"rooms": 3.0, "area": 1.5}, {"rooms": 5.0, "area": 2.0}]


@pytest.fixture()
def client(server):
    with triton.InferenceServerClient(server.removeprefix("http://")) as client:
        yield client


def inputs():
    tensors = []
    for name in ("rooms", "area"):
        tensor = triton.InferInput(name, [len(ROWS)], "FP64")
        tensor.set_data_from_numpy(numpy.array([row[name] for row in ROWS]), binary_data=False)
        tensors.append(tensor)
    return tensors


def test_health_and_metadata(client):
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("price")
    metadata = client.get_model_metadata("price")
    assert sorted(tensor["name"] for tensor in metadata["inputs"]) == ["area", "rooms"]
    assert client.get_model_repository_index()[0]["state"] == "READY"


def test_inference_equals_the_native_route(client, predict):
    outputs = [triton.InferRequestedOutput("prediction", binary_data=False)]
    answer = client.infer("price", inputs(), outputs=outputs, request_id="42")
    assert answer.get_response()["id"] == "42"
    assert answer.as_numpy("prediction").tolist() == predict(ROWS)


def test_the_model_learned_the_formula(predict):
    for row, price in zip(ROWS, predict(ROWS), strict=True):
        assert price == pytest.approx(3.0 * row["rooms"] + 0.5 * row["area"], abs=0.3)


def test_mistakes_are_client_errors_with_a_message(client):
    with pytest.raises(InferenceServerException, match="nothing"):
        client.infer("nothing", inputs())
    with pytest.raises(InferenceServerException, match="area"):
        client.infer("price", inputs()[:1], outputs=[triton.InferRequestedOutput("prediction", binary_data=False)])

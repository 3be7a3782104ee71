"""Artifacts through the proxy: up, down, list, delete."""

import hashlib
import os
import random

import pytest
from wire import unique

PROXY = "/api/2.0/mlflow-artifacts/artifacts"
LARGE_BYTES = int(os.environ.get("TEST_ARTIFACT_MIB", "8")) * 1024 * 1024


@pytest.fixture()
def folder():
    """A folder in the store that no other test writes to."""
    return unique("folder")


def put(api, path, data, **options):
    answer = api.send("PUT", f"{PROXY}/{path}", data=data, **options)
    assert answer.status == 200, answer


def fetch(api, path, **options):
    return api.send("GET", f"{PROXY}/{path}", **options)


def listed(api, path):
    files = api.get(PROXY, path=path).ok().get("files", [])
    return sorted((entry["path"], entry["is_dir"], entry.get("file_size")) for entry in files)


@pytest.mark.parametrize("data", [b"", b"text", bytes(range(256)) * 300])
def test_what_goes_up_comes_down(api, folder, data):
    put(api, f"{folder}/data.bin", data)
    answer = fetch(api, f"{folder}/data.bin")
    assert answer.status == 200 and answer.content == data
    assert int(answer.headers["content-length"]) == len(data)


def test_an_upload_replaces(api, folder):
    put(api, f"{folder}/a", b"a longer first version")
    put(api, f"{folder}/a", b"second")
    assert fetch(api, f"{folder}/a").content == b"second"
    assert listed(api, folder) == [("a", False, 6)]


def test_the_answer_is_an_attachment_with_a_guessed_type(api, folder):
    for name, kind in [
        ("a.json", "text/plain"),
        ("a.png", "image/png"),
        ("a.txt", "text/plain"),
        ("a.html", "text/html"),
        ("a.unknown", "application/octet-stream"),
        ("MLmodel", "text/plain"),
    ]:
        put(api, f"{folder}/{name}", b"x")
        headers = fetch(api, f"{folder}/{name}").headers
        assert headers["content-type"].split(";")[0] == kind
        assert headers["content-disposition"].replace('"', "") == f"attachment; filename={name}"
        assert headers["x-content-type-options"] == "nosniff"


def test_names_outside_of_ascii(api, folder):
    name = "日本 ü.txt"
    put(api, f"{folder}/{name}", b"x")
    answer = fetch(api, f"{folder}/{name}")
    assert answer.content == b"x"
    assert "filename*=UTF-8''%E6%97%A5%E6%9C%AC%20%C3%BC.txt" in answer.headers["content-disposition"]
    assert listed(api, folder) == [(name, False, 1)]


@pytest.mark.parametrize("name", ["a b.txt", "a+b", "a?b", "a&b=c", "ä", "a;b", "a,b", "(a)", "a'b", "%"])
def test_names_with_special_characters(api, folder, name):
    from urllib.parse import quote

    put(api, f"{folder}/{quote(name)}", b"x")
    assert fetch(api, f"{folder}/{quote(name)}").content == b"x"
    assert listed(api, folder) == [(name, False, 1)]


def test_listing_is_relative_to_the_folder_and_one_level_deep(api, folder):
    for path in ("top.txt", "one/a.txt", "one/two/b.txt", "one/two/three/c.txt"):
        put(api, f"{folder}/{path}", b"12345")
    assert listed(api, folder) == [("one", True, None), ("top.txt", False, 5)]
    assert listed(api, f"{folder}/one") == [("a.txt", False, 5), ("two", True, None)]
    assert listed(api, f"{folder}/one/two") == [("b.txt", False, 5), ("three", True, None)]


def test_listing_a_file_or_nothing_is_empty(api, folder):
    put(api, f"{folder}/a.txt", b"x")
    assert listed(api, f"{folder}/a.txt") == []
    assert listed(api, f"{folder}/missing") == []
    assert listed(api, unique("never")) == []


def test_a_missing_file_is_not_found(api, folder):
    put(api, f"{folder}/a.txt", b"x")
    fetch(api, f"{folder}/missing.txt").not_found()
    fetch(api, f"{unique('never')}/missing.txt").not_found()


def test_a_folder_cannot_be_downloaded(api, folder):
    put(api, f"{folder}/sub/a.txt", b"x")
    answer = fetch(api, f"{folder}/sub")
    assert answer.status in (400, 404), answer


def test_delete_a_file_and_a_folder(api, folder):
    for path in ("a.txt", "sub/b.txt", "sub/deep/c.txt"):
        put(api, f"{folder}/{path}", b"x")
    assert api.delete(f"{PROXY}/{folder}/a.txt").ok() == {}
    fetch(api, f"{folder}/a.txt").not_found()
    assert listed(api, folder) == [("sub", True, None)]
    api.delete(f"{PROXY}/{folder}/sub").ok()
    assert listed(api, folder) == []
    fetch(api, f"{folder}/sub/deep/c.txt").not_found()


def test_deleting_what_is_not_there(api, folder):
    put(api, f"{folder}/a.txt", b"x")
    answer = api.delete(f"{PROXY}/{folder}/missing.txt")
    assert answer.status in (200, 404), answer


@pytest.mark.parametrize(
    "range, expected, content_range",
    [
        ("bytes=0-9", slice(0, 10), "bytes 0-9/1000"),
        ("bytes=100-199", slice(100, 200), "bytes 100-199/1000"),
        ("bytes=990-", slice(990, 1000), "bytes 990-999/1000"),
        ("bytes=-5", slice(995, 1000), "bytes 995-999/1000"),
        ("bytes=0-99999", slice(0, 1000), "bytes 0-999/1000"),
    ],
)
def test_ranges(api, folder, range, expected, content_range):
    data = random.Random(1).randbytes(1000)
    put(api, f"{folder}/a.bin", data)
    answer = fetch(api, f"{folder}/a.bin", headers={"range": range})
    assert answer.status == 206 and answer.content == data[expected]
    assert answer.headers["content-range"] == content_range


def test_a_range_outside_of_the_file(api, folder):
    put(api, f"{folder}/a.bin", b"12345")
    answer = fetch(api, f"{folder}/a.bin", headers={"range": "bytes=10-20"})
    assert answer.status == 416, answer


def test_an_entity_tag_saves_the_download(api, folder):
    put(api, f"{folder}/a.bin", b"12345")
    tag = fetch(api, f"{folder}/a.bin").headers["etag"]
    answer = fetch(api, f"{folder}/a.bin", headers={"if-none-match": tag})
    assert answer.status == api.differs(ours=304, original=200, because="MLflow sends the tag and never reads it")
    put(api, f"{folder}/a.bin", b"123456")
    assert fetch(api, f"{folder}/a.bin", headers={"if-none-match": tag}).content == b"123456"


def test_an_upload_in_chunks(api, folder):
    chunks = [random.Random(seed).randbytes(10_000) for seed in range(20)]
    put(api, f"{folder}/a.bin", iter(chunks))
    assert fetch(api, f"{folder}/a.bin").content == b"".join(chunks)


def test_a_large_file_up_and_down(api, folder):
    block = random.Random(7).randbytes(1024 * 1024)
    count = LARGE_BYTES // len(block)
    sent, received = hashlib.sha256(), hashlib.sha256()

    def blocks():
        for number in range(count):
            piece = number.to_bytes(8, "big") + block[8:]
            sent.update(piece)
            yield piece

    response = api.session.put(f"{api.url}{PROXY}/{folder}/large.bin", data=blocks(), timeout=600)
    assert response.status_code == 200, response.text
    with api.session.get(f"{api.url}{PROXY}/{folder}/large.bin", stream=True, timeout=600) as response:
        assert int(response.headers["content-length"]) == count * len(block)
        for piece in response.iter_content(1024 * 1024):
            received.update(piece)
    assert sent.digest() == received.digest()


def test_the_artifacts_of_a_run(api, experiment, run):
    root = f"{experiment}/{run}/artifacts"
    put(api, f"{root}/a.txt", b"123")
    put(api, f"{root}/model/MLmodel", b"12345")
    answer = api.get("artifacts/list", run_id=run).ok()
    assert answer["root_uri"] == f"mlflow-artifacts:/{root}"
    assert sorted(answer["files"], key=lambda entry: entry["path"]) == [
        {"path": "a.txt", "is_dir": False, "file_size": 3},
        {"path": "model", "is_dir": True},
    ]
    answer = api.get("artifacts/list", run_id=run, path="model").ok()
    assert answer["files"] == [{"path": "model/MLmodel", "is_dir": False, "file_size": 5}]
    assert "files" not in api.get("artifacts/list", run_id=run, path="missing").ok()
    assert api.get("artifacts/list", run_uuid=run).ok()["root_uri"] == f"mlflow-artifacts:/{root}"


def test_listing_needs_a_known_run(api):
    api.get("artifacts/list").invalid("Missing value for required parameter 'run_id'")
    api.get("artifacts/list", run_id="0" * 32).not_found("not found")


def test_the_page_downloads_and_uploads_artifacts(api, experiment, run):
    upload = f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path=notes/a.txt"
    assert api.send("POST", upload, data=b"hello").status == 200
    for name in ("run_id", "run_uuid"):
        answer = api.get("/get-artifact", **{name: run}, path="notes/a.txt")
        assert answer.status == 200 and answer.content == b"hello"
        assert answer.headers["content-disposition"].startswith("attachment")
    assert fetch(api, f"{experiment}/{run}/artifacts/notes/a.txt").content == b"hello"
    api.get("/get-artifact", run_id=run, path="missing.txt").not_found()
    api.get("/get-artifact", run_id="0" * 32, path="a").not_found()


def test_an_upload_from_the_page_needs_a_run_a_path_and_data(api, run):
    upload = "/ajax-api/2.0/mlflow/upload-artifact"
    api.send("POST", f"{upload}?path=a", data=b"x").invalid("run_uuid")
    api.send("POST", f"{upload}?run_uuid={run}", data=b"x").invalid("path")
    api.send("POST", f"{upload}?run_uuid={run}&path=a").invalid("data")
    api.send("POST", f"{upload}?run_uuid={run}&path=a", data=b"x" * (10 * 1024 * 1024 + 1)).invalid("10MB")


def test_client_artifacts(client, run, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.txt").write_text("b")
    (tmp_path / "a.txt").write_text("a")
    client.log_artifact(run, str(tmp_path / "a.txt"))
    client.log_artifact(run, str(tmp_path / "a.txt"), "nested/deep")
    client.log_artifacts(run, str(tmp_path), "all")
    client.log_text(run, "text", "notes/t.txt")
    client.log_dict(run, {"a": [1, 2]}, "d.json")
    assert [entry.path for entry in client.list_artifacts(run)] == ["a.txt", "all", "d.json", "nested", "notes"]
    assert [entry.path for entry in client.list_artifacts(run, "all")] == ["all/a.txt", "all/sub"]
    down = tmp_path / "down"
    down.mkdir()
    client.download_artifacts(run, "", str(down))
    found = {path.relative_to(down).as_posix() for path in down.rglob("*") if path.is_file()}
    assert found == {"a.txt", "all/a.txt", "all/sub/b.txt", "d.json", "nested/deep/a.txt", "notes/t.txt"}
    assert (down / "all" / "sub" / "b.txt").read_text() == "b"


def test_fluent_artifacts(fluent):
    import matplotlib

    matplotlib.use("Agg")
    import numpy
    import pandas
    from matplotlib import pyplot

    with fluent.start_run() as run:
        fluent.log_table({"a": [1, 2], "b": ["x", "y"]}, "table.json")
        fluent.log_table(pandas.DataFrame({"a": [3], "b": ["z"]}), "table.json")
        fluent.log_image(numpy.zeros((8, 8, 3), dtype=numpy.uint8), "image.png")
        fluent.log_image(numpy.zeros((8, 8, 3), dtype=numpy.uint8), key="steps", step=1)
        figure = pyplot.figure()
        fluent.log_figure(figure, "figure.png")
        pyplot.close(figure)
    run_id = run.info.run_id
    table = fluent.load_table("table.json", [run_id])
    assert list(table["a"]) == [1, 2, 3] and list(table["b"]) == ["x", "y", "z"]
    assert fluent.artifacts.load_image(f"runs:/{run_id}/image.png").size == (8, 8)
    names = [entry.path for entry in fluent.MlflowClient().list_artifacts(run_id)]
    assert names == ["figure.png", "image.png", "images", "table.json"]

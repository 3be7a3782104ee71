"""oras, unmodified, against the registry of plugins."""

import hashlib
import json
import pathlib
import urllib.request

import oras.client
import oras.oci
import pytest
from launch import ROOT

WASM = ROOT / "plugins" / "dist" / "calendar.wasm"
CONFIG_TYPE = "application/vnd.wasm.config.v0+json"


@pytest.fixture()
def client(server):
    return oras.client.OrasClient(hostname=server.removeprefix("http://"), insecure=True)


@pytest.fixture()
def folder(tmp_path, monkeypatch):
    """oras pushes files of the folder that it runs in."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "calendar.wasm").write_bytes(WASM.read_bytes())
    digest = "sha256:" + hashlib.sha256(WASM.read_bytes()).hexdigest()
    config = {"created": "1970-01-01T00:00:00Z", "architecture": "wasm", "os": "wasip2", "layerDigests": [digest]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    return tmp_path


def push(client, server, tag):
    return client.push(
        target=f"{server.removeprefix('http://')}/plugins/oras/calendar:{tag}",
        files=["calendar.wasm:application/wasm"],
        manifest_config=f"config.json:{CONFIG_TYPE}",
        disable_path_validation=True,
    )


def test_what_oras_pushes_is_a_plugin_and_what_it_pulls_is_the_component(client, server, folder):
    assert push(client, server, "0.1.0").status_code == 201
    with urllib.request.urlopen(f"{server}/api/v1/projects/oras/plugins/calendar") as answer:
        plugin = json.load(answer)
    assert plugin["digest"] == "sha256:" + hashlib.sha256(WASM.read_bytes()).hexdigest()
    place = f"{server.removeprefix('http://')}/plugins/oras/calendar"
    assert client.get_tags(place) == ["0.1.0"]
    pulled = client.pull(target=f"{place}:0.1.0", outdir=str(folder / "out"))
    assert [pathlib.Path(file).read_bytes() for file in pulled] == [WASM.read_bytes()]


def test_oras_pulls_what_the_native_api_took(client, server, folder):
    request = urllib.request.Request(f"{server}/api/v1/projects/native/plugins", data=WASM.read_bytes(), method="POST")
    with urllib.request.urlopen(request) as answer:
        version = json.load(answer)["version"]
    place = f"{server.removeprefix('http://')}/plugins/native/calendar:{version}"
    manifest = client.get_manifest(place)
    assert manifest["config"]["mediaType"] == CONFIG_TYPE
    blob = client.get_blob(place, manifest["layers"][0]["digest"])
    assert blob.content == WASM.read_bytes()


def test_a_tag_that_is_not_the_version_is_refused(client, server, folder):
    with pytest.raises(Exception, match="MANIFEST_INVALID|400|[Bb]ad [Rr]equest"):
        push(client, server, "9.9.9")

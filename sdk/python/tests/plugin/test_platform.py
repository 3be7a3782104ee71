"""The way that the README shows: from a folder with a class to a pipeline's step, through the real server."""

from __future__ import annotations

import pathlib
import shutil
import subprocess

from launch import binary

import tiegel

EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "examples" / "clip"
PIPELINE = {
    "apiVersion": "tiegel/v1",
    "kind": "Pipeline",
    "metadata": {"name": "clipped"},
    "spec": {
        "steps": {
            "raw": {"sql": "select id, price from prices", "key": ["id"]},
            "capped": {"wasm": "clip", "columns": ["price"], "config": {"max": 5}},
        }
    },
}


def test_a_plugin_in_python_becomes_a_step(server: str, client: tiegel.Client, tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "clip"
    shutil.copytree(EXAMPLE, folder)
    component = folder / "clip.wasm"
    built = subprocess.run(
        [binary(), "plugin", "build", folder, "--out", component], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    pushed = subprocess.run(
        [binary(), "--server", server, "plugin", "push", component], capture_output=True, text=True, check=False
    )
    assert pushed.returncode == 0, pushed.stderr
    assert pushed.stdout.startswith("pushed clip@0.1.0 ")
    client.upload_dataset("prices", [{"id": 1, "price": 1.5}, {"id": 2, "price": 9.5}, {"id": 3, "price": None}])
    client.apply([PIPELINE])
    client.run("pipeline/clipped")
    rows = client.query('select id, price from "clipped.capped" order by id', into="rows")
    assert list(rows) == [{"id": 1, "price": 1.5}, {"id": 2, "price": 5.0}, {"id": 3, "price": None}]

"""A whole training script, run by the newest client and by one of the second generation."""

import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
SECOND = pathlib.Path(os.environ.get("TEST_MLFLOW2_PYTHON", ROOT / ".venv-mlflow2" / "bin" / "python"))
SECONDS_MAX = 900


@pytest.mark.parametrize("generation", ["3", "2"])
def test_a_training_script(tracking, generation, tmp_path):
    python = sys.executable if generation == "3" else str(SECOND)
    assert pathlib.Path(python).exists(), f"{python} is missing: run .ci/setup mlflow"
    environment = os.environ | {
        "MLFLOW_TRACKING_URI": tracking[1],
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        "PYTHONWARNINGS": "ignore",
    }
    command = [python, str(HERE / "sessions" / "training.py")]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
    )
    assert done.returncode == 0, f"after {done.stdout.split()}:\n{done.stderr[-6000:]}"
    assert done.stdout.splitlines()[-1].startswith(f"done {generation}.")

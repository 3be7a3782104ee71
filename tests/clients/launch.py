"""Finding the binary, a free port, and the moment when a server is ready."""

import os
import pathlib
import socket
import subprocess
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]


def binary() -> pathlib.Path:
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    path = pathlib.Path(os.environ.get("TEST_BIN", target / "debug" / "tiegel"))
    assert path.exists(), f"{path} is missing: run cargo build -p tiegel-server"
    return path


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_ready(url: str, server: subprocess.Popen, seconds_max: float = 60) -> None:
    """Waits until `url` answers 200."""
    deadline = time.monotonic() + seconds_max
    while time.monotonic() < deadline:
        assert server.poll() is None, "the server ended"
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"{url} is not ready")

"""The two servers that every case runs against: MLflow's own, and ours."""

import contextlib
import os
import pathlib
import subprocess
import sys

from launch import binary, free_port, wait_ready

# MLflow imports a second's worth of Python per worker, and its job runner four times that.
ORIGINAL_START_SECONDS_MAX = 180

ORIGINAL_ENVIRONMENT = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": "dGVzdHMgbmVlZCBubyBzZWNyZXQga2V5ISEhISEhISE=",
    "_MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
}


@contextlib.contextmanager
def original(folder: pathlib.Path, *options: str):
    """MLflow's server with one worker, because several lack TCP_NODELAY and answer each request 40 ms later."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "artifacts")),
        *options,
    ]
    environment = os.environ | ORIGINAL_ENVIRONMENT
    with running(command, folder, environment) as process:
        wait_ready(f"http://127.0.0.1:{port}/health", process, ORIGINAL_START_SECONDS_MAX)
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def ours(folder: pathlib.Path):
    port = free_port()
    command = [str(binary()), "serve", "--listen", f"127.0.0.1:{port}", "--data-dir", str(folder / "data")]
    with running(command, folder, dict(os.environ)) as process:
        wait_ready(f"http://127.0.0.1:{port}/health/ready", process)
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def running(command: list[str], folder: pathlib.Path, environment: dict[str, str]):
    """Runs a server in its own process group, so that its workers end with it."""
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True, cwd=folder)
        try:
            yield process
        except BaseException:
            print((folder / "log").read_text()[-4000:], file=sys.stderr)
            raise
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()

"""A project whose model is trained and served by a real server."""

import contextlib
import pathlib
import random
import subprocess

from launch import binary, free_port, wait_ready

PROJECT = """apiVersion: tiegel/v1
kind: Dataset
metadata: {name: houses}
spec: {source: {path: houses.csv}, tests: [{unique: [id]}]}
---
kind: Pipeline
metadata: {name: rooms}
spec:
  steps:
    priced:
      sql: select id, rooms, area, 3.0 * rooms + 0.5 * area as price from houses
      key: [id]
  split: {step: priced, byFraction: {key: [id], seed: 3, validation: 0.2, test: 0.2}}
---
kind: Training
metadata: {name: price}
spec:
  pipeline: rooms
  task: regression
  target: price
  exclude: [id]
  model: {family: linear}
  train: {epochsMax: 60, batchRows: 64, seed: 1, optimizer: {learningRate: 0.05, schedule: constant}}
  register: {model: price, alias: champion}
---
kind: Endpoint
metadata: {name: price}
spec: {model: price, alias: champion}
"""


@contextlib.contextmanager
def served(folder: pathlib.Path):
    """The address of the server."""
    numbers = random.Random(5)
    rows = [f"{i},{numbers.randint(1, 6)}.0,{numbers.uniform(0.5, 4.0):.3f}" for i in range(600)]
    (folder / "houses.csv").write_text("id,rooms,area\n" + "\n".join(rows) + "\n")
    (folder / "tiegel.yaml").write_text(PROJECT)
    url = f"http://127.0.0.1:{free_port()}"
    command = [binary(), "serve", "--listen", url.removeprefix("http://"), "--data-dir", str(folder / "data")]
    with open(folder / "log", "w") as log, subprocess.Popen(command, stderr=log) as process:
        try:
            wait_ready(f"{url}/health/ready", process)
            for args in (["apply", "-f", str(folder)], ["run", "endpoint/price", "--wait"]):
                subprocess.run([binary(), "--server", url, *args], check=True)
            yield url
            process.terminate()
            assert process.wait(timeout=30) == 0, (folder / "log").read_text()
        finally:
            process.kill()

"""A store of MLflow's own goes into ours and out again, and MLflow's web page over what came out shows the same."""

import contextlib
import os
import subprocess
import sys

import pytest
import requests
import servers
from launch import binary, free_port, wait_ready
from pages import NO_PROMPTS, PROMPTS, Shown, differences


@contextlib.contextmanager
def web_page(folder):
    """`mlflow ui` over a store that nobody serves."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "mlflow", "ui", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "artifacts")),
    ]
    with servers.running(command, folder, os.environ | servers.ORIGINAL_ENVIRONMENT) as process:
        wait_ready(f"http://127.0.0.1:{port}/health", process, servers.ORIGINAL_START_SECONDS_MAX)
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def both(source, store, tmp_path_factory):
    """What the page shows over the first store, and over the one that went through ours."""
    folder, exported = tmp_path_factory.mktemp("ours"), tmp_path_factory.mktemp("exported")
    origin = ["--from", f"sqlite:///{store}/mlflow.db", "--artifact-root", f"{store}/artifacts"]
    with servers.ours(folder) as ours:
        move(ours, "import", "mlflow", *origin, "--state", str(folder / "import"))
        with servers.original(exported) as there:
            move(ours, "export", "mlflow", "--to", there, "--state", str(folder / "export"))
    with web_page(exported) as page:
        yield Shown(source), Shown(page)


def move(server, *arguments):
    command = [str(binary()), "--server", server, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    assert "DIFFERS" not in done.stdout


def same(both, describe):
    first, came_out = (describe(side) for side in both)
    assert not differences(first, came_out)
    return first


def test_the_page_itself_is_served(both):
    _, came_out = both
    page = requests.get(came_out.page.url, timeout=60)
    assert page.status_code == 200 and '<div id="root"' in page.text


def test_experiments(both):
    assert len(same(both, Shown.experiment_list)) >= 4


def test_the_table_of_runs(both):
    assert len(same(both, Shown.run_table)) >= 9


def test_filters_and_orders_of_the_table(both):
    found = same(both, Shown.searches)
    assert all(found.values()), found


def test_pages_of_runs_with_curves_and_files(both):
    def pages(side):
        return {side.first[run["info"]["run_id"]]: side.run_page(run) for run in side.runs}

    found = same(both, pages)
    assert max(len(page["history"].get("loss", [])) for page in found.values()) == 2_500
    assert any(page["files"] for page in found.values())


def test_logged_models(both):
    assert same(both, Shown.model_pages)


@pytest.mark.parametrize("chosen", [NO_PROMPTS, PROMPTS], ids=["models", "prompts"])
def test_the_registry(both, chosen):
    assert same(both, lambda side: side.registry(chosen))


def test_traces(both):
    assert len(same(both, Shown.traces)) == 3

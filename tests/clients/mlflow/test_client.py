"""Every method of MlflowClient is called by some test here; this file calls those that no other one has a use for."""

import ast
import inspect
import io
import pathlib

import numpy
import pytest
from wire import unique

HERE = pathlib.Path(__file__).resolve().parent

# What no test calls, and why.
MCP = "a catalogue of tool servers for agents: the server answers that it has no such endpoint"
LEFT_OUT = {
    "test_webhook": "it calls a public address; the calls themselves are tested beside the server's code",
    "create_mcp_access_endpoint": MCP,
    "create_mcp_server": MCP,
    "create_mcp_server_version": MCP,
    "delete_mcp_access_endpoint": MCP,
    "delete_mcp_server": MCP,
    "delete_mcp_server_alias": MCP,
    "delete_mcp_server_tag": MCP,
    "delete_mcp_server_version": MCP,
    "delete_mcp_server_version_tag": MCP,
    "get_latest_mcp_server_version": MCP,
    "get_mcp_access_endpoint": MCP,
    "get_mcp_server": MCP,
    "get_mcp_server_version": MCP,
    "get_mcp_server_version_by_alias": MCP,
    "refresh_mcp_server_version_tools": MCP,
    "search_mcp_access_endpoints": MCP,
    "search_mcp_server_versions": MCP,
    "search_mcp_servers": MCP,
    "set_mcp_server_alias": MCP,
    "set_mcp_server_tag": MCP,
    "set_mcp_server_version_tag": MCP,
    "update_mcp_access_endpoint": MCP,
    "update_mcp_server": MCP,
    "update_mcp_server_version": MCP,
}


def called_on_a_client() -> set[str]:
    """The methods that the tests call on a variable named `client`."""
    called = set()
    for path in HERE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                if isinstance(node.func.value, ast.Name) and node.func.value.id == "client":
                    called.add(node.func.attr)
    return called


def test_every_method_of_the_client_is_called():
    from mlflow import MlflowClient

    methods = {name for name, _ in inspect.getmembers(MlflowClient, inspect.isfunction) if not name.startswith("_")}
    called = called_on_a_client()
    assert methods - called - set(LEFT_OUT) == set()
    assert set(LEFT_OUT) <= methods - called, "what is served is no longer left out"


@pytest.fixture()
def client(fluent):
    """Parts of the client look at where the whole module is pointed."""
    return fluent.MlflowClient()


@pytest.fixture()
def experiment_id(client):
    return client.create_experiment(unique("client"), tags={"team": "weather"})


@pytest.fixture()
def run_id(client, experiment_id):
    return client.create_run(experiment_id, run_name="first").info.run_id


def test_client_experiments(client, experiment_id):
    experiment = client.get_experiment(experiment_id)
    assert client.get_experiment_by_name(experiment.name).tags == {"team": "weather"}
    client.set_experiment_tag(experiment_id, "more", "yes")
    client.delete_experiment_tag(experiment_id, "team")
    name = unique("renamed")
    client.rename_experiment(experiment_id, name)
    experiment = client.get_experiment(experiment_id)
    assert (experiment.name, experiment.tags) == (name, {"more": "yes"})
    client.delete_experiment(experiment_id)
    assert client.get_experiment(experiment_id).lifecycle_stage == "deleted"
    client.restore_experiment(experiment_id)
    assert [found.name for found in client.search_experiments(filter_string=f"name = '{name}'")] == [name]


def test_client_runs(client, experiment_id, run_id):
    client.update_run(run_id, status="FAILED", name="second")
    info = client.get_run(run_id).info
    assert (info.status, info.run_name) == ("FAILED", "second")
    child = client.create_run(experiment_id, tags={"mlflow.parentRunId": run_id}).info.run_id
    assert client.get_parent_run(child).info.run_id == run_id
    assert client.get_parent_run(run_id) is None


def test_client_logs_files_of_every_kind(client, experiment_id, run_id):
    from matplotlib.figure import Figure

    client.log_table(run_id, {"q": ["a", "b"], "n": [1, 2]}, "table.json")
    client.log_table(run_id, {"q": ["c"], "n": [3]}, "table.json")
    client.log_image(run_id, numpy.zeros((4, 4, 3), dtype=numpy.uint8), "one.png")
    client.log_image(run_id, numpy.zeros((4, 4, 3), dtype=numpy.uint8), key="dog", step=1, synchronous=True)
    client.log_figure(run_id, Figure(), "figure.png")
    client.log_stream(run_id, io.BytesIO(b"from a stream"), "stream.bin")
    table = client.load_table(experiment_id, "table.json", run_ids=[run_id])
    assert list(table["q"]) == ["a", "b", "c"]
    names = {file.path for file in client.list_artifacts(run_id)}
    assert {"table.json", "one.png", "images", "figure.png", "stream.bin"} <= names
    assert len(client.list_artifacts(run_id, "images")) == 2
    tags = client.get_run(run_id).data.tags
    assert "table.json" in tags["mlflow.loggedArtifacts"] and tags["mlflow.loggedImages"] == "True"


def test_client_logged_models(client, experiment_id, run_id, tmp_path):
    from mlflow.entities import LoggedModelInput, LoggedModelOutput

    model = client.create_logged_model(experiment_id, "net", run_id, tags={"a": "b"}, params={"c": "1"})
    client.log_model_params(model.model_id, {"d": "2"})
    client.set_logged_model_tags(model.model_id, {"e": "f"})
    client.delete_logged_model_tag(model.model_id, "a")
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "weights.bin").write_bytes(b"weights")
    (tmp_path / "card.md").write_text("card")
    client.log_model_artifacts(model.model_id, str(tmp_path / "files"))
    client.log_model_artifact(model.model_id, str(tmp_path / "card.md"))
    files = client.list_logged_model_artifacts(model.model_id)
    assert sorted(file.path for file in files) == ["card.md", "weights.bin"]
    client.finalize_logged_model(model.model_id, "READY")
    found = client.get_logged_model(model.model_id)
    assert (found.params, found.tags["e"], str(found.status)) == ({"c": "1", "d": "2"}, "f", "READY")
    assert "a" not in found.tags
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=3)])
    reader = client.create_run(experiment_id).info.run_id
    client.log_inputs(reader, models=[LoggedModelInput(model.model_id)])
    assert [output.model_id for output in client.get_run(run_id).outputs.model_outputs] == [model.model_id]
    assert [read.model_id for read in client.get_run(reader).inputs.model_inputs] == [model.model_id]
    found = client.search_logged_models([experiment_id], "name = 'net'")
    assert [entry.model_id for entry in found] == [model.model_id]
    client.delete_logged_model(model.model_id)
    assert client.search_logged_models([experiment_id]) == []


def test_client_copies_versions(client, run_id):
    source, target = unique("model"), unique("model")
    client.create_registered_model(source)
    version = client.create_model_version(source, f"runs:/{run_id}/model", run_id, tags={"a": "b"})
    copy = client.copy_model_version(f"models:/{source}/{version.version}", target)
    assert (copy.name, int(copy.version), copy.tags) == (target, 1, {"a": "b"})
    assert client.get_model_version(target, "1").source == f"models:/{source}/1"
    assert client.get_model_version_download_uri(target, "1") == client.get_model_version_download_uri(source, "1")
    assert "Production" in client.get_model_version_stages(target, "1")


def test_client_evaluation_datasets(client, experiment_id):
    other = client.create_experiment(unique("client"))
    dataset = client.create_dataset(unique("dataset"), [experiment_id], {"team": "weather"})
    dataset_id = dataset.dataset_id
    assert client.add_dataset_to_experiments(dataset_id, [other]).experiment_ids == [experiment_id, other]
    found = client.search_datasets([other])
    assert [entry.dataset_id for entry in found] == [dataset_id]
    assert client.remove_dataset_from_experiments(dataset_id, [experiment_id]).experiment_ids == [other]
    client.set_dataset_tags(dataset_id, {"more": "yes"})
    client.delete_dataset_tag(dataset_id, "team")
    tags = client.get_dataset(dataset_id).tags
    assert tags["more"] == "yes" and "team" not in tags
    client.delete_dataset(dataset_id)
    assert client.search_datasets([other]) == []


def test_client_traces(client, experiment_id, run_id):
    root = client.start_trace("root", inputs={"a": 1}, tags={"t": "u"}, experiment_id=experiment_id)
    span = client.start_span("inner", trace_id=root.trace_id, parent_id=root.span_id, span_type="TOOL")
    client.end_span(root.trace_id, span.span_id, outputs="b")
    client.end_trace(root.trace_id, outputs={"c": 2})
    trace = client.get_trace(root.trace_id, display=False, flush=True)
    assert [span.name for span in trace.data.spans] == ["root", "inner"]
    assert trace.info.tags["t"] == "u" and trace.data.spans[1].outputs == "b"
    client.link_traces_to_run([root.trace_id], run_id)
    [found] = client.search_traces(locations=[experiment_id], run_id=run_id)
    assert found.info.trace_id == root.trace_id
    with pytest.raises(NotImplementedError):
        client.unlink_traces_from_run([root.trace_id], run_id)
    prompt = client.register_prompt(unique("prompt"), "Say {{word}}")
    client.link_prompt_versions_to_trace([prompt], root.trace_id)
    linked = client.get_trace(root.trace_id, display=False).info.tags["mlflow.linkedPrompts"]
    assert prompt.name in linked


def test_client_prompts_by_parts(client):
    name = unique("prompt")
    client.create_prompt(name, description="what it is", tags={"a": "b"})
    first = client.create_prompt_version(name, "Say {{word}}", "first", {"c": "d"})
    chat = [{"role": "system", "content": "Be {{mood}}."}, {"role": "user", "content": "{{question}}"}]
    client.create_prompt_version(name, chat, response_format={"type": "object"})
    assert client.get_prompt(name).tags["a"] == "b" and client.get_prompt(unique("none")) is None
    assert first.version == 1 and client.get_prompt_version(name, 1).template == "Say {{word}}"
    loaded = client.load_prompt(name, version=2)
    assert loaded.template == chat and loaded.response_format == {"type": "object"}
    assert loaded.variables == {"mood", "question"}
    assert client.parse_prompt_uri(f"prompts:/{name}/2") == (name, "2")
    client.set_prompt_tag(name, "e", "f")
    client.delete_prompt_tag(name, "a")
    client.delete_prompt_version_tag(name, 1, "c")
    assert client.get_prompt(name).tags["e"] == "f" and "a" not in client.get_prompt(name).tags
    assert "c" not in client.get_prompt_version(name, 1).tags
    client.set_prompt_alias(name, "live", 2)
    assert client.load_prompt(f"prompts:/{name}@live").version == 2
    versions = client.search_prompt_versions(name)
    assert sorted(int(version.version) for version in versions) == [1, 2]
    client.delete_prompt_version(name, "1")
    client.delete_prompt(name)
    assert client.get_prompt(name) is None


def test_client_links_prompts(client, experiment_id, run_id):
    prompt = client.register_prompt(unique("prompt"), "Say {{word}}")
    model = client.create_logged_model(experiment_id, "net")
    client.link_prompt_version_to_model(prompt.name, prompt.version, model.model_id)
    assert prompt.name in client.get_logged_model(model.model_id).tags["mlflow.linkedPrompts"]
    client.link_prompt_version_to_run(run_id, prompt)
    assert prompt.name in client.get_run(run_id).data.tags["mlflow.linkedPrompts"]
    client.set_prompt_version_tag(prompt.name, prompt.version, "mlflow.prompt.associatedRunIds", run_id)
    assert [linked.name for linked in client.list_logged_prompts(run_id)] == [prompt.name]
    client.detach_prompt_from_run(run_id, prompt.uri)
    assert client.list_logged_prompts(run_id) == []


def test_fluent_prompts(fluent):
    """What `mlflow.genai` offers for the same."""
    name = unique("prompt")
    first = fluent.genai.register_prompt(name, "Say {{word}}", commit_message="first", tags={"a": "b"})
    fluent.genai.register_prompt(name, [{"role": "user", "content": "Shout {{word}}"}])
    fluent.genai.set_prompt_alias(name, "live", 1)
    assert fluent.genai.load_prompt(f"prompts:/{name}@live").format(word="hi") == "Say hi"
    assert fluent.genai.load_prompt(name).version == 2
    assert [prompt.name for prompt in fluent.genai.search_prompts(f"name = '{name}'")] == [name]
    fluent.genai.delete_prompt_alias(name, "live")
    assert first.commit_message == "first"
    assert fluent.genai.load_prompt(f"prompts:/{name}@live", allow_missing=True) is None

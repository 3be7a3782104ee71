"""Everything that MlflowClient says of a server, as plain values that can be compared."""

import dataclasses
import hashlib
import pathlib
import tempfile
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import ViewType

PROMPT_FILTER = "tags.`mlflow.prompt.is_prompt` = 'true'"


@dataclasses.dataclass(frozen=True)
class Names:
    """What a store holds, by name."""

    experiments: list[str]
    runs: list[str]
    logged_models: list[str]
    versions: dict[str, list[str]]
    traces: list[str]

    @classmethod
    def of(cls, url: str) -> "Names":
        client = MlflowClient(url, url)
        experiments = [e.experiment_id for e in client.search_experiments(view_type=ViewType.ALL)]
        runs = client.search_runs(experiments, run_view_type=ViewType.ALL, max_results=1000)
        models = {m.name: "" for m in client.search_registered_models()}
        models |= {m.name: f" AND {PROMPT_FILTER}" for m in client.search_registered_models(filter_string=PROMPT_FILTER)}
        found = {n: client.search_model_versions(f"name = '{n}'{more}") for n, more in models.items()}
        return cls(
            sorted(experiments),
            sorted(run.info.run_id for run in runs),
            sorted(model.model_id for model in client.search_logged_models(experiments)),
            {name: sorted(v.version for v in versions) for name, versions in found.items()},
            sorted(trace.info.trace_id for trace in client.search_traces(locations=experiments)),
        )


def experiment(client: MlflowClient, experiment_id: str) -> dict[str, Any]:
    found = dict(client.get_experiment(experiment_id))
    return {key: found[key] for key in ("name", "lifecycle_stage", "artifact_location", "creation_time", "tags")}


def run(client: MlflowClient, run_id: str) -> dict[str, Any]:
    found = client.get_run(run_id)
    info = {key: getattr(found.info, key) for key in RUN_INFO}
    history = {key: sorted(points(client, run_id, key)) for key in found.data.metrics}
    inputs = [
        (i.dataset.to_dictionary(), sorted((t.key, t.value) for t in i.tags)) for i in found.inputs.dataset_inputs
    ]
    return {
        "info": info,
        "latest": {key: repr(value) for key, value in found.data.metrics.items()},
        "history": history,
        "params": found.data.params,
        "tags": found.data.tags,
        "inputs": sorted(inputs, key=str),
        "model_inputs": sorted(m.model_id for m in found.inputs.model_inputs),
        "outputs": sorted((m.model_id, m.step) for m in found.outputs.model_outputs),
        "files": files(client, run_id),
    }


RUN_INFO = ("run_name", "user_id", "status", "start_time", "end_time", "lifecycle_stage", "artifact_uri", "experiment_id")


def points(client: MlflowClient, run_id: str, key: str) -> list[tuple[int, int, str]]:
    return [(point.step, point.timestamp, repr(point.value)) for point in client.get_metric_history(run_id, key)]


def files(client: MlflowClient, run_id: str) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        if not client.list_artifacts(run_id):
            return {}
        return digests(pathlib.Path(client.download_artifacts(run_id, "", folder)))


def digests(root: pathlib.Path) -> dict[str, str]:
    found = [path for path in root.rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def logged_model(client: MlflowClient, model_id: str) -> dict[str, Any]:
    model = client.get_logged_model(model_id)
    metrics = [(m.key, repr(m.value), m.timestamp, m.step, m.dataset_name, m.dataset_digest) for m in model.metrics]
    with tempfile.TemporaryDirectory() as folder:
        root = mlflow.artifacts.download_artifacts(artifact_uri=model.artifact_location, dst_path=folder)
        content = digests(pathlib.Path(root))
    named = ("name", "experiment_id", "artifact_location", "creation_timestamp", "status", "model_type", "source_run_id")
    fields = {key: getattr(model, key) for key in named}
    return fields | {"params": model.params, "tags": model.tags, "metrics": sorted(metrics, key=str), "files": content}


def registered_model(client: MlflowClient, name: str, versions: list[str]) -> dict[str, Any]:
    # The client itself does not show a prompt as a model.
    model = client._get_registry_client().store.get_registered_model(name)
    fields = {key: getattr(model, key) for key in ("description", "creation_timestamp", "tags", "aliases")}
    return fields | {"versions": {number: version(client, name, number) for number in versions}}


def version(client: MlflowClient, name: str, number: str) -> dict[str, Any]:
    found = client._get_registry_client().store.get_model_version(name, number)
    named = ("description", "creation_timestamp", "current_stage", "source", "run_id", "status", "tags", "aliases")
    location = client._get_registry_client().store.get_model_version_download_uri(name, number)
    return {key: getattr(found, key) for key in named} | {"location": location}


def trace(client: MlflowClient, trace_id: str) -> dict[str, Any]:
    found = client.get_trace(trace_id)
    info = found.info
    named = ("experiment_id", "request_time", "execution_duration", "state", "request_preview", "response_preview")
    said = [(a.name, str(a.value), a.rationale, a.source.source_type, a.create_time_ms) for a in info.assessments]
    spans = [
        (s.name, s.span_type, s.span_id, s.parent_id, s.start_time_ns, s.end_time_ns, s.status.status_code, s.attributes)
        for s in found.data.spans
    ]
    return {
        "info": {key: getattr(info, key) for key in named},
        "tags": {key: value for key, value in info.tags.items() if key != "mlflow.trace.spansLocation"},
        "metadata": info.trace_metadata,
        "assessments": sorted(said),
        "spans": sorted(spans, key=lambda span: span[2]),
        "events": {s.span_id: [event.name for event in s.events] for s in found.data.spans},
    }

"""A tracking store with something of everything, made by MLflow's own client."""

import math
import pathlib
import tempfile

import mlflow
import mlflow.data
import mlflow.sklearn
import numpy
import pandas
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag, ViewType
from sklearn.linear_model import LogisticRegression

POINTS = 2_500
ODD_VALUES = {"infinite": math.inf, "negative": -math.inf, "undefined": math.nan, "tiny": 5e-324}


def populate(uri: str) -> None:
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    client = MlflowClient(uri, uri)
    client.set_experiment_tag("0", "note", "the one that is always there")
    trained(client)
    logged(client)
    deleted(client)
    registry(client)
    prompts()
    traced(client)


def trained(client: MlflowClient) -> None:
    """What autologging leaves: params, metrics, a dataset, a logged model, files; in nested runs."""
    mlflow.set_experiment("trained")
    mlflow.sklearn.autolog(log_datasets=True, silent=True)
    numbers = numpy.random.default_rng(7)
    frame = pandas.DataFrame(numbers.normal(size=(60, 3)), columns=["a", "b", "c"])
    target = (frame.a > 0).astype(int)
    with mlflow.start_run(run_name="parent") as parent:
        for strength in (0.1, 1.0):
            with mlflow.start_run(nested=True, run_name=f"C={strength}"):
                model = LogisticRegression(C=strength).fit(frame, target)
                model.score(frame, target)
    mlflow.sklearn.autolog(disable=True)
    client.set_tag(parent.info.run_id, "mlflow.note.content", "# the *best* run\n" * 40)


def logged(client: MlflowClient) -> None:
    """Histories, odd values, long texts, datasets and files."""
    experiment = client.create_experiment("logged / by hand: ünïcode", tags={"team": "red", "empty": ""})
    mlflow.set_experiment(experiment_id=experiment)
    run = client.create_run(experiment, start_time=1_700_000_000_000, run_name="history", tags={"kind": "long"})
    run_id = run.info.run_id
    points = [Metric("loss", 1 / (step + 1), 1_700_000_000_000 + step // 3, step) for step in range(POINTS)]
    for start in range(0, POINTS, 1000):
        client.log_batch(run_id, metrics=points[start : start + 1000])
    odd = [Metric(key, value, 1_700_000_000_001, -4) for key, value in ODD_VALUES.items()]
    again = [Metric("again", value, 1_700_000_000_000 + at, step) for at, (value, step) in enumerate([(1, 5), (3, 2), (2, 5)])]
    params = [Param(f"p{n}", "x" * n) for n in (1, 249, 250, 251, 6_000)]
    tags = [RunTag("long", "ß" * 7_000), RunTag("mlflow.source.name", "train.py")]
    client.log_batch(run_id, metrics=odd + again, params=params, tags=tags)
    for context in ("train", "test"):
        dataset = mlflow.data.from_pandas(pandas.DataFrame({"x": [1, 2], context: [0.5, 1.5]}), name=f"set-{context}")
        with mlflow.start_run(run_id):
            mlflow.log_input(dataset, context=context, tags={"reviewed": "yes"})
    files(client, run_id)
    client.set_terminated(run_id, "FAILED", end_time=1_700_000_900_000)
    client.create_run(experiment, run_name="still running")
    killed = client.create_run(experiment, run_name="killed", tags={"mlflow.user": "somebody"})
    client.set_terminated(killed.info.run_id, "KILLED")


def files(client: MlflowClient, run_id: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "deep" / "er").mkdir(parents=True)
        (root / "empty.txt").write_bytes(b"")
        (root / "deep" / "bär 1 + 1.bin").write_bytes(bytes(range(256)) * 400)
        (root / "deep" / "er" / "same.txt").write_text("the same bytes")
        (root / "same.txt").write_text("the same bytes")
        client.log_artifacts(run_id, folder)
        client.log_artifact(run_id, str(root / "same.txt"), "more")
    client.log_dict(run_id, {"a": [1, 2]}, "config/deep.json")


def deleted(client: MlflowClient) -> None:
    experiment = client.create_experiment("deleted")
    run = client.create_run(experiment, run_name="went with it")
    client.log_metric(run.info.run_id, "m", 1.0, timestamp=5, step=1)
    client.delete_experiment(experiment)
    alone = client.create_run("0", run_name="deleted alone")
    client.log_text(alone.info.run_id, "still here", "note.txt")
    client.delete_run(alone.info.run_id)


def registry(client: MlflowClient) -> None:
    experiment = client.get_experiment_by_name("trained")
    runs = client.search_runs([experiment.experiment_id], run_view_type=ViewType.ACTIVE_ONLY)
    best = next(run for run in runs if run.info.run_name == "C=1.0")
    model = best.outputs.model_outputs[0].model_id
    client.set_logged_model_tags(model, {"reviewed": "yes"})
    for source in (f"models:/{model}", f"runs:/{best.info.run_id}/model", f"models:/{model}"):
        mlflow.register_model(source, "classifier", tags={"from": source.split(":")[0]})
    client.update_registered_model("classifier", "It says yes or no.\nMostly.")
    client.update_model_version("classifier", "1", "the first")
    client.set_registered_model_tag("classifier", "task", "binary")
    client.set_registered_model_alias("classifier", "champion", "1")
    client.set_registered_model_alias("classifier", "challenger", "3")
    client.transition_model_version_stage("classifier", "1", "Production")
    mlflow.register_model(f"models:/{model}", "classifier")
    client.delete_model_version("classifier", "2")
    client.create_registered_model("empty ünïcode", {"k": "v"}, "no version yet")


def prompts() -> None:
    mlflow.genai.register_prompt("greeting", "Hello {{name}}", commit_message="first", tags={"tone": "kind"})
    mlflow.genai.register_prompt("greeting", "Good morning {{name}}")
    mlflow.genai.set_prompt_alias("greeting", "live", 1)


def traced(client: MlflowClient) -> None:
    mlflow.set_experiment("traced")

    @mlflow.trace(span_type="CHAIN", attributes={"depth": 1})
    def outer(question: str) -> str:
        return inner(question) + "!"

    @mlflow.trace(span_type="TOOL")
    def inner(question: str) -> str:
        if question == "fail":
            raise ValueError("as asked")
        return question.upper()

    with mlflow.start_run(run_name="traced run"):
        outer("what?")
    outer("and ünïcode?")
    try:
        outer("fail")
    except ValueError:
        pass
    mlflow.flush_trace_async_logging()
    experiment = client.get_experiment_by_name("traced").experiment_id
    for trace in client.search_traces(locations=[experiment]):
        client.set_trace_tag(trace.info.trace_id, "checked", "yes")
        mlflow.log_feedback(trace_id=trace.info.trace_id, name="useful", value=0.5, rationale="half")
        mlflow.log_expectation(trace_id=trace.info.trace_id, name="answer", value={"text": "?"})

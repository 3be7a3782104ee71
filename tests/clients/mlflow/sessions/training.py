"""What a data scientist's script does, with whichever MLflow client runs it; MLFLOW_TRACKING_URI says where."""

import hashlib
import os
import pathlib
import random
import sys
import tempfile
import uuid
import warnings

warnings.filterwarnings("ignore")

import matplotlib

matplotlib.use("Agg")

import lightgbm
import mlflow
import numpy
import pandas
from matplotlib import pyplot
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV

IS_THIRD = int(mlflow.__version__.split(".")[0]) >= 3
LARGE_BYTES = int(os.environ.get("TEST_ARTIFACT_MIB", "8")) * 1024 * 1024
client = MlflowClient()
name = f"session-{uuid.uuid4().hex[:12]}"
numbers = numpy.random.default_rng(3)
features = pandas.DataFrame(numbers.normal(size=(200, 2)), columns=["x", "y"])
target = 3.0 * features["x"] - 2.0 * features["y"] + 1.0


def log_model(model, place, **fields):
    """The argument that names a model was renamed in the third version. Requirements are given because finding them out
    takes the client ten seconds a model."""
    key = "name" if IS_THIRD else "artifact_path"
    return mlflow.sklearn.log_model(model, **{key: place}, pip_requirements=["scikit-learn"], **fields)


def experiments():
    experiment = mlflow.set_experiment(name)
    assert mlflow.set_experiment(name).experiment_id == experiment.experiment_id
    mlflow.set_experiment_tag("team", "weather")
    assert mlflow.get_experiment_by_name(name).tags["team"] == "weather"
    found = mlflow.search_experiments(filter_string=f"name = '{name}'")
    assert [entry.experiment_id for entry in found] == [experiment.experiment_id]


def every_way_to_log():
    with mlflow.start_run(run_name="parent", tags={"kind": "parent"}, description="what it is") as parent:
        mlflow.log_param("depth", 3)
        mlflow.log_params({"rate": 0.1, "words": ["a", "b"]})
        for step in range(20):
            mlflow.log_metric("loss", 1.0 / (step + 1), step=step)
        mlflow.log_metrics({"acc": 0.9, "f1": 0.8}, step=19)
        mlflow.set_tags({"stage": "dev"})
        mlflow.log_dict({"a": 1}, "config.json")
        mlflow.log_text("words", "notes/words.txt")
        mlflow.log_table({"q": ["a"], "n": [1]}, "table.json")
        mlflow.log_image(numpy.zeros((4, 4, 3), dtype=numpy.uint8), "image.png")
        figure = pyplot.figure()
        mlflow.log_figure(figure, "figure.png")
        for number in range(2):
            with mlflow.start_run(run_name=f"child-{number}", nested=True):
                mlflow.log_metric("acc", number)
    run = mlflow.get_run(parent.info.run_id)
    assert run.data.params == {"depth": "3", "rate": "0.1", "words": "['a', 'b']"}
    assert run.data.metrics == {"loss": 0.05, "acc": 0.9, "f1": 0.8}
    assert run.data.tags["stage"] == "dev" and run.data.tags["mlflow.note.content"] == "what it is"
    assert run.info.status == "FINISHED" and run.info.run_name == "parent"
    assert [point.step for point in client.get_metric_history(parent.info.run_id, "loss")] == list(range(20))
    children = mlflow.search_runs(
        filter_string=f"tags.mlflow.parentRunId = '{parent.info.run_id}'", order_by=["metrics.acc DESC"]
    )
    assert list(children["tags.mlflow.runName"]) == ["child-1", "child-0"]
    assert list(mlflow.load_table("table.json", [parent.info.run_id])["q"]) == ["a"]
    assert mlflow.artifacts.load_dict(f"runs:/{parent.info.run_id}/config.json") == {"a": 1}
    assert mlflow.artifacts.load_text(f"runs:/{parent.info.run_id}/notes/words.txt") == "words"


def dataset_inputs():
    data = mlflow.data.from_pandas(features, name="features")
    with mlflow.start_run() as run:
        mlflow.log_input(data, context="training")
    [logged] = mlflow.get_run(run.info.run_id).inputs.dataset_inputs
    assert (logged.dataset.name, logged.dataset.digest) == ("features", data.digest)
    found = mlflow.search_runs(filter_string="datasets.name = 'features'")
    assert list(found["run_id"]) == [run.info.run_id]


def asynchronous_logging():
    with mlflow.start_run() as run:
        pending = [mlflow.log_metric("a", step, step=step, synchronous=False) for step in range(50)]
        for operation in pending:
            operation.wait()
    assert len(client.get_metric_history(run.info.run_id, "a")) == 50


def scikit_learn_logs_itself():
    mlflow.sklearn.autolog(log_datasets=True)
    with mlflow.start_run() as run:
        LinearRegression().fit(features, target)
    mlflow.sklearn.autolog(log_models=False)
    with mlflow.start_run() as search:
        GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2).fit(features, target > 0)
    mlflow.sklearn.autolog(disable=True)
    data = mlflow.get_run(run.info.run_id).data
    assert data.params["fit_intercept"] == "True"
    assert data.metrics["training_r2_score"] > 0.999
    loaded = mlflow.sklearn.load_model(f"runs:/{run.info.run_id}/model")
    assert abs(loaded.coef_[0] - 3.0) < 1e-6
    children = mlflow.search_runs(filter_string=f"tags.mlflow.parentRunId = '{search.info.run_id}'")
    assert len(children) == 2 and "best_C" in mlflow.get_run(search.info.run_id).data.params


def lightgbm_logs_itself():
    mlflow.lightgbm.autolog(log_models=False)
    with mlflow.start_run() as run:
        data = lightgbm.Dataset(features, target)
        booster = lightgbm.train({"verbose": -1, "num_leaves": 4, "metric": "l2"}, data, 5, valid_sets=[data])
        mlflow.lightgbm.log_model(booster, "model", pip_requirements=["lightgbm"])
    mlflow.lightgbm.autolog(disable=True)
    run = mlflow.get_run(run.info.run_id)
    assert run.data.params["num_leaves"] == "4" and "training-l2" in run.data.metrics
    assert len(client.get_metric_history(run.info.run_id, "training-l2")) == 5
    assert len(mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model").predict(features)) == 200


def registry():
    model = LinearRegression().fit(features, target)
    with mlflow.start_run() as run:
        signature = infer_signature(features, model.predict(features))
        logged = log_model(
            model, "model", signature=signature, input_example=features.head(2), registered_model_name=name
        )
        assert mlflow.models.get_model_info(logged.model_uri).signature == signature
    second = mlflow.register_model(f"runs:/{run.info.run_id}/model", name, tags={"by": "hand"})
    assert int(second.version) == 2 and second.run_id == run.info.run_id
    client.set_registered_model_alias(name, "best", second.version)
    client.set_registered_model_tag(name, "team", "weather")
    client.set_model_version_tag(name, "1", "quality", "low")
    client.update_model_version(name, "2", description="the second")
    client.transition_model_version_stage(name, "2", "Production", archive_existing_versions=True)
    for uri in (f"models:/{name}/1", f"models:/{name}@best", f"models:/{name}/Production", f"models:/{name}/latest"):
        assert abs(mlflow.pyfunc.load_model(uri).predict(features)[0] - target[0]) < 1e-6, uri
    assert str(client.get_model_version_by_alias(name, "best").version) == "2"
    found = client.search_model_versions(f"name = '{name}'", max_results=1)
    assert [int(version.version) for version in found] == [2] and found.token
    rest = client.search_model_versions(f"name = '{name}'", max_results=1, page_token=found.token)
    assert [int(version.version) for version in rest] == [1]
    assert [model.name for model in client.search_registered_models(f"tags.team = 'weather' AND name = '{name}'")] == [
        name
    ]
    client.delete_model_version(name, "1")
    assert [int(version.version) for version in client.search_model_versions(f"name = '{name}'")] == [2]


def evaluation():
    with mlflow.start_run() as run:
        logged = log_model(LinearRegression().fit(features, target), "model")
        result = mlflow.models.evaluate(
            logged.model_uri,
            features.assign(target=target),
            targets="target",
            model_type="regressor",
            evaluators="default",
            evaluator_config={"log_model_explainability": False},
        )
    assert result.metrics["r2_score"] > 0.999
    assert mlflow.get_run(run.info.run_id).data.metrics["r2_score"] > 0.999


def traces():
    @mlflow.trace(name="outer", span_type="CHAIN", attributes={"colour": "blue"})
    def outer(question):
        with mlflow.start_span("inner") as span:
            span.set_inputs({"question": question})
            span.set_outputs(question.upper())
        return question.upper() + "!"

    @mlflow.trace
    def failing():
        raise ValueError("no")

    assert outer("why") == "WHY!"
    try:
        failing()
    except ValueError:
        pass
    if IS_THIRD:
        mlflow.flush_trace_async_logging()
    experiment = mlflow.get_experiment_by_name(name).experiment_id
    found = {trace.data.spans[0].name: trace for trace in client.search_traces([experiment])}
    good, failed = found["outer"], found["failing"]
    assert [span.name for span in good.data.spans] == ["outer", "inner"]
    root = good.data.spans[0]
    assert (root.inputs, root.outputs, root.attributes["colour"]) == ({"question": "why"}, "WHY!", "blue")
    assert failed.data.spans[0].events[0].name == "exception"
    trace_id = good.info.trace_id if IS_THIRD else good.info.request_id
    client.set_trace_tag(trace_id, "topic", "weather")
    tagged = client.search_traces([experiment], filter_string="tags.topic = 'weather'")
    assert [trace.data.spans[0].name for trace in tagged] == ["outer"]
    assert client.get_trace(trace_id).info.tags["topic"] == "weather"
    assert client.delete_traces(experiment, max_timestamp_millis=2**52) >= 2
    assert client.search_traces([experiment]) == []


def answers_are_judged():
    """What the third version has for programs that talk."""
    if not IS_THIRD:
        return

    @mlflow.genai.scorer
    def short(outputs) -> bool:
        return len(outputs) < 5

    data = [{"inputs": {"question": "a"}}, {"inputs": {"question": "longer"}}]
    with mlflow.start_run() as run:
        result = mlflow.genai.evaluate(data=data, predict_fn=lambda question: question.upper(), scorers=[short])
    assert result.metrics["short/mean"] == 0.5
    assert mlflow.get_run(run.info.run_id).data.metrics["short/mean"] == 0.5
    judged = mlflow.search_traces(run_id=run.info.run_id, return_type="list")
    assert sorted(trace.info.assessments[0].feedback.value for trace in judged) == [False, True]
    prompt = mlflow.genai.register_prompt(f"{name}-prompt", "Say {{word}}", commit_message="first")
    mlflow.genai.set_prompt_alias(prompt.name, "live", prompt.version)
    assert mlflow.genai.load_prompt(f"prompts:/{prompt.name}@live").format(word="hi") == "Say hi"


def search_and_pages():
    with mlflow.start_run(run_name="pages"):
        for number in range(7):
            with mlflow.start_run(run_name=f"page-{number}", nested=True):
                mlflow.log_metric("n", number)
                mlflow.log_param("p", number % 2)
    experiment = mlflow.get_experiment_by_name(name).experiment_id
    found, token = [], None
    while True:
        page = client.search_runs(
            [experiment],
            "metrics.n >= 0 AND params.p = '0' AND run_name LIKE 'page-%'",
            order_by=["metrics.n ASC"],
            max_results=2,
            page_token=token,
        )
        found += [run.data.metrics["n"] for run in page]
        token = page.token
        if not token:
            break
    assert found == [0, 2, 4, 6]
    assert len(mlflow.search_runs(search_all_experiments=True, filter_string="run_name = 'page-3'")) >= 1


def large_artifacts():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "large.bin"
        block = random.Random(5).randbytes(1024 * 1024)
        with open(path, "wb") as file:
            for number in range(LARGE_BYTES // len(block)):
                file.write(number.to_bytes(8, "big") + block[8:])
        with mlflow.start_run() as run:
            mlflow.log_artifact(str(path))
        (pathlib.Path(folder) / "down").mkdir()
        down = mlflow.artifacts.download_artifacts(
            run_id=run.info.run_id, artifact_path="large.bin", dst_path=str(pathlib.Path(folder) / "down")
        )
        digests = []
        for place in (path, down):
            with open(place, "rb") as file:
                digests.append(hashlib.file_digest(file, "sha256").hexdigest())
        assert digests[0] == digests[1]


def deletion_and_restoration():
    with mlflow.start_run() as run:
        mlflow.log_metric("a", 1)
    mlflow.delete_run(run.info.run_id)
    assert client.get_run(run.info.run_id).info.lifecycle_stage == "deleted"
    client.restore_run(run.info.run_id)
    assert client.get_run(run.info.run_id).data.metrics == {"a": 1}
    try:
        client.get_run("0" * 32)
        raise AssertionError("an unknown run was found")
    except MlflowException as error:
        assert error.error_code == "RESOURCE_DOES_NOT_EXIST"
    client.delete_registered_model(name)
    experiment = mlflow.get_experiment_by_name(name).experiment_id
    mlflow.delete_experiment(experiment)
    try:
        mlflow.set_experiment(name)
        raise AssertionError("a deleted experiment was set")
    except MlflowException:
        client.restore_experiment(experiment)
    assert mlflow.set_experiment(name).experiment_id == experiment


STEPS = [
    experiments,
    every_way_to_log,
    dataset_inputs,
    asynchronous_logging,
    scikit_learn_logs_itself,
    lightgbm_logs_itself,
    registry,
    evaluation,
    traces,
    answers_are_judged,
    search_and_pages,
    large_artifacts,
    deletion_and_restoration,
]

for step in STEPS:
    print(step.__name__, flush=True)
    step()
print("done", mlflow.__version__, file=sys.stdout, flush=True)

"""Requests that are right but for one place, made from a seed."""

import copy
import dataclasses
import random

LONG = "x" * 10_000

VALUES = [
    None,
    True,
    0,
    5,
    -1,
    1.5,
    2**31,
    2**53 + 1,
    2**63 - 1,
    2**63,
    -(2**63) - 1,
    1e308,
    "",
    " ",
    "x",
    "0",
    "-1",
    "1e3",
    "NaN",
    "Infinity",
    "null",
    LONG,
    "日本語 🚀",
    "a/../b",
    "../../etc/passwd",
    "'; DROP TABLE runs; --",
    "%_\\",
    "{}",
    "a\tb\nc",
    [],
    {},
    [None],
    [5],
    ["x"],
    [[]],
    [{}],
    {"key": "k"},
    {"a": {"b": [1, {"c": None}]}},
    ["x"] * 1_001,
]

METRIC = {"key": "m", "value": 1.5, "timestamp": 1_000, "step": 2}
PAIR = {"key": "k", "value": "v"}
DATASET = {"dataset": {"name": "d", "digest": "1", "source_type": "s", "source": "u"}, "tags": [PAIR]}
TRACE = {
    "trace_id": "$trace",
    "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "$experiment"}},
    "request_time": "2024-05-01T10:00:00Z",
    "execution_duration": "1s",
    "state": "OK",
}

# Right requests. `$run`, `$experiment`, `$model`, `$versions` and `$trace` stand for things that exist, `$new` for a free name.
SEEDS = [
    ("POST", "experiments/create", {"name": "$new", "tags": [PAIR], "artifact_location": "s3://bucket/a"}),
    ("GET", "experiments/get", {"experiment_id": "$experiment"}),
    ("GET", "experiments/get-by-name", {"experiment_name": "Default"}),
    (
        "POST",
        "experiments/search",
        {"max_results": 2, "filter": "name = 'a'", "order_by": ["name"], "view_type": "ALL"},
    ),
    ("POST", "experiments/set-experiment-tag", {"experiment_id": "$experiment", "key": "k", "value": "v"}),
    ("POST", "runs/create", {"experiment_id": "$experiment", "start_time": 5, "run_name": "n", "tags": [PAIR]}),
    ("POST", "runs/update", {"run_id": "$run", "status": "FINISHED", "end_time": 5, "run_name": "n"}),
    ("GET", "runs/get", {"run_id": "$run"}),
    ("POST", "runs/log-metric", {"run_id": "$run", **METRIC}),
    ("POST", "runs/log-parameter", {"run_id": "$run", "key": "k", "value": "v"}),
    ("POST", "runs/set-tag", {"run_id": "$run", "key": "k", "value": "v"}),
    ("POST", "runs/delete-tag", {"run_id": "$run", "key": "mlflow.runName"}),
    ("POST", "runs/log-batch", {"run_id": "$run", "metrics": [METRIC], "params": [PAIR], "tags": [PAIR]}),
    ("POST", "runs/log-inputs", {"run_id": "$run", "datasets": [DATASET]}),
    ("POST", "runs/search", {"experiment_ids": ["$experiment"], "filter": "metrics.m > 1", "max_results": 2}),
    (
        "POST",
        "runs/search",
        {"experiment_ids": ["$experiment"], "order_by": ["metrics.m DESC"], "run_view_type": "ALL"},
    ),
    ("GET", "metrics/get-history", {"run_id": "$run", "metric_key": "m", "max_results": 5}),
    (
        "GET",
        "metrics/get-history-bulk-interval",
        {"run_ids": "$run", "metric_key": "m", "start_step": 0, "end_step": 5},
    ),
    ("GET", "artifacts/list", {"run_id": "$run", "path": "a"}),
    ("POST", "registered-models/create", {"name": "$new", "description": "d", "tags": [PAIR]}),
    ("GET", "registered-models/get", {"name": "$model"}),
    ("GET", "registered-models/search", {"filter": "name = 'a'", "max_results": 2, "order_by": "name"}),
    ("PATCH", "registered-models/update", {"name": "$model", "description": "d"}),
    ("POST", "registered-models/set-tag", {"name": "$model", "key": "k", "value": "v"}),
    ("POST", "registered-models/alias", {"name": "$model", "alias": "best", "version": "1"}),
    ("POST", "registered-models/get-latest-versions", {"name": "$model", "stages": ["None"]}),
    ("POST", "model-versions/create", {"name": "$versions", "source": "s3://bucket/m", "tags": [PAIR]}),
    ("GET", "model-versions/get", {"name": "$model", "version": "1"}),
    ("GET", "model-versions/search", {"filter": "name = 'a'", "max_results": 2, "order_by": "name"}),
    ("POST", "model-versions/transition-stage", {"name": "$model", "version": "1", "stage": "Staging"}),
    ("POST", "model-versions/set-tag", {"name": "$model", "version": "1", "key": "k", "value": "v"}),
    ("POST", "logged-models", {"experiment_id": "$experiment", "name": "m", "params": [PAIR], "tags": [PAIR]}),
    ("POST", "logged-models/search", {"experiment_ids": ["$experiment"], "filter": "name = 'a'", "max_results": 2}),
    ("POST", "3.0/traces", {"trace": {"trace_info": TRACE}}),
    (
        "POST",
        "3.0/traces/search",
        {"locations": [TRACE["trace_location"]], "filter": "status = 'OK'", "max_results": 2},
    ),
    ("POST", "3.0/traces/delete-traces", {"experiment_id": "$experiment", "request_ids": ["x"]}),
]


@dataclasses.dataclass
class Case:
    method: str
    path: str
    body: dict = dataclasses.field(repr=False)
    # What was put where, to read in a report.
    change: str
    # The field cannot hold the value, so that MLflow may have dropped it, and all after it, without a word.
    is_unreadable: bool = False


def places(value, path=()):
    """Every place inside of a body."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from places(inner, (*path, index))


def at(body, path):
    for step in path:
        body = body[step]
    return body


def mutated(numbers: random.Random) -> Case:
    method, path, body = numbers.choice(SEEDS)
    body = copy.deepcopy(body)
    place = numbers.choice(list(places(body)))
    parent, last = at(body, place[:-1]), place[-1]
    word = ".".join(map(str, place))
    kind = numbers.randrange(10)
    if kind == 0:
        del parent[last]
        return Case(method, path, body, f"without {word}")
    if kind == 1 and isinstance(parent, dict):
        parent[f"unknown_{numbers.randrange(100)}"] = numbers.choice(VALUES)
        return Case(method, path, body, f"an unknown field beside {word}")
    old = parent[last]
    parent[last] = new = numbers.choice(VALUES)
    return Case(method, path, body, f"{word} = {str(new)[:60]!r}", is_unreadable=not holds(last, old, new))


# Enums, times and spans of time.
FORMS = ("view_type", "run_view_type", "status", "state", "type", "request_time", "execution_duration")
# Too long for MLflow's other databases.
NAMES = ("name", "new_name")
INT32 = range(-(2**31), 2**31)
INT64 = range(-(2**63), 2**63)


def holds(name, old, new) -> bool:
    """Whether a field that holds one value can hold another one."""
    if type(old) is not type(new):
        return False
    if isinstance(old, list):
        return all(holds(name, old[0], item) for item in new)
    if isinstance(old, str):
        return not (name in FORMS or (name in NAMES and new == LONG) or (name == "path" and "\\" in new))
    return not isinstance(old, int) or new in (INT32 if name == "max_results" else INT64)


def filled(value, names: dict[str, str]):
    """The body with names in place of `$…`."""
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, dict):
        return {key: filled(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, names) for inner in value]
    return value


COMPARISONS = [
    (
        "metrics.{}",
        ["acc", "loss", "`a b/c`", "none"],
        ["=", "!=", ">", ">=", "<", "<="],
        ["0.1", "0.2", "5", "-1", "1e300"],
    ),
    (
        "params.{}",
        ["lr", "opt", "Kind", "`long.name`", "none"],
        ["=", "!=", "LIKE", "ILIKE"],
        ["'0.1'", "'0.1%'", "'ADAM'", "'_._'"],
    ),
    (
        "tags.{}",
        ["team", "`x y`", "note", "none"],
        ["=", "!=", "LIKE", "ILIKE"],
        ["'red'", "'R%'", "'blue%'", "'%\"%'"],
    ),
    ("{}", ["params.lr", "params.none", "tags.team", "tags.none"], ["IS NULL", "IS NOT NULL"], [""]),
    (
        "{}",
        ["status", "run_name", "attributes.user_id"],
        ["=", "!=", "LIKE", "ILIKE"],
        ["'FINISHED'", "'a'", "'ad%'", "'%'"],
    ),
    ("attributes.{}", ["start_time", "end_time"], ["=", "!=", ">", ">=", "<", "<="], ["300", "250", "0"]),
    ("datasets.{}", ["name", "digest", "context"], ["=", "!=", "LIKE", "ILIKE"], ["'d1'", "'h%'", "'TRAIN'"]),
]
ORDERS = "metrics.acc metrics.loss params.lr tags.team start_time end_time status run_name metrics.none".split()
PIECES = "AND OR NOT ( ) = != > ' \" ` '' 5 'a' metrics. . , ; -- NULL IN % \\".split()


def comparison(numbers: random.Random) -> str:
    pattern, keys, comparators, values = numbers.choice(COMPARISONS)
    key, comparator, value = numbers.choice(keys), numbers.choice(comparators), numbers.choice(values)
    return f"{pattern.format(key)} {comparator} {value}".strip()


def good_filter(numbers: random.Random) -> str:
    return " AND ".join(comparison(numbers) for _ in range(numbers.randrange(1, 4)))


def good_order(numbers: random.Random) -> list[str]:
    keys = numbers.sample(ORDERS, numbers.randrange(0, 3))
    return [f"{key} {numbers.choice(['ASC', 'DESC'])}" for key in keys]


def broken_filter(numbers: random.Random) -> str:
    """A good filter in which one piece was lost, doubled or put in."""
    words = good_filter(numbers).split(" ")
    index = numbers.randrange(len(words))
    kind = numbers.randrange(4)
    if kind == 0:
        del words[index]
    elif kind == 1:
        words[index] = numbers.choice(PIECES)
    elif kind == 2:
        words.insert(index, numbers.choice(PIECES))
    else:
        word = words[index]
        cut = numbers.randrange(len(word) + 1)
        words[index] = word[:cut] + numbers.choice(PIECES) + word[cut:]
    return " ".join(words)

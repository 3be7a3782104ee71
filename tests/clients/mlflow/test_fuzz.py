"""Requests with one mistake each, filters of every shape: our answers against MLflow's, remembered from its turn.

TEST_FUZZ_ROUNDS multiplies the number of requests, TEST_FUZZ_SEED chooses others.
"""

import os
import random
import time

import mutations
import pytest
from population import Population
from traces import started
from wire import Answer, Wire, unique

ROUNDS = int(os.environ.get("TEST_FUZZ_ROUNDS", "1"))
SEED = int(os.environ.get("TEST_FUZZ_SEED", "1"))
SECONDS_MAX = 10
BLOCKS = 6 * ROUNDS
CASES_IN_A_BLOCK = 40

# MLflow takes these by accident, keeps a trace that nobody can ask for or hands out all there is; we refuse them.
ACCIDENTS = [("3.0/traces", "without trace.trace_info.trace_id"), ("logged-models/search", "max_results = '-1'")]

# What MLflow answered, by test and number. Its turn comes first.
remembered: dict[tuple, object] = {}


class Names:
    """Things that exist, made anew for every request that may change them."""

    def __init__(self, api: Wire):
        self.api = api
        self.experiment = api.experiment()
        self.model, self.versions = unique("fuzz"), unique("fuzz")
        api.post("registered-models/create", {"name": self.versions}).ok()
        api.post("registered-models/create", {"name": self.model}).ok()
        api.post("model-versions/create", {"name": self.model, "source": "s3://bucket/m"}).ok()
        self.trace = started(api, self.experiment)

    def fresh(self) -> dict[str, str]:
        return {
            "$run": self.api.run(self.experiment),
            "$experiment": self.experiment,
            "$model": self.model,
            "$versions": self.versions,
            "$trace": self.trace,
            "$new": unique("new"),
        }


def send(api: Wire, case: mutations.Case, names: dict[str, str]) -> Answer:
    began = time.monotonic()
    body = mutations.filled(case.body, names)
    answer = api.get(case.path, **body) if case.method == "GET" else api.send(case.method, case.path, json=body)
    assert time.monotonic() - began < SECONDS_MAX, f"{case}: too slow"
    return answer


def outcome(answer: Answer) -> tuple[int, str]:
    try:
        return answer.status, answer.json.get("error_code", "")
    except ValueError:
        return answer.status, ""


def difference(case: mutations.Case, theirs: tuple[int, str], ours: tuple[int, str]) -> str:
    """Empty where our answer is as good as theirs."""
    if theirs == ours:
        return ""
    # A permanent error must not look like a passing one; the text of a database is no error code.
    if theirs[0] >= 500 or theirs[1] == "BAD_REQUEST":
        return "" if 400 <= ours[0] < 500 or ours[0] == 200 else f"{case}: {ours}"
    # MLflow drops what it cannot read, and all that comes after, or takes the first of many; we say so.
    is_refused = case.is_unreadable or (case.path, case.change) in ACCIDENTS
    if is_refused and theirs[0] in (200, 404) and ours == (400, "INVALID_PARAMETER_VALUE"):
        return ""
    return f"{case}: MLflow answers {theirs}, we {ours}"


@pytest.fixture(scope="module")
def names(api):
    return Names(api)


@pytest.mark.parametrize("block", range(BLOCKS))
def test_one_mistake(api, names, block):
    numbers = random.Random(f"{SEED}-{block}")
    wrong = []
    for index in range(CASES_IN_A_BLOCK):
        case = mutations.mutated(numbers)
        answer = outcome(send(api, case, names.fresh()))
        key = ("mistake", block, index)
        if api.is_original:
            remembered[key] = answer
        elif key in remembered:
            wrong += filter(None, [difference(case, remembered[key], answer)])
    assert not wrong, "\n".join(wrong)


@pytest.fixture(scope="module")
def runs(api):
    return Population(api)


@pytest.mark.parametrize("block", range(BLOCKS // 2))
def test_good_filters_find_the_same(api, runs, block):
    numbers = random.Random(f"{SEED}-good-{block}")
    wrong = []
    for index in range(CASES_IN_A_BLOCK):
        filter, order_by = mutations.good_filter(numbers), mutations.good_order(numbers)
        found = runs.found(filter, order_by=order_by)
        key = ("good", block, index)
        if api.is_original:
            remembered[key] = found
        elif remembered.get(key, found) != found:
            wrong.append(f"{filter} | {order_by}: MLflow finds {remembered[key]!r}, we {found!r}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("block", range(BLOCKS // 2))
def test_broken_filters_are_refused_alike(api, runs, block):
    numbers = random.Random(f"{SEED}-broken-{block}")
    wrong = []
    for index in range(CASES_IN_A_BLOCK):
        filter = mutations.broken_filter(numbers)
        answer = outcome(runs.search(filter))
        assert answer[0] in (200, 400) or api.is_original, filter
        key = ("broken", block, index)
        if api.is_original:
            remembered[key] = answer
        elif remembered.get(key, answer)[0] == 400 and answer[0] == 200:
            wrong.append(f"{filter}: MLflow refuses it, we do not")
    assert not wrong, "\n".join(wrong)


SEARCHES = [
    ("POST", "experiments/search", {"max_results": 5}),
    ("POST", "runs/search", {"experiment_ids": ["0"]}),
    ("GET", "registered-models/search", {}),
    ("GET", "model-versions/search", {}),
    ("POST", "logged-models/search", {"experiment_ids": ["0"]}),
    ("POST", "3.0/traces/search", {"locations": [], "max_results": 5}),
]


@pytest.mark.parametrize("method, path, body", SEARCHES)
def test_strange_filters_orders_and_tokens_never_fail(api, method, path, body):
    numbers = random.Random(f"{SEED}-{path}")
    alphabet = "abc.`'\"=<>!%_ ()[]{};,\\\n\x00\u202e日🚀0159-+eNLIKEANDOR"
    for _ in range(20 * ROUNDS):
        text = "".join(numbers.choice(alphabet) for _ in range(numbers.randrange(1, 60)))
        for field in ("filter", "order_by", "page_token"):
            value = [text] if field == "order_by" and method == "POST" else text
            answer = send(api, mutations.Case(method, path, body | {field: value}, text), {})
            assert answer.status in (200, 400) or api.is_original, (text, answer)

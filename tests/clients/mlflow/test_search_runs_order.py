"""runs/search: order, pages, views, and what is refused."""

import pytest
from population import Population
from wire import DATABASE, UNREADABLE


@pytest.fixture(scope="module")
def runs(api):
    return Population(api)


def test_the_newest_comes_first(runs):
    assert runs.found() == "fedcba"


def test_equal_starts_are_ordered_by_id(api, experiment):
    ids = [api.run(experiment, start_time=5) for _ in range(8)]
    assert api.found(experiment) == sorted(ids)


@pytest.mark.parametrize(
    "order_by, names",
    [
        (["metrics.acc"], "fabced"),
        (["metrics.acc ASC"], "fabced"),
        (["metrics.acc DESC"], "ecbafd"),
        (["metric.acc desc"], "ecbafd"),
        (["metrics.`acc` DESC"], "ecbafd"),
        (['metrics."acc" DESC'], "ecbafd"),
        (["metrics.loss ASC"], "fdabec"),
        (["metrics.loss DESC"], "afdbec"),
        (["metrics.loss ASC", "start_time ASC"], "dfabce"),
        (["metrics.loss", "metrics.acc DESC"], "fdabec"),
        (["params.lr"], "acbefd"),
        (["params.lr DESC"], "ebcafd"),
        (["param.lr asc"], "acbefd"),
        (["tags.team"], "bcdafe"),
        (["tags.team DESC"], "adcbfe"),
        (["start_time"], "abcdef"),
        (["start_time DESC"], "fedcba"),
        (["attributes.start_time ASC"], "abcdef"),
        (["attribute.start_time ASC"], "abcdef"),
        (["created DESC"], "fedcba"),
        (["end_time ASC"], "abdefc"),
        (["end_time DESC"], "fedbac"),
        (["status", "start_time"], "dabfec"),
        (["run_name"], "abcdef"),
        (["attributes.run_name DESC"], "fedcba"),
        (["user_id DESC", "start_time ASC"], "defabc"),
        (["metrics.none"], "fedcba"),
        (["params.none DESC", "start_time"], "abcdef"),
        (["metrics.`a b/c`"], "efdcba"),
    ],
)
def test_orders(runs, order_by, names):
    assert runs.found(order_by=order_by) == names


def test_order_by_run_id(runs):
    by_id = "".join(name for name, _ in sorted(runs.ids.items(), key=lambda item: item[1]))
    assert runs.found(order_by=["run_id"]) == by_id
    assert runs.found(order_by=["attributes.run_id DESC"]) == by_id[::-1]


def test_an_order_with_a_filter(runs):
    assert runs.found("metrics.acc > 0", order_by=["metrics.acc DESC"]) == "ecba"
    assert runs.found("tags.team IS NOT NULL", order_by=["params.lr DESC"]) == "bcad"


@pytest.mark.parametrize(
    "order_by",
    [
        ["unknown"],
        ["metrics.acc SIDEWAYS"],
        ["metrics.acc ASC DESC"],
        ["nothing.acc"],
        [""],
        ["datasets.name"],
        ["attributes.unknown"],
    ],
)
def test_a_bad_order_is_refused(runs, order_by):
    runs.search(order_by=order_by).invalid()


def test_an_order_that_is_no_list_of_text_is_refused(runs):
    runs.search(order_by="start_time").invalid("for parameter 'order_by' supplied")
    runs.search(order_by=[5]).invalid("for parameter 'order_by' supplied")


def test_the_same_key_twice_in_an_order(runs):
    answer = runs.search(order_by=["metrics.acc", "metrics.acc DESC"])
    answer.invalid("order_by", original=(500,), because="the request can never succeed")


@pytest.mark.parametrize(
    "filter",
    [
        "metrics.acc > 0.1 OR metrics.acc < 0",
        "(metrics.acc > 0.1)",
        "NOT metrics.acc > 0.1",
        "metrics.acc",
        "metrics.acc >",
        "> 0.1",
        "metrics.acc > 'x'",
        "metrics.acc > '0.1'",
        "metrics.acc LIKE 5",
        "metrics.acc LIKE 'x'",
        "metrics.acc IS NULL",
        "metrics.acc IN (1, 2)",
        "params.lr = 0.1",
        "params.lr > '0.1'",
        "params.lr IN ('a')",
        "params.lr = abc",
        "tags.team = 5",
        "tags.team < 'x'",
        "status > 'A'",
        "status IN ('FINISHED')",
        "status IS NULL",
        "run_name IN ('a')",
        "run_id IN ()",
        "run_id IN (1)",
        "start_time = 'x'",
        "start_time LIKE '1'",
        "start_time IN (1)",
        "unknown = 'a'",
        "attributes.unknown = 'a'",
        "nothing.acc = 'a'",
        "datasets.unknown = 'a'",
        "datasets.name > 'a'",
        "datasets.name = 5",
        "metrics.acc > 0.1; metrics.acc > 0.2",
        "metrics.acc > 0.1, metrics.acc > 0.2",
        "metrics.acc == 0.1",
        "metrics.acc <> 0.1",
        "1 = 1",
        "'a' = 'a'",
        "select * from runs",
        "params.lr = 'x",
        "metrics.acc > 0.1 -- comment",
        "lifecycle_stage = 'active'",
    ],
)
def test_a_bad_filter_is_refused(runs, filter):
    runs.search(filter).invalid()


def test_a_list_without_in_is_refused(runs):
    runs.search("run_id = ('a')").invalid(original=(400, "BAD_REQUEST"), because=DATABASE)


def test_the_refusal_names_the_clause(runs):
    runs.search("metrics.acc > 0.1 OR metrics.acc < 0").invalid("Invalid clause(s) in filter string: 'OR'")


@pytest.mark.parametrize("size", [1, 2, 4, 5, 6])
@pytest.mark.parametrize("order_by", [[], ["metrics.acc DESC"], ["params.lr"], ["metrics.loss", "tags.team"]])
def test_pages_join_to_the_whole(runs, size, order_by):
    whole, joined, token = runs.found(order_by=order_by), "", None
    for _ in range(6):
        page = runs.search(order_by=order_by, max_results=size, page_token=token).ok()
        joined += "".join(runs.names[run["info"]["run_id"]] for run in page["runs"])
        token = page.get("next_page_token")
        if not token:
            break
    assert joined == whole


def test_a_page_of_exactly_all_has_no_token(runs):
    assert "next_page_token" not in runs.search(max_results=6).ok()
    assert runs.search(max_results=5).ok()["next_page_token"]


@pytest.mark.parametrize("token", ["nonsense", "bm9uc2Vuc2U=", "{}", "5"])
def test_a_bad_token_is_refused(runs, token):
    runs.search(page_token=token).invalid("page token")


def test_the_size_of_a_page_is_limited(runs):
    runs.search(max_results=50_000).ok()
    runs.search(max_results=50_001).invalid("for parameter 'max_results' supplied")
    runs.search(max_results="x").invalid("for parameter 'max_results' supplied")
    assert len(runs.search(max_results="2").ok()["runs"]) == 2


def test_a_page_of_no_runs(runs):
    for size in (0, -1):
        answer = runs.search(max_results=size)
        answer.invalid("max_results", original=(answer.status,), because="a page of nothing never ends")


def test_views(api, experiment):
    kept, deleted = api.run(experiment, start_time=1), api.run(experiment, start_time=2)
    api.post("runs/delete", {"run_id": deleted}).ok()
    assert api.found(experiment) == [kept]
    assert api.found(experiment, run_view_type="ACTIVE_ONLY") == [kept]
    assert api.found(experiment, run_view_type="DELETED_ONLY") == [deleted]
    assert api.found(experiment, run_view_type="ALL") == [deleted, kept]
    assert api.found(experiment, run_view_type=3) == [deleted, kept]
    api.search_runs([experiment], run_view_type="SOME").invalid(original=(200,), because=UNREADABLE)


def test_wrong_types_are_refused(api):
    api.post("runs/search", {"experiment_ids": "x"}).invalid("for parameter 'experiment_ids' supplied")
    api.post("runs/search", {"experiment_ids": ["0"], "filter": 5}).invalid("for parameter 'filter' supplied")

"""experiments/search: filters, order, pages."""

import pytest
from wire import UNREADABLE, unique


def search(api, filter="", max_results=100, **fields):
    body = {"filter": filter, "max_results": max_results, **fields}
    return api.post("experiments/search", body)


def names(api, *args, **fields):
    return [found["name"] for found in search(api, *args, **fields).ok().get("experiments", [])]


@pytest.fixture(scope="module")
def family(api):
    """Three experiments with a prefix of their own, and tags."""
    prefix = unique("Family")
    for word, tags in (("a", {"team": "red", "shared": "x"}), ("b", {"team": "Blue", "shared": "x"}), ("c", {})):
        api.experiment(f"{prefix}-{word}", tags=[{"key": k, "value": v} for k, v in tags.items()])
    return prefix


def test_newest_first(api, family):
    assert names(api, f"name LIKE '{family}%'") == [f"{family}-c", f"{family}-b", f"{family}-a"]


@pytest.mark.parametrize(
    "condition, words",
    [
        ("name = '{0}-a'", "a"),
        ("name != '{0}-a' AND name LIKE '{0}%'", "cb"),
        ("name LIKE '{0}-_'", "cba"),
        ("name LIKE '{1}-%'", ""),
        ("name ILIKE '{1}-%'", "cba"),
        ("attribute.name = '{0}-b'", "b"),
        ("tags.team = 'red' AND name LIKE '{0}%'", "a"),
        ("tag.team = 'red' AND name LIKE '{0}%'", "a"),
        ("tags.`team` = 'red' AND name LIKE '{0}%'", "a"),
        ('tags."team" = "red" AND name LIKE "{0}%"', "a"),
        ("tags.team != 'red' AND name LIKE '{0}%'", "b"),
        ("tags.team LIKE 'B%' AND name LIKE '{0}%'", "b"),
        ("tags.team LIKE 'b%' AND name LIKE '{0}%'", ""),
        ("tags.team ILIKE 'b%' AND name LIKE '{0}%'", "b"),
        ("tags.shared = 'x' AND tags.team = 'Blue' AND name LIKE '{0}%'", "b"),
        ("tags.none = 'x' AND name LIKE '{0}%'", ""),
        ("creation_time > 0 AND name LIKE '{0}%'", "cba"),
        ("creation_time < 5 AND name LIKE '{0}%'", ""),
        ("last_update_time >= 5 and name LIKE '{0}%'", "cba"),
    ],
)
def test_filters(api, family, condition, words):
    filter = condition.format(family, family.lower())
    assert names(api, filter) == [f"{family}-{word}" for word in words]


def test_keywords_in_lower_case(api, family):
    answer = search(api, f"name like '{family}%' and name ilike '{family.lower()}-A'")
    if api.differs(ours=False, original=True, because="runs/search reads keywords in any case, and so should this"):
        answer.invalid("Invalid comparator 'like'")
    else:
        assert [found["name"] for found in answer.ok()["experiments"]] == [f"{family}-a"]


def test_a_list_of_ids(api):
    wanted = [api.experiment(), api.experiment()]
    api.experiment()
    quoted = ", ".join(f"'{id}'" for id in wanted)
    found = search(api, f"experiment_id IN ({quoted})").ok()["experiments"]
    assert [experiment["experiment_id"] for experiment in found] == wanted[::-1]


@pytest.mark.parametrize(
    "order_by, words",
    [
        (["name"], "abc"),
        (["name ASC"], "abc"),
        (["name DESC"], "cba"),
        (["attribute.name asc"], "abc"),
        (["creation_time ASC"], "abc"),
        (["creation_time DESC"], "cba"),
        (["last_update_time ASC", "name"], "abc"),
        (["experiment_id ASC"], "abc"),
    ],
)
def test_order(api, family, order_by, words):
    found = names(api, f"name LIKE '{family}%'", order_by=order_by)
    assert found == [f"{family}-{word}" for word in words]


@pytest.mark.parametrize(
    "filter",
    [
        "name = 5",
        "name = nothing",
        "name > 'a'",
        "unknown = 'a'",
        "metrics.a = 1",
        "name = 'a' OR name = 'b'",
        "name",
        "name =",
        "= 'a'",
        "creation_time = 'a'",
        "creation_time LIKE '1'",
        "name = 'a';name = 'b'",
        "(name = 'a'",
    ],
)
def test_a_bad_filter_is_refused(api, filter):
    search(api, filter).invalid()


@pytest.mark.parametrize("order_by", [["unknown"], ["name SIDEWAYS"], ["tags.a"], ["name ASC DESC"]])
def test_a_bad_order_is_refused(api, order_by):
    search(api, order_by=order_by).invalid()


def test_pages(api, family):
    filter, found, token = f"name LIKE '{family}%'", [], None
    for _ in range(3):
        page = search(api, filter, 1, page_token=token).ok()
        found += [experiment["name"] for experiment in page["experiments"]]
        token = page.get("next_page_token")
    assert found == [f"{family}-c", f"{family}-b", f"{family}-a"]
    assert token is None


def test_a_page_of_exactly_all_has_no_token(api, family):
    assert "next_page_token" not in search(api, f"name LIKE '{family}%'", 3).ok()


def test_max_results_is_needed_and_limited(api):
    api.post("experiments/search", {}).invalid("Invalid value 0 for parameter 'max_results'")
    search(api, max_results=0).invalid("max_results")
    search(api, max_results=-1).invalid("max_results")
    search(api, max_results=50_001).invalid("50000")
    search(api, max_results="many").invalid("max_results")


@pytest.mark.parametrize("token", ["nonsense", "bm9uc2Vuc2U=", "{}"])
def test_a_bad_token_is_refused(api, token):
    search(api, page_token=token).invalid()


def test_views(api):
    kept, deleted = unique("views"), unique("views")
    api.experiment(kept)
    api.post("experiments/delete", {"experiment_id": api.experiment(deleted)}).ok()
    both = f"name LIKE '{kept.rsplit('-', 1)[0]}%'"
    assert names(api, both) == [kept]
    assert names(api, both, view_type="ACTIVE_ONLY") == [kept]
    assert names(api, both, view_type="DELETED_ONLY") == [deleted]
    assert names(api, both, view_type="ALL") == [deleted, kept]
    assert names(api, both, view_type=2) == [deleted]
    search(api, view_type="SOME").invalid(original=(200,), because=UNREADABLE)


def test_search_by_get(api, family):
    query = {"filter": f"name = '{family}-a'", "max_results": "10"}
    found = api.get("experiments/search", **query).ok()["experiments"]
    assert [experiment["name"] for experiment in found] == [f"{family}-a"]


def test_nothing_found_is_an_empty_object(api):
    assert search(api, "name = 'no such name'").ok() == {}


def test_client_pages(client, family):
    found = client.search_experiments(filter_string=f"name LIKE '{family}%'", max_results=2)
    assert [experiment.name for experiment in found] == [f"{family}-c", f"{family}-b"]
    rest = client.search_experiments(filter_string=f"name LIKE '{family}%'", max_results=2, page_token=found.token)
    assert [experiment.name for experiment in rest] == [f"{family}-a"]
    assert not rest.token

"""runs/search: what a filter finds."""

import pytest
from population import Population


@pytest.fixture(scope="module")
def runs(api):
    return Population(api)


def finds(runs, filter, names):
    assert "".join(sorted(runs.found(filter))) == names


@pytest.mark.parametrize(
    "filter, names",
    [
        ("metrics.acc > 0.1", "bce"),
        ("metrics.acc >= 0.1", "abce"),
        ("metrics.acc = 0.2", "b"),
        ("metrics.acc != 0.2", "acef"),
        ("metrics.acc < 0.2", "af"),
        ("metrics.acc <= 0.2", "abf"),
        ("metrics.acc > -1", "abce"),
        ("metrics.acc >= -1.0", "abcef"),
        ("metrics.acc > 1e300", "e"),
        ("metrics.acc < 2E-1", "af"),
        ("metric.acc = 0.2", "b"),
        ("metrics.`acc` = 0.2", "b"),
        ('metrics."acc" = 0.2', "b"),
        ("metrics.`a b/c` = 1", "e"),
        ('metrics."a b/c" = 1', "e"),
        ("metrics.acc>0.1", "bce"),
        ("  metrics.acc   >   0.1  ", "bce"),
        ("metrics.acc > 0.1 AND metrics.acc < 0.3", "b"),
        ("metrics.acc > 0.05 and metrics.loss > 5", "a"),
        ("metrics.loss = 5", "df"),
        ("metrics.loss != 5", "ab"),
        ("metrics.loss > 0", "adf"),
        ("metrics.loss <= 0", ""),
        ("metrics.none > 0", ""),
        ("metrics.none != 0", ""),
    ],
)
def test_metrics(runs, filter, names):
    finds(runs, filter, names)


@pytest.mark.parametrize(
    "filter, names",
    [
        ("params.lr = '0.1'", "a"),
        ('params.lr = "0.1"', "a"),
        ("param.lr = '0.1'", "a"),
        ("parameters.lr = '0.1'", "a"),
        ("parameter.lr = '0.1'", "a"),
        ("params.`lr` = '0.1'", "a"),
        ('params."lr" = "0.1"', "a"),
        ("params.lr != '0.1'", "bce"),
        ("params.lr LIKE '0.1%'", "ac"),
        ("params.lr LIKE '0_1'", "ae"),
        ("params.lr LIKE '%1%'", "ace"),
        ("params.lr LIKE '0.1'", "a"),
        ("params.opt LIKE 'AD%'", ""),
        ("params.opt ILIKE 'AD%'", "d"),
        ("params.opt like 'ad%'", "d"),
        ("params.opt ilike 'aDaM'", "d"),
        ("params.Kind = 'x'", "a"),
        ("params.kind = 'x'", ""),
        ("params.long.name LIKE 'it%'", "f"),
        ("params.`long.name` LIKE 'it%'", "f"),
        ("params.lr IS NULL", "df"),
        ("params.lr IS NOT NULL", "abce"),
        ("params.lr is null", "df"),
        ("params.none IS NULL", "abcdef"),
        ("params.none IS NOT NULL", ""),
        ("params.none = 'x'", ""),
        ("params.none != 'x'", ""),
        ("params.opt = 'adam' AND params.lr IS NULL", "d"),
    ],
)
def test_params(runs, filter, names):
    finds(runs, filter, names)


@pytest.mark.parametrize(
    "filter, names",
    [
        ("tags.team = 'red'", "a"),
        ("tag.team = 'red'", "a"),
        ("tags.team != 'red'", "bcd"),
        ("tags.team LIKE 'r%'", "a"),
        ("tags.team ILIKE 'r%'", "ab"),
        ("tags.team ILIKE 'RED'", "ab"),
        ("tags.team LIKE 'blue%'", "cd"),
        ("tags.team = 'blue%'", "d"),
        ("tags.`x y` = '1'", "c"),
        ('tags."x y" = "1"', "c"),
        ("tags.team IS NULL", "ef"),
        ("tags.team IS NOT NULL", "abcd"),
        ("tags.mlflow.runName = 'a'", "a"),
        ("tags.`mlflow.runName` = 'a'", "a"),
        ("tags.team = 'red' AND params.lr = '0.1' AND metrics.acc < 1", "a"),
        ("tags.team = 'red' AND params.lr = '0.2'", ""),
        ("tags.none != 'x'", ""),
        ("tags.note LIKE '%hi%'", "f"),
        ("tags.note = 'says \"hi\"'", "f"),
    ],
)
def test_tags(runs, filter, names):
    finds(runs, filter, names)


@pytest.mark.parametrize(
    "filter, names",
    [
        ("attributes.status = 'FINISHED'", "abf"),
        ("attribute.status = 'FINISHED'", "abf"),
        ("attr.status = 'FINISHED'", "abf"),
        ("run.status = 'FINISHED'", "abf"),
        ("status = 'FINISHED'", "abf"),
        ("status != 'FINISHED'", "cde"),
        ("status LIKE 'F%'", "abdf"),
        ("status ILIKE 'f%'", "abdf"),
        ("status = 'finished'", ""),
        ("run_name = 'a'", "a"),
        ("`run_name` = 'a'", "a"),
        ("attributes.run_name = 'a'", "a"),
        ("attributes.`run name` = 'a'", "a"),
        ("attributes.`Run name` = 'a'", "a"),
        ("attributes.`Run Name` = 'a'", "a"),
        ("run_name != 'a'", "bcdef"),
        ("run_name ILIKE 'A'", "a"),
        ("run_name LIKE '%'", "abcdef"),
        ("user_id = 'ada'", "abc"),
        ("user_id != 'ada'", "def"),
        ("start_time = 300", "c"),
        ("start_time > 300", "def"),
        ("start_time >= 300", "cdef"),
        ("start_time < 300", "ab"),
        ("start_time <= 300", "abc"),
        ("start_time != 300", "abdef"),
        ("attributes.start_time > 300 AND attributes.start_time < 500", "d"),
        ("created > 500", "f"),
        ("attributes.Created > 500", "f"),
        ("end_time > 250", "def"),
        ("end_time != 250", "adef"),
        ("artifact_uri LIKE '%/artifacts'", "abcdef"),
        ("start_time > 250.5", "cdef"),
    ],
)
def test_attributes(runs, filter, names):
    finds(runs, filter, names)


@pytest.mark.parametrize(
    "filter, names",
    [
        ("datasets.name = 'd1'", "bd"),
        ("dataset.name = 'd1'", "bd"),
        ("datasets.digest = 'h2'", "c"),
        ("datasets.context = 'train'", "b"),
        ("datasets.name != 'd1'", "c"),
        ("datasets.name LIKE 'd%'", "bcd"),
        ("datasets.name ILIKE 'D1'", "bd"),
        ("datasets.name IN ('d1', 'd2')", "bcd"),
        ("datasets.digest IN ('h1')", "b"),
        ("datasets.context IN ('train', 'eval')", "bd"),
        ("datasets.name = 'd1' AND datasets.context = 'eval'", "d"),
        ("datasets.name = 'd1' AND datasets.context = 'test'", ""),
        ("datasets.name = 'none'", ""),
    ],
)
def test_datasets(runs, filter, names):
    finds(runs, filter, names)


def test_run_ids(runs):
    ids = runs.ids
    finds(runs, f"run_id = '{ids['a']}'", "a")
    finds(runs, f"attributes.run_id != '{ids['a']}'", "bcdef")
    finds(runs, f"run_id IN ('{ids['a']}', '{ids['c']}')", "ac")
    finds(runs, f"attributes.run_id in ('{ids['a']}')", "a")
    finds(runs, f"run_id NOT IN ('{ids['a']}', '{ids['c']}')", "bdef")
    finds(runs, f"run_id IN ('{ids['a']}', '{ids['c']}') AND metrics.acc > 0.2", "c")
    finds(runs, f"run_id LIKE '{ids['a'][:12]}%'", "a")


def test_an_empty_filter_finds_all_and_a_blank_one_is_refused(runs):
    finds(runs, "", "abcdef")
    runs.search("   ").invalid()


def test_several_experiments(api, runs):
    other = api.experiment()
    run = api.run(other)
    answer = api.search_runs([runs.experiment, other], "").ok()
    assert {found["info"]["run_id"] for found in answer["runs"]} == {run, *runs.ids.values()}


def test_no_and_unknown_experiments_find_nothing(api):
    assert api.search_runs([], "").ok() == {}
    assert api.post("runs/search", {}).ok() == {}
    assert api.search_runs(["987654321"], "").ok() == {}


def test_a_found_run_is_the_whole_run(api, runs):
    [found] = runs.search("run_name = 'b'").ok()["runs"]
    whole = api.run_of(runs.ids["b"])
    assert found["info"] == whole["info"]
    assert found["data"]["metrics"] == whole["data"]["metrics"]
    assert found["data"]["params"] == whole["data"]["params"]
    assert sorted(map(str, found["data"]["tags"])) == sorted(map(str, whole["data"]["tags"]))
    assert found["inputs"] == whole["inputs"]


def test_client_search(client, runs):
    found = client.search_runs([runs.experiment], "metrics.acc > 0.1", order_by=["metrics.acc DESC"], max_results=2)
    assert [runs.names[run.info.run_id] for run in found] == ["e", "c"]
    rest = client.search_runs(
        [runs.experiment], "metrics.acc > 0.1", order_by=["metrics.acc DESC"], max_results=2, page_token=found.token
    )
    assert [runs.names[run.info.run_id] for run in rest] == ["b"] and not rest.token


def test_fluent_search_gives_a_table(fluent, runs):
    table = fluent.search_runs([runs.experiment], order_by=["start_time ASC"])
    assert list(table["tags.mlflow.runName"]) == list("abcdef")
    assert list(table["status"]) == ["FINISHED", "FINISHED", "RUNNING", "FAILED", "KILLED", "FINISHED"]
    assert table["metrics.acc"].isna().tolist() == [False, False, False, True, False, False]

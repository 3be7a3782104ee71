use std::collections::BTreeMap;

use proptest::prelude::*;
use tiegel_search::{Entity, Family, Metric, Record, Related, Relation, Scalar};

use super::super::View;
use super::super::runs::RUNS;
use super::super::sql::Bound;
use super::{Asked, Known, all_pages, check, wait, words};
use crate::db::Tx;
use crate::testing::store_tests;
use crate::{Result, Store};

/// Runs of one world.
const RUNS_MAX: usize = 40;
/// The first is there from the start; `fill` makes the others.
const EXPERIMENTS: [i64; 3] = [0, 1, 2];
const STATUSES: [&str; 3] = ["RUNNING", "FINISHED", "FAILED"];

#[derive(Clone, Debug)]
struct Run {
    experiment: i64,
    lifecycle: &'static str,
    name: String,
    user: &'static str,
    status: &'static str,
    start_ms: i64,
    end_ms: Option<i64>,
    metrics: BTreeMap<&'static str, f64>,
    params: BTreeMap<&'static str, String>,
    tags: BTreeMap<&'static str, String>,
    datasets: BTreeMap<(&'static str, &'static str), Option<&'static str>>,
}

fn run() -> impl Strategy<Value = Run> {
    let pick = |from: &[&'static str]| prop::sample::select(from.to_vec());
    let dataset = (pick(&["d", "D", "e"]), pick(&["1", "2"]));
    let context = prop::option::of(pick(&["train", "eval"]));
    let whose = (
        prop::sample::select(EXPERIMENTS.to_vec()),
        pick(&["active", "active", "deleted"]),
        words::value(),
        pick(&["me", "You"]),
        pick(&STATUSES),
    );
    let logged = (
        prop::collection::btree_map(words::key(), words::number(), 0..4),
        prop::collection::btree_map(words::key(), words::value(), 0..4),
        prop::collection::btree_map(words::key(), words::value(), 0..4),
        prop::collection::btree_map(dataset, context, 0..3),
    );
    (whose, 0..4_i64, prop::option::of(0..4_i64), logged).prop_map(|(whose, start_ms, end_ms, logged)| {
        let (experiment, lifecycle, name, user, status) = whose;
        let (metrics, params, tags, datasets) = logged;
        Run { experiment, lifecycle, name, user, status, start_ms, end_ms, metrics, params, tags, datasets }
    })
}

fn clause() -> impl Strategy<Value = String> {
    let ids = (0..RUNS_MAX).map(run_id).collect::<Vec<_>>();
    let names = ["run_name", "user_id", "status", "artifact_uri", "run_id"];
    let of = |prefix: &'static str, test: BoxedStrategy<String>| {
        (words::asked_key(), test).prop_map(move |(key, test)| format!("{prefix}.`{key}` {test}"))
    };
    prop_oneof![
        4 => of("metrics", words::number_test().boxed()),
        3 => of("params", prop_oneof![4 => words::text_test(), 1 => words::null_test()].boxed()),
        3 => of("tags", prop_oneof![4 => words::text_test(), 1 => words::null_test()].boxed()),
        2 => (prop::sample::select(names.to_vec()), words::text_test()).prop_map(|(name, test)| format!("{name} {test}")),
        1 => prop::sample::select(STATUSES.to_vec()).prop_map(|status| format!("status = '{status}'")),
        1 => words::list_test(ids).prop_map(|test| format!("run_id {test}")),
        1 => (prop::sample::select(vec!["start_time", "end_time"]), words::number_test())
            .prop_map(|(name, test)| format!("{name} {test}")),
        1 => prop_oneof![
            words::text_test().prop_map(|test| format!("dataset.name {test}")),
            words::list_test(vec!["1".to_owned(), "3".to_owned()]).prop_map(|test| format!("dataset.digest {test}")),
            Just("dataset.context = 'train'".to_owned()),
            Just("dataset.context != 'train'".to_owned()),
        ],
    ]
}

fn order() -> impl Strategy<Value = Vec<String>> {
    let attributes = vec!["run_id", "run_name", "user_id", "status", "artifact_uri", "start_time", "end_time"];
    let key = prop_oneof![
        3 => words::asked_key().prop_map(|key| format!("metrics.`{key}`")),
        2 => words::asked_key().prop_map(|key| format!("params.`{key}`")),
        1 => words::asked_key().prop_map(|key| format!("tags.`{key}`")),
        3 => prop::sample::select(attributes).prop_map(str::to_owned),
    ];
    let keys = prop::collection::btree_map(key, words::direction(), 0..4);
    let keys =
        keys.prop_map(|keys| keys.into_iter().map(|(key, direction)| format!("{key}{direction}")).collect::<Vec<_>>());
    keys.prop_shuffle()
}

fn asked() -> impl Strategy<Value = Asked> {
    let scopes = prop::sample::subsequence(EXPERIMENTS.to_vec(), 1..=EXPERIMENTS.len());
    (
        scopes,
        prop::sample::select(vec![View::Active, View::Deleted, View::All]),
        prop::collection::vec(clause(), 0..3),
        order(),
        prop::sample::select(vec![1, 3, 10, 100]),
        super::tuning(),
    )
        .prop_map(|(scopes, view, clauses, order, limit, tuning)| Asked {
            scopes: scopes.into_iter().map(Bound::Int).collect(),
            view,
            filter: clauses.join(" AND "),
            order,
            limit,
            tuning,
        })
}

/// Not in the order of their numbers.
fn run_id(at: usize) -> String {
    format!("r{:02}", (at * 7) % RUNS_MAX)
}

fn known(at: usize, run: &Run) -> Known {
    let mut record = Record::default();
    let text = |text: &str| Scalar::Text(text.to_owned());
    record.attributes.extend([
        ("run_id", text(&run_id(at))),
        ("run_name", text(&run.name)),
        ("user_id", text(run.user)),
        ("status", text(run.status)),
        ("artifact_uri", text("s3://a")),
        ("start_time", Scalar::Integer(run.start_ms)),
    ]);
    record.attributes.extend(run.end_ms.map(|end| ("end_time", Scalar::Integer(end))));
    for (key, value) in &run.metrics {
        record.metrics.insert((*key).to_owned(), vec![Metric { value: *value, ..Metric::default() }]);
    }
    for (family, texts) in [(Family::Param, &run.params), (Family::Tag, &run.tags)] {
        record.texts.extend(texts.iter().map(|(key, value)| ((family, (*key).to_owned()), value.clone())));
    }
    let datasets = run.datasets.iter().map(|((name, digest), context)| {
        let context = context.map(|context| ("context", context));
        let properties = [("name", *name), ("digest", *digest)].into_iter().chain(context);
        properties.map(|(property, value)| (Related::Property(property), value.to_owned())).collect()
    });
    record.related.insert(Relation::Dataset, datasets.collect());
    Known { id: Bound::Int(number(at)), scope: Bound::Int(run.experiment), stage: run.lifecycle, record }
}

fn number(at: usize) -> i64 {
    i64::try_from(at).unwrap() + 1
}

/// Replaces all runs of the database.
fn fill(tx: &mut Tx<'_>, runs: &[Run]) -> Result<()> {
    for table in ["latest_metrics", "run_params", "run_tags", "run_datasets", "datasets", "runs"] {
        tx.execute(&format!("DELETE FROM {table}"), &[])?;
    }
    for name in ["first", "second"] {
        let sql = "INSERT INTO experiments (project, name, lifecycle, created_ms, updated_ms) \
                   VALUES ('default', $1, 'active', 0, 0) ON CONFLICT DO NOTHING";
        tx.execute(sql, &[name.into()])?;
    }
    for (at, run) in runs.iter().enumerate() {
        put_run(tx, number(at), &run_id(at), run)?;
    }
    Ok(())
}

fn put_run(tx: &mut Tx<'_>, id: i64, run_id: &str, run: &Run) -> Result<()> {
    tx.execute(
        "INSERT INTO runs (id, run_id, experiment_id, project, name, user_id, status, start_ms, end_ms, artifact_uri, \
         lifecycle, source) VALUES ($1, $2, $3, 'default', $4, $5, $6, $7, $8, 's3://a', $9, '{}')",
        &[
            id.into(),
            run_id.into(),
            run.experiment.into(),
            (&run.name).into(),
            run.user.into(),
            run.status.into(),
            run.start_ms.into(),
            run.end_ms.into(),
            run.lifecycle.into(),
        ],
    )?;
    for (key, value) in &run.metrics {
        let (value, is_nan) = if value.is_nan() { (0.0, true) } else { (*value, false) };
        let key = super::intern(tx, key)?;
        tx.execute(
            "INSERT INTO latest_metrics (run, key, experiment_id, value, is_nan, step, timestamp_ms, tail) \
             VALUES ($1, $2, $3, $4, $5, 0, 0, 0)",
            &[id.into(), key.into(), run.experiment.into(), value.into(), is_nan.into()],
        )?;
    }
    let name = BTreeMap::from([("mlflow.runName", run.name.clone())]);
    for (table, texts) in [("run_params", &run.params), ("run_tags", &run.tags), ("run_tags", &name)] {
        for (key, value) in texts {
            let (head, rest) = crate::tracking::split(value);
            let key = super::intern(tx, key)?;
            let sql = format!("INSERT INTO {table} (run, key, experiment_id, head, rest) VALUES ($1, $2, $3, $4, $5)");
            tx.execute(&sql, &[id.into(), key.into(), run.experiment.into(), head.into(), rest.into()])?;
        }
    }
    for ((name, digest), context) in &run.datasets {
        let values = [run.experiment.into(), (*name).into(), (*digest).into()];
        tx.execute(
            "INSERT INTO datasets (experiment_id, name, digest, source_type, source) VALUES ($1, $2, $3, '', '') \
             ON CONFLICT DO NOTHING",
            &values,
        )?;
        let find = "SELECT id FROM datasets WHERE experiment_id = $1 AND name = $2 AND digest = $3";
        let dataset = tx.row(find, &values, |row| row.int(0))?;
        tx.execute(
            "INSERT INTO run_datasets (run, dataset, experiment_id, context, tags) VALUES ($1, $2, $3, $4, '[]')",
            &[id.into(), dataset.into(), run.experiment.into(), (*context).into()],
        )?;
    }
    Ok(())
}

fn check_runs(store: &Store) {
    let make = |runs: &Vec<Run>| {
        let stored = runs.clone();
        wait(store.transact(move |tx| fill(tx, &stored))).unwrap();
        runs.iter().enumerate().map(|(at, run)| known(at, run)).collect()
    };
    let answer = |asked: &Asked, filter: &_, order: &_| wait(all_pages(store, &RUNS, asked, filter, order));
    check(prop::collection::vec(run(), 0..RUNS_MAX), asked(), make, answer, Entity::Run);
}

store_tests! {
    async fn runs_are_found_as_the_evaluator_finds_them(store) {
        check_runs(&store);
    }
}

use std::collections::BTreeMap;

use proptest::prelude::*;
use tiegel_search::{Family, Record, Scalar};

use super::super::View;
use super::super::experiments::EXPERIMENTS;
use super::super::sql::Bound;
use super::{Asked, Known, all_pages, check, wait, words};
use crate::db::Tx;
use crate::testing::store_tests;
use crate::{Result, Store};

const PROJECT: &str = "default";
const RECORDS_MAX: usize = 30;
/// More than all worlds together come to.
const ID_MAX: i64 = 160;

#[derive(Clone, Debug)]
struct Experiment {
    name: String,
    created_ms: i64,
    updated_ms: i64,
    is_deleted: bool,
    tags: BTreeMap<&'static str, String>,
}

/// No two have one name.
fn experiments() -> impl Strategy<Value = Vec<Experiment>> {
    let tags = prop::collection::btree_map(words::key(), words::value(), 0..4);
    let one = (0..4_i64, 0..4_i64, any::<bool>(), tags);
    let all = prop::collection::btree_map(words::value(), one, 0..RECORDS_MAX);
    let made = |(name, (created_ms, updated_ms, is_deleted, tags))| Experiment {
        name,
        created_ms,
        updated_ms,
        is_deleted,
        tags,
    };
    all.prop_map(move |all| all.into_iter().map(made).collect())
}

fn fill(tx: &mut Tx<'_>, all: &[Experiment]) -> Result<Vec<Known>> {
    for table in ["experiment_tags", "experiments"] {
        tx.execute(&format!("DELETE FROM {table}"), &[])?;
    }
    let mut known = Vec::new();
    for experiment in all {
        let Experiment { name, created_ms, updated_ms, is_deleted, tags } = experiment;
        let stage = if *is_deleted { "deleted" } else { "active" };
        let sql = "INSERT INTO experiments (project, name, lifecycle, artifact_location, created_ms, updated_ms) \
                   VALUES ('default', $1, $2, '', $3, $4) RETURNING id";
        let values = [name.into(), stage.into(), (*created_ms).into(), (*updated_ms).into()];
        let id = tx.row(sql, &values, |row| row.int(0))?.unwrap();
        for (key, value) in tags {
            let sql = "INSERT INTO experiment_tags (experiment_id, name, value) VALUES ($1, $2, $3)";
            tx.execute(sql, &[id.into(), (*key).into(), value.into()])?;
        }
        known.push(Known { id: Bound::Int(id), scope: PROJECT.into(), stage, record: record(id, experiment) });
    }
    Ok(known)
}

fn record(id: i64, experiment: &Experiment) -> Record {
    let attributes = [
        ("name", Scalar::Text(experiment.name.clone())),
        ("experiment_id", Scalar::Integer(id)),
        ("creation_time", Scalar::Integer(experiment.created_ms)),
        ("last_update_time", Scalar::Integer(experiment.updated_ms)),
    ];
    let tags = experiment.tags.iter().map(|(key, value)| ((Family::Tag, (*key).to_owned()), value.clone()));
    Record { attributes: attributes.into(), texts: tags.collect(), ..Record::default() }
}

fn clause() -> impl Strategy<Value = String> {
    let ids: Vec<_> = (1..ID_MAX).map(|id| id.to_string()).collect();
    let times = (
        prop::sample::select(vec!["creation_time", "last_update_time"]),
        prop::sample::select(vec!["=", "!=", "<", "<=", ">", ">="]),
        0..4_i64,
    );
    prop_oneof![
        4 => (words::asked_key(), words::text_test()).prop_map(|(key, test)| format!("tags.`{key}` {test}")),
        2 => (words::asked_key(), words::null_test()).prop_map(|(key, test)| format!("tags.`{key}` {test}")),
        2 => words::text_test().prop_map(|test| format!("name {test}")),
        1 => words::list_test(ids).prop_map(|test| format!("experiment_id {test}")),
        2 => times.prop_map(|(time, comparator, value)| format!("{time} {comparator} {value}")),
    ]
}

fn asked() -> impl Strategy<Value = Asked> {
    let orders = prop::sample::select(vec!["name", "experiment_id", "creation_time", "last_update_time"]);
    let order = prop::collection::btree_map(orders, words::direction(), 0..3);
    let view = prop::sample::select(vec![View::Active, View::Deleted, View::All]);
    let limit = prop::sample::select(vec![1, 3, 10, 100]);
    let all = (prop::collection::vec(clause(), 0..3), view, order, limit, super::tuning());
    all.prop_map(|(clauses, view, order, limit, tuning)| Asked {
        scopes: vec![PROJECT.into()],
        view,
        filter: clauses.join(" AND "),
        order: order.into_iter().map(|(key, direction)| format!("{key}{direction}")).collect(),
        limit,
        tuning,
    })
}

fn check_experiments(store: &Store) {
    let make = |all: &Vec<Experiment>| {
        let all = all.clone();
        wait(store.transact(move |tx| fill(tx, &all))).unwrap()
    };
    let answer = |asked: &Asked, filter: &_, order: &_| wait(all_pages(store, &EXPERIMENTS, asked, filter, order));
    check(experiments(), asked(), make, answer, EXPERIMENTS.entity);
}

store_tests! {
    async fn experiments_are_found_as_the_evaluator_finds_them(store) {
        check_experiments(&store);
    }
}

use std::collections::BTreeMap;

use proptest::prelude::*;
use tiegel_search::{Family, Metric, Record, Scalar};

use super::super::View;
use super::super::entity::Searched;
use super::super::registry::{LOGGED_MODELS, MODELS, VERSIONS};
use super::super::sql::Bound;
use super::{Asked, Known, all_pages, check, wait, words};
use crate::db::Tx;
use crate::testing::store_tests;
use crate::{Result, Store};

const PROJECT: &str = "default";
const IS_PROMPT: &str = "mlflow.prompt.is_prompt";
const RECORDS_MAX: usize = 30;

/// A version of a model, or what else has a name, texts and tags.
#[derive(Clone, Debug)]
struct Named {
    name: String,
    run: &'static str,
    source: String,
    created_ms: i64,
    updated_ms: i64,
    is_deleted: bool,
    params: BTreeMap<&'static str, String>,
    tags: BTreeMap<&'static str, String>,
    /// By key: when, at which step, on which dataset.
    metrics: BTreeMap<(&'static str, i64, i64), (f64, Option<&'static str>)>,
}

fn named() -> impl Strategy<Value = Named> {
    let pick = |from: &[&'static str]| prop::sample::select(from.to_vec());
    let tag = prop_oneof![4 => words::key(), 1 => Just(IS_PROMPT)];
    let value = prop_oneof![3 => words::value(), 1 => Just("true".to_owned())];
    let point = (words::number(), prop::option::of(pick(&["d", "e"])));
    let texts = (words::value(), pick(&["", "r1", "R1"]), words::value());
    let kept = (
        prop::collection::btree_map(words::key(), words::value(), 0..4),
        prop::collection::btree_map(tag, value, 0..4),
        prop::collection::btree_map((words::key(), 0..2_i64, 0..2_i64), point, 0..5),
    );
    (texts, 0..4_i64, 0..4_i64, any::<bool>(), kept).prop_map(|(texts, created_ms, updated_ms, is_deleted, kept)| {
        let ((name, run, source), (params, tags, metrics)) = (texts, kept);
        Named { name, run, source, created_ms, updated_ms, is_deleted, params, tags, metrics }
    })
}

fn asked(scope: Bound, clause: BoxedStrategy<String>, orders: &'static [&'static str]) -> impl Strategy<Value = Asked> {
    let order = prop::collection::btree_map(prop::sample::select(orders.to_vec()), words::direction(), 0..3);
    let limit = prop::sample::select(vec![1, 3, 10, 100]);
    (prop::collection::vec(clause, 0..3), order, limit, super::tuning()).prop_map(
        move |(clauses, order, limit, tuning)| Asked {
            scopes: vec![scope.clone()],
            view: View::Active,
            filter: clauses.join(" AND "),
            order: order.into_iter().map(|(key, direction)| format!("{key}{direction}")).collect(),
            limit,
            tuning,
        },
    )
}

fn tag_clause() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (words::asked_key(), words::text_test()).prop_map(|(key, test)| format!("tags.`{key}` {test}")),
        1 => prop::sample::select(vec!["= 'true'", "!= 'true'", "= 'false'", "LIKE '%'"])
            .prop_map(|test| format!("tags.`{IS_PROMPT}` {test}")),
    ]
}

fn text(text: &str) -> Scalar {
    Scalar::Text(text.to_owned())
}

fn record(attributes: Vec<(&'static str, Scalar)>, named: &Named) -> Record {
    let is_there = |(_, value): &(&str, Scalar)| *value != text("");
    let tags = named.tags.iter().map(|(key, value)| ((Family::Tag, (*key).to_owned()), value.clone()));
    Record { attributes: attributes.into_iter().filter(is_there).collect(), texts: tags.collect(), ..Record::default() }
}

fn insert(tx: &mut Tx<'_>, sql: &str, values: &[crate::db::Value<'_>]) -> Result<i64> {
    Ok(tx.row(sql, values, |row| row.int(0))?.unwrap())
}

/// One model for each name, with the versions of it.
fn fill_registry(tx: &mut Tx<'_>, all: &[Named], of_versions: bool) -> Result<Vec<Known>> {
    for table in ["model_version_tags", "model_versions", "registered_model_tags", "registered_models"] {
        tx.execute(&format!("DELETE FROM {table}"), &[])?;
    }
    let mut models: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    let mut known = Vec::new();
    for named in all.iter().filter(|named| !named.name.is_empty()) {
        let values = [(&named.name).into(), named.created_ms.into(), named.updated_ms.into()];
        if !models.contains_key(named.name.as_str()) {
            let sql = "INSERT INTO registered_models (project, name, description, last_version, created_ms, updated_ms) \
                       VALUES ('default', $1, '', 0, $2, $3) RETURNING id";
            let id = insert(tx, sql, &values)?;
            models.insert(&named.name, (id, 0));
            if !of_versions {
                put_tags(tx, ("registered_model_tags", "model"), Bound::Int(id), &named.tags)?;
                let attributes =
                    vec![("name", text(&named.name)), ("last_updated_timestamp", Scalar::Integer(named.updated_ms))];
                known.push((id, record(attributes, named)));
            }
        }
        if of_versions {
            let (model, version) = models.get_mut(named.name.as_str()).unwrap();
            *version += 1;
            known.push(put_version(tx, (*model, *version), named)?);
        }
    }
    let stage = "active";
    let known_of = |(id, record)| Known { id: Bound::Int(id), scope: PROJECT.into(), stage, record };
    Ok(known.into_iter().map(known_of).collect())
}

fn put_version(tx: &mut Tx<'_>, (model, version): (i64, i64), named: &Named) -> Result<(i64, Record)> {
    let sql = "INSERT INTO model_versions (model, project, name, version, stage, source, storage_location, run_id, \
               run_link, metrics, created_ms, updated_ms) \
               VALUES ($1, 'default', $2, $3, 'None', $4, '', $5, '', '{}', $6, $7) RETURNING id";
    let values = [
        model.into(),
        (&named.name).into(),
        version.into(),
        (&named.source).into(),
        named.run.into(),
        named.created_ms.into(),
        named.updated_ms.into(),
    ];
    let id = insert(tx, sql, &values)?;
    put_tags(tx, ("model_version_tags", "version"), Bound::Int(id), &named.tags)?;
    let mut record = record(
        vec![
            ("name", text(&named.name)),
            ("version_number", Scalar::Integer(version)),
            ("run_id", text(named.run)),
            ("creation_timestamp", Scalar::Integer(named.created_ms)),
            ("last_updated_timestamp", Scalar::Integer(named.updated_ms)),
        ],
        named,
    );
    record.attributes.insert("source_path", text(&named.source));
    Ok((id, record))
}

fn put_tags(
    tx: &mut Tx<'_>,
    (table, owner): (&str, &str),
    id: Bound,
    tags: &BTreeMap<&'static str, String>,
) -> Result<()> {
    for (key, value) in tags {
        let sql = format!("INSERT INTO {table} ({owner}, key, value) VALUES ($1, $2, $3)");
        let id = match &id {
            Bound::Text(text) => text.as_str().into(),
            other => other.int().into(),
        };
        tx.execute(&sql, &[id, (*key).into(), value.into()])?;
    }
    Ok(())
}

fn model_id(at: usize) -> String {
    format!("m-{:02}", (at * 7) % RECORDS_MAX)
}

fn fill_logged(tx: &mut Tx<'_>, all: &[Named]) -> Result<Vec<Known>> {
    for table in ["logged_model_tags", "logged_model_params", "model_metrics", "logged_models"] {
        tx.execute(&format!("DELETE FROM {table}"), &[])?;
    }
    let mut known = Vec::new();
    for (at, named) in all.iter().enumerate() {
        let id = model_id(at);
        let stage = if named.is_deleted { "deleted" } else { "active" };
        tx.execute(
            "INSERT INTO logged_models (model_id, experiment_id, name, artifact_location, model_type, source_run_id, \
             status, lifecycle, created_ms, updated_ms) VALUES ($1, 0, $2, '', $3, $4, 'READY', $5, $6, $7)",
            &[
                (&id).into(),
                (&named.name).into(),
                (&named.source).into(),
                named.run.into(),
                stage.into(),
                named.created_ms.into(),
                named.updated_ms.into(),
            ],
        )?;
        put_tags(tx, ("logged_model_tags", "model_id"), Bound::Text(id.clone()), &named.tags)?;
        put_tags(tx, ("logged_model_params", "model_id"), Bound::Text(id.clone()), &named.params)?;
        for ((key, timestamp_ms, step), (value, dataset)) in &named.metrics {
            let (value, is_nan) = if value.is_nan() { (0.0, true) } else { (*value, false) };
            let key = super::intern(tx, key)?;
            tx.execute(
                "INSERT INTO model_metrics (model_id, key, timestamp_ms, step, run, experiment_id, value, is_nan, \
                 dataset_name, dataset_digest) VALUES ($1, $2, $3, $4, 1, 0, $5, $6, $7, '1')",
                &[
                    (&id).into(),
                    key.into(),
                    (*timestamp_ms).into(),
                    (*step).into(),
                    value.into(),
                    is_nan.into(),
                    (*dataset).into(),
                ],
            )?;
        }
        known.push(Known { record: logged(&id, named), id: Bound::Text(id), scope: Bound::Int(0), stage });
    }
    Ok(known)
}

fn logged(id: &str, named: &Named) -> Record {
    let mut record = record(
        vec![
            ("model_id", text(id)),
            ("model_type", text(&named.source)),
            ("source_run_id", text(named.run)),
            ("status", text("READY")),
            ("creation_timestamp", Scalar::Integer(named.created_ms)),
            ("last_updated_timestamp", Scalar::Integer(named.updated_ms)),
        ],
        named,
    );
    record.attributes.insert("name", text(&named.name));
    let params = named.params.iter().map(|(key, value)| ((Family::Param, (*key).to_owned()), value.clone()));
    record.texts.extend(params);
    for ((key, timestamp_ms, step), (value, dataset)) in &named.metrics {
        let dataset = dataset.map(|name| (name.to_owned(), "1".to_owned()));
        let metric = Metric { value: *value, dataset, timestamp_ms: *timestamp_ms, step: *step, run_id: String::new() };
        record.metrics.entry((*key).to_owned()).or_default().push(metric);
    }
    record
}

fn check_named(
    store: &Store,
    searched: &'static Searched,
    asked: impl Strategy<Value = Asked>,
    fill: impl Fn(&mut Tx<'_>, &[Named]) -> Result<Vec<Known>> + Copy + Send + 'static,
) {
    let make = |all: &Vec<Named>| {
        let all = all.clone();
        wait(store.transact(move |tx| fill(tx, &all))).unwrap()
    };
    let answer = |asked: &Asked, filter: &_, order: &_| wait(all_pages(store, searched, asked, filter, order));
    check(prop::collection::vec(named(), 0..RECORDS_MAX), asked, make, answer, searched.entity);
}

fn name_clause(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    (prop::sample::select(names.to_vec()), words::text_test()).prop_map(|(name, test)| format!("{name} {test}"))
}

store_tests! {
    async fn registered_models_are_found_as_the_evaluator_finds_them(store) {
        let lists = words::list_test(words::values().into_iter().filter(|value| !value.contains('\'')).collect());
        let clause = prop_oneof![tag_clause(), name_clause(&["name"]), lists.prop_map(|test| format!("name {test}"))];
        let asked = asked(PROJECT.into(), clause.boxed(), &["name", "timestamp"]);
        check_named(&store, &MODELS, asked, |tx, all| fill_registry(tx, all, false));
    }

    async fn model_versions_are_found_as_the_evaluator_finds_them(store) {
        let numbers = prop::sample::select(vec!["= 1", "> 1", "<= 2", "!= 1", "= '2'"]);
        let runs = words::list_test(vec!["r1".to_owned(), "r2".to_owned()]);
        let clause = prop_oneof![
            3 => tag_clause(),
            2 => name_clause(&["name", "run_id", "source_path"]),
            1 => numbers.prop_map(|test| format!("version_number {test}")),
            1 => runs.prop_map(|test| format!("run_id {test}")),
        ];
        let orders = &["name", "version_number", "creation_timestamp", "last_updated_timestamp"];
        let asked = asked(PROJECT.into(), clause.boxed(), orders);
        check_named(&store, &VERSIONS, asked, |tx, all| fill_registry(tx, all, true));
    }

    async fn logged_models_are_found_as_the_evaluator_finds_them(store) {
        let keyed = |prefix: &'static str, test: BoxedStrategy<String>| {
            (words::asked_key(), test).prop_map(move |(key, test)| format!("{prefix}.`{key}` {test}"))
        };
        let clause = prop_oneof![
            3 => keyed("metrics", words::number_test().boxed()),
            2 => keyed("params", words::text_test().boxed()),
            2 => keyed("tags", words::text_test().boxed()),
            2 => name_clause(&["name", "model_id", "model_type", "source_run_id", "status"]),
        ];
        let asked = asked(Bound::Int(0), clause.boxed(), LOGGED_ORDERS);
        check_named(&store, &LOGGED_MODELS, asked, fill_logged);
    }
}

const LOGGED_ORDERS: &[&str] = &[
    "metrics.a",
    "metrics.`nobody's`",
    "params.b",
    "name",
    "model_type",
    "creation_timestamp",
    "last_updated_timestamp",
];

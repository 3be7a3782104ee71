//! How long searches take, for who tunes them: `cargo test --release -p tiegel-store timing -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use tiegel_search::{Entity, Filter, Order};

use super::super::runs::RUNS;
use super::super::sql::Bound;
use super::super::{Search, SearchRuns, View};
use crate::db::Tx;
use crate::testing::{TestDatabase, databases};
use crate::{Scope, Store};

const METRICS: i64 = 10;
const PARAMS: i64 = 10;
const TAGS: i64 = 3;

/// Runs whose start is in the order of their ids, with values spread evenly over the runs of each key; but m9 grows with
/// the run's age.
fn fill(tx: &mut Tx<'_>, runs: i64) -> crate::Result<()> {
    for (prefix, count) in [("m", METRICS), ("p", PARAMS), ("t", TAGS), ("mlflow.runName", 1)] {
        for at in 0..count {
            let key = if count == 1 { prefix.to_owned() } else { format!("{prefix}{at}") };
            tx.execute("INSERT INTO keys (name) VALUES ($1)", &[key.as_str().into()])?;
        }
    }
    let numbers = "WITH RECURSIVE n(i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < $1)";
    tx.execute(
        &format!(
            "{numbers} INSERT INTO runs (run_id, experiment_id, project, name, user_id, status, start_ms, end_ms, \
             artifact_uri, lifecycle, source) SELECT CAST((i * 7919) % 1000003 AS TEXT) || 'abcdefabcdefabcdefabcdef' || CAST(i AS TEXT), 0, 'default', \
             'run ' || CAST(i % 1000 AS TEXT), 'me', CASE WHEN i % 500 = 0 THEN 'FAILED' ELSE 'FINISHED' END, \
             1700000000000 + i * 1000, 1700000000000 + i * 1000 + (i * 37) % 5000, 'mlflow-artifacts:/0/x/artifacts', 'active', '{{}}' FROM n"
        ),
        &[runs.into()],
    )?;
    for at in 0..METRICS {
        let value =
            if at == METRICS - 1 { "i".to_owned() } else { format!("((i * {}) % 10007) / 10007.0", 7919 + at * 13) };
        tx.execute(
            &format!(
                "{numbers} INSERT INTO latest_metrics (run, key, experiment_id, value, is_nan, step, timestamp_ms, tail) \
                 SELECT r.id, k.id, 0, {value}, 0, 1, 1, 1 FROM n JOIN runs r ON r.id = n.i JOIN keys k ON k.name = $2"
            ),
            &[runs.into(), format!("m{at}").as_str().into()],
        )?;
    }
    for (table, prefix, count) in [("run_params", "p", PARAMS), ("run_tags", "t", TAGS)] {
        for at in 0..count {
            let value = match (prefix, at) {
                ("p", 0) => "CAST((i * 7919) % 10007 AS TEXT)".to_owned(),
                ("t", 0) => {
                    "'/home/me/project-' || CAST(i % 3 AS TEXT) || '/train-' || CAST((i * 7919) % 10007 AS TEXT)"
                        .to_owned()
                }
                _ => {
                    format!("'v' || CAST((i * {}) % 20 AS TEXT)", [31, 37, 41, 43, 47, 53, 59, 61, 67, 71][at as usize])
                }
            };
            tx.execute(
                &format!(
                    "{numbers} INSERT INTO {table} (run, key, experiment_id, head) \
                     SELECT r.id, k.id, 0, {value} FROM n JOIN runs r ON r.id = n.i JOIN keys k ON k.name = $2"
                ),
                &[runs.into(), format!("{prefix}{at}").as_str().into()],
            )?;
        }
    }
    tx.execute(
        "INSERT INTO run_tags (run, key, experiment_id, head) \
         SELECT r.id, k.id, 0, r.name FROM runs r JOIN keys k ON k.name = 'mlflow.runName'",
        &[],
    )?;
    Ok(())
}

struct Asked {
    filter: String,
    order: &'static str,
    limit: usize,
    /// Which page is timed.
    page: usize,
}

fn all_asked(runs: i64) -> Vec<Asked> {
    let asked = |filter: &str, order| Asked { filter: filter.to_owned(), order, limit: 100, page: 1 };
    vec![
        asked("", ""),
        Asked { page: 40, ..asked("", "") },
        Asked { limit: 1_000, ..asked("", "") },
        asked("metrics.m0 > 0.5", ""),
        asked("metrics.m0 > 0.99", ""),
        asked("metrics.m0 > 0.999", ""),
        asked("metrics.m0 > 5", ""),
        asked("metrics.m0 != 0.5", ""),
        asked(&format!("metrics.m9 < {}", runs / 20), ""),
        asked("params.p1 = 'v3'", ""),
        asked("params.p0 = '77'", ""),
        asked("params.p1 != 'v3'", ""),
        asked("params.p1 IS NULL", ""),
        asked("tags.t1 = 'v3'", ""),
        asked("tags.t0 LIKE '%project-1%'", ""),
        asked("tags.t0 LIKE '%train-77'", ""),
        asked("tags.t0 ILIKE '%TRAIN-77'", ""),
        asked("run_name = 'run 77'", ""),
        asked("status = 'FAILED'", ""),
        asked("status != 'FINISHED'", ""),
        asked("status = 'FAILED'", "metrics.m0 DESC"),
        asked("user_id = 'you'", ""),
        asked("start_time > 1700000000000", "start_time ASC"),
        asked("", "metrics.m0 DESC"),
        Asked { page: 40, ..asked("", "metrics.m0 DESC") },
        asked("", "metrics.m0 ASC"),
        asked("", "params.p0 DESC"),
        asked("", "params.p1 DESC"),
        asked("", "end_time DESC"),
        asked("", "run_name ASC"),
        asked("metrics.m0 > 0.5 AND params.p1 = 'v3'", ""),
        asked("metrics.m0 > 0.5 AND metrics.m1 < 0.3 AND tags.t0 LIKE '%project-1%'", "metrics.m2 DESC"),
        asked("params.p1 = 'v3' AND params.p2 = 'v4' AND params.p3 = 'v5'", "metrics.m2 DESC"),
    ]
}

fn time(store: &Store, asked: &Asked) -> (Duration, usize) {
    let mut token = None;
    let mut took = Duration::MAX;
    let mut rows = 0;
    for page in 1..=asked.page {
        let repeat = if page == asked.page { 7 } else { 1 };
        let mut next = None;
        for _ in 0..repeat {
            let search = Search {
                scopes: vec![Bound::Int(0)],
                view: View::Active,
                filter: Filter::parse(Entity::Run, &asked.filter).unwrap(),
                order: Order::parse(Entity::Run, &[asked.order][usize::from(asked.order.is_empty())..]).unwrap(),
                limit: asked.limit,
                token: token.clone(),
                only: None,
                tuning: super::TUNING,
            };
            let begun = Instant::now();
            let page = super::wait(store.query(move |tx| search.page(tx, &RUNS))).unwrap();
            took = took.min(begun.elapsed());
            rows = page.rows.len();
            next = page.next;
        }
        if page < asked.page {
            took = Duration::MAX;
        }
        token = next;
    }
    (took, rows)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures; it asserts nothing"]
async fn timing() {
    for runs in [5_000, 100_000] {
        for database in databases().await {
            measure(&database, runs).await;
        }
    }
}

async fn measure(database: &TestDatabase, runs: i64) {
    let store = &database.store;
    store.transact(move |tx| fill(tx, runs)).await.unwrap();
    let is_sqlite = store.query(|tx| Ok(tx.is_sqlite())).await.unwrap();
    if !is_sqlite {
        store.transact(|tx| tx.execute("ANALYZE", &[])).await.unwrap();
    }
    println!("{runs} runs, {}", if is_sqlite { "SQLite" } else { "Postgres" });
    for asked in all_asked(runs) {
        let (took, rows) = time(store, &asked);
        let Asked { filter, order, limit, page } = asked;
        println!("{:8.2} ms {rows:5} rows | {filter} | {order} | {limit} p{page}", took.as_secs_f64() * 1e3);
    }
    for limit in [100, 1_000] {
        println!("{:8.2} ms whole page of {limit} runs with their data", whole_page(store, limit).as_secs_f64() * 1e3);
    }
}

/// With metrics, params, tags and inputs.
fn whole_page(store: &Store, limit: usize) -> Duration {
    let search = || SearchRuns {
        scope: Scope::All,
        experiments: vec![0],
        view: View::Active,
        filter: Filter::default(),
        order: Order::default_of(Entity::Run),
        limit,
        token: None,
    };
    let once = || {
        let begun = Instant::now();
        let page = super::wait(store.search_runs(search())).unwrap();
        assert_eq!(page.rows.len(), limit);
        begun.elapsed()
    };
    (0..7).map(|_| once()).min().unwrap_or_default()
}

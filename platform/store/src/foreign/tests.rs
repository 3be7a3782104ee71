use std::path::Path;

use rusqlite::Connection;
use tiegel_types::RunStatus;
use tiegel_types::transfer::{Direction, Series};

use super::MlflowDatabase;
use crate::testing::fresh_postgres_url;

/// The tables of MLflow 3.17 that are read, without their constraints: on Postgres with its own types.
const TABLES: &str = "
CREATE TABLE experiments (experiment_id INTEGER, name VARCHAR(256), artifact_location VARCHAR(256),
    lifecycle_stage VARCHAR(32), creation_time BIGINT, last_update_time BIGINT, workspace VARCHAR(63));
CREATE TABLE experiment_tags (key VARCHAR(250), value VARCHAR(5000), experiment_id INTEGER);
CREATE TABLE runs (run_uuid VARCHAR(32), name VARCHAR(250), user_id VARCHAR(256), status VARCHAR(20), start_time BIGINT,
    end_time BIGINT, deleted_time BIGINT, lifecycle_stage VARCHAR(20), artifact_uri VARCHAR(200), experiment_id INTEGER);
CREATE TABLE params (key VARCHAR(250), value VARCHAR(8000), run_uuid VARCHAR(32));
CREATE TABLE tags (key VARCHAR(250), value VARCHAR(8000), run_uuid VARCHAR(32));
CREATE TABLE metrics (key VARCHAR(250), value DOUBLE PRECISION, timestamp BIGINT, run_uuid VARCHAR(32), step BIGINT,
    is_nan BOOLEAN);
CREATE TABLE latest_metrics (key VARCHAR(250), value DOUBLE PRECISION, timestamp BIGINT, step BIGINT, is_nan BOOLEAN,
    run_uuid VARCHAR(32));
CREATE TABLE datasets (dataset_uuid VARCHAR(36), experiment_id INTEGER, name VARCHAR(500), digest VARCHAR(36),
    dataset_source_type VARCHAR(36), dataset_source TEXT, dataset_schema TEXT, dataset_profile TEXT);
CREATE TABLE inputs (input_uuid VARCHAR(36), source_type VARCHAR(36), source_id VARCHAR(36),
    destination_type VARCHAR(36), destination_id VARCHAR(36), step BIGINT);
CREATE TABLE input_tags (input_uuid VARCHAR(36), name VARCHAR(255), value VARCHAR(500));
CREATE TABLE logged_models (model_id VARCHAR(36), experiment_id INTEGER, name VARCHAR(500),
    artifact_location VARCHAR(1000), creation_timestamp_ms BIGINT, last_updated_timestamp_ms BIGINT, status INTEGER,
    lifecycle_stage VARCHAR(32), model_type VARCHAR(500), source_run_id VARCHAR(32), status_message VARCHAR(1000));
CREATE TABLE logged_model_params (model_id VARCHAR(36), experiment_id INTEGER, param_key VARCHAR(255), param_value TEXT);
CREATE TABLE logged_model_tags (model_id VARCHAR(36), experiment_id INTEGER, tag_key VARCHAR(255), tag_value TEXT);
CREATE TABLE logged_model_metrics (model_id VARCHAR(36), metric_name VARCHAR(500), metric_timestamp_ms BIGINT,
    metric_step BIGINT, metric_value DOUBLE PRECISION, experiment_id INTEGER, run_id VARCHAR(32),
    dataset_name VARCHAR(500), dataset_digest VARCHAR(36));
CREATE TABLE registered_models (name VARCHAR(256), creation_time BIGINT, last_updated_time BIGINT,
    description VARCHAR(5000), workspace VARCHAR(63));
CREATE TABLE registered_model_tags (key VARCHAR(250), value VARCHAR(5000), name VARCHAR(256), workspace VARCHAR(63));
CREATE TABLE registered_model_aliases (alias VARCHAR(256), version INTEGER, name VARCHAR(256), workspace VARCHAR(63));
CREATE TABLE model_versions (name VARCHAR(256), version INTEGER, creation_time BIGINT, last_updated_time BIGINT,
    description VARCHAR(5000), user_id VARCHAR(256), current_stage VARCHAR(20), source VARCHAR(500), run_id VARCHAR(32),
    run_link VARCHAR(500), storage_location VARCHAR(500), workspace VARCHAR(63));
CREATE TABLE model_version_tags (key VARCHAR(250), value TEXT, name VARCHAR(256), version INTEGER, workspace VARCHAR(63));
CREATE TABLE trace_info (request_id VARCHAR(50), experiment_id INTEGER, timestamp_ms BIGINT, execution_time_ms BIGINT,
    status VARCHAR(50), client_request_id VARCHAR(50), request_preview VARCHAR(1000), response_preview VARCHAR(1000),
    trace_name VARCHAR(250), session_id VARCHAR(250), input_tokens BIGINT, output_tokens BIGINT, total_cost DOUBLE PRECISION);
CREATE TABLE trace_tags (key VARCHAR(250), value VARCHAR(8000), request_id VARCHAR(50));
CREATE TABLE trace_request_metadata (key VARCHAR(250), value VARCHAR(8000), request_id VARCHAR(50));
CREATE TABLE assessments (assessment_id VARCHAR(50), trace_id VARCHAR(50), name VARCHAR(250), assessment_type VARCHAR(50),
    value TEXT, error TEXT, created_timestamp BIGINT, last_updated_timestamp BIGINT, source_type VARCHAR(50),
    source_id VARCHAR(250), span_id VARCHAR(50), rationale TEXT, overrides VARCHAR(50), assessment_metadata TEXT);
CREATE TABLE spans (trace_id VARCHAR(50), span_id VARCHAR(50), start_time_unix_nano BIGINT, content TEXT);
";

const ROWS: &str = "
INSERT INTO experiments VALUES (0, 'Default', 'mlflow-artifacts:/0', 'active', 5, 6, 'default');
INSERT INTO experiments VALUES (7, 'gone', '/mlruns/7', 'deleted', 7, NULL, 'default');
INSERT INTO experiments VALUES (8, 'theirs', '/mlruns/8', 'active', 7, 7, 'other');
INSERT INTO experiment_tags VALUES ('team', 'red', 0);
INSERT INTO runs VALUES ('a1', NULL, NULL, 'FINISHED', 10, 20, NULL, 'active', 'mlflow-artifacts:/0/a1/artifacts', 0);
INSERT INTO runs VALUES ('b2', 'second', 'ann', 'RUNNING', 11, NULL, 30, 'deleted', '/mlruns/0/b2/artifacts', 0);
INSERT INTO params VALUES ('p', '1', 'a1'), ('o', '', 'a1');
INSERT INTO tags VALUES ('mlflow.runName', 'first', 'a1'), ('empty', NULL, 'a1');
INSERT INTO metrics VALUES ('m', 0.5, 100, 'a1', 0, FALSE), ('m', 0, 101, 'a1', 1, TRUE), ('n', 2.5, 100, 'a1', -3, FALSE);
INSERT INTO metrics VALUES ('m', 9, 100, 'b2', 0, FALSE);
INSERT INTO latest_metrics VALUES ('m', 0, 101, 1, TRUE, 'a1');
INSERT INTO datasets VALUES ('d', 0, 'set', 'ff', 'local', '{}', NULL, '{\"rows\": 3}');
INSERT INTO inputs VALUES ('i1', 'DATASET', 'd', 'RUN', 'a1', 0), ('i2', 'DATASET', 'd', 'RUN', 'a1', 0);
INSERT INTO inputs VALUES ('i3', 'RUN_OUTPUT', 'a1', 'MODEL_OUTPUT', 'm-1', 2), ('i4', 'RUN_OUTPUT', 'a1', 'MODEL_OUTPUT', 'm-1', 5);
INSERT INTO inputs VALUES ('i5', 'RUN_INPUT', 'a1', 'MODEL_INPUT', 'm-0', 0);
INSERT INTO input_tags VALUES ('i1', 'mlflow.data.context', 'train');
INSERT INTO logged_models VALUES ('m-1', 0, 'model', 'mlflow-artifacts:/0/models/m-1/artifacts', 40, 50, 2, 'active', '', 'a1', NULL);
INSERT INTO logged_model_params VALUES ('m-1', 0, 'C', '0.1');
INSERT INTO logged_model_tags VALUES ('m-1', 0, 'flavor', 'sklearn');
INSERT INTO logged_model_metrics VALUES ('m-1', 'acc', 60, 0, 0.25, 0, 'a1', 'set', 'ff');
INSERT INTO registered_models VALUES ('clf', 70, NULL, NULL, 'default'), ('theirs', 70, 70, '', 'other');
INSERT INTO registered_model_tags VALUES ('task', 'binary', 'clf', 'default');
INSERT INTO registered_model_aliases VALUES ('champion', 1, 'clf', 'default');
INSERT INTO model_versions VALUES ('clf', 1, 71, 72, 'first', NULL, 'Production', 'models:/m-1', 'a1', '', 'mlflow-artifacts:/0/models/m-1/artifacts', 'default');
INSERT INTO model_versions VALUES ('clf', 2, 73, 74, NULL, NULL, 'Deleted_Internal', 'REDACTED-SOURCE-PATH', '', '', NULL, 'default');
INSERT INTO model_version_tags VALUES ('k', 'v', 'clf', 1, 'default');
INSERT INTO trace_info VALUES ('tr-1', 0, 80, 4, 'OK', NULL, 'in', 'out', 'outer', 's1', 12, 3, 0.25);
INSERT INTO trace_tags VALUES ('mlflow.traceName', 'old', 'tr-1'), ('k', 'v', 'tr-1');
INSERT INTO trace_request_metadata VALUES ('mlflow.sourceRun', 'a1', 'tr-1');
INSERT INTO assessments VALUES ('as-1', 'tr-1', 'useful', 'feedback', '0.5', NULL, 81, 82, 'HUMAN', 'ann', NULL, 'half', NULL, NULL);
INSERT INTO spans VALUES ('tr-1', '02', 2, '{\"name\": \"inner\"}'), ('tr-1', '01', 1, '{\"name\": \"outer\"}');
";

async fn sqlite(folder: &Path, script: &str) -> MlflowDatabase {
    let path = folder.join("mlflow.db");
    Connection::open(&path).unwrap().execute_batch(script).unwrap();
    MlflowDatabase::open(&format!("sqlite:///{}", path.display()), "default").await.unwrap()
}

async fn postgres(script: &str) -> MlflowDatabase {
    let url = fresh_postgres_url().await;
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(script.to_owned())).execute(&pool).await.unwrap();
    pool.close().await;
    MlflowDatabase::open(&url.replace("postgres://", "postgresql+psycopg2://"), "default").await.unwrap()
}

async fn check(database: MlflowDatabase) {
    check_runs(&database).await;
    check_points(&database).await;
    check_models(&database).await;
    check_traces(&database).await;
}

async fn check_runs(database: &MlflowDatabase) {
    let experiments = database.experiments().await.unwrap();
    let names: Vec<_> = experiments.iter().map(|e| (e.id, e.name.as_str(), e.deleted, e.updated_ms)).collect();
    assert_eq!(names, [(0, "Default", false, 6), (7, "gone", true, 7)]);
    assert_eq!(experiments[0].tags, [("team".to_owned(), "red".to_owned())]);

    let heads = database.runs(0, "", 10).await.unwrap();
    let first = &heads[0].run;
    assert_eq!((first.run_id.as_str(), first.name.as_str(), first.user_id.as_str()), ("a1", "first", ""));
    assert_eq!((first.status, first.end_ms, first.deleted), (RunStatus::Finished, Some(20), false));
    assert_eq!(first.params, [("o".to_owned(), String::new()), ("p".to_owned(), "1".to_owned())]);
    assert_eq!(first.tags[0], ("empty".to_owned(), String::new()));
    assert_eq!(heads.iter().map(|head| head.points).collect::<Vec<_>>(), [3, 1]);
    let [dataset] = &first.datasets[..] else { panic!("{:?}", first.datasets) };
    assert_eq!((dataset.name.as_str(), dataset.schema.as_deref()), ("set", None));
    assert_eq!(dataset.tags, [("mlflow.data.context".to_owned(), "train".to_owned())]);
    let links: Vec<_> = first.models.iter().map(|l| (l.model_id.as_str(), l.direction, l.step)).collect();
    assert_eq!(links, [("m-0", Direction::Input, 0), ("m-1", Direction::Output, 5)]);

    let second = &heads[1].run;
    assert_eq!((second.name.as_str(), second.deleted, second.deleted_ms), ("second", true, Some(30)));
    assert_eq!(database.runs(0, "a1", 10).await.unwrap(), heads[1..]);
    assert_ne!(heads[0].mark, heads[1].mark);
}

fn flat(series: &[Series]) -> Vec<String> {
    let line =
        |s: &Series| s.points.iter().map(|(t, step, v)| format!("{}.{} {t} {step} {v}", s.run_id, s.key)).collect();
    series.iter().flat_map(|s| -> Vec<String> { line(s) }).collect()
}

async fn check_points(database: &MlflowDatabase) {
    let all = database.points_of(vec!["a1".to_owned(), "b2".to_owned()]).await.unwrap();
    assert_eq!(flat(&all), ["a1.m 100 0 0.5", "a1.m 101 1 NaN", "a1.n 100 -3 2.5", "b2.m 100 0 9"]);
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let (series, more) = database.points_after("a1", after, 1).await.unwrap();
        paged.extend(series);
        after = more;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(flat(&paged), flat(&all)[..3]);
}

async fn check_models(database: &MlflowDatabase) {
    let [model] = &database.logged_models(0, "", 10).await.unwrap()[..] else { panic!("one model") };
    assert_eq!((model.model_id.as_str(), model.status.as_str(), model.created_ms), ("m-1", "READY", 40));
    assert_eq!((model.params.len(), model.tags.len(), model.metrics[0].value), (1, 1, Some(0.25)));
    assert_eq!(database.logged_models(0, "m-1", 10).await.unwrap(), []);

    let [model] = &database.registered_models().await.unwrap()[..] else { panic!("one model") };
    assert_eq!((model.name.as_str(), model.description.as_str(), model.updated_ms), ("clf", "", 70));
    assert_eq!((model.versions.len(), model.last_version), (1, 2), "a deleted version keeps its number");
    assert_eq!(model.aliases, [("champion".to_owned(), 1)]);
    let version = &model.versions[0];
    assert_eq!((version.stage.as_str(), version.logged_model_id.as_deref()), ("Production", Some("m-1")));
    assert_eq!(version.tags, [("k".to_owned(), "v".to_owned())]);
}

async fn check_traces(database: &MlflowDatabase) {
    let [trace] = &database.traces(0, "", 10).await.unwrap()[..] else { panic!("one trace") };
    let value = |pairs: &[(String, String)], key: &str| pairs.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone());
    assert_eq!(value(&trace.tags, "mlflow.traceName").as_deref(), Some("outer"), "the column goes before the tag");
    assert_eq!(value(&trace.metadata, "mlflow.trace.session").as_deref(), Some("s1"));
    let tokens = value(&trace.metadata, "mlflow.trace.tokenUsage");
    assert_eq!(tokens.as_deref(), Some(r#"{"input_tokens":12,"output_tokens":3}"#));
    assert_eq!(value(&trace.metadata, "mlflow.trace.cost").as_deref(), Some(r#"{"total_cost":0.25}"#));
    assert_eq!(trace.spans, [r#"{"name": "outer"}"#, r#"{"name": "inner"}"#]);
    assert_eq!((trace.assessments[0].value.as_str(), trace.duration_ms), ("0.5", Some(4)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_read_from_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    check(sqlite(folder.path(), &format!("{TABLES}{ROWS}")).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_read_from_postgres() {
    check(postgres(&format!("{TABLES}{ROWS}")).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_an_old_version_lacks_columns_and_tables() {
    let folder = tempfile::tempdir().unwrap();
    let script = "
        CREATE TABLE experiments (experiment_id INTEGER, name VARCHAR(256), artifact_location VARCHAR(256), lifecycle_stage VARCHAR(32));
        CREATE TABLE runs (run_uuid VARCHAR(32), user_id VARCHAR(256), status VARCHAR(20), start_time BIGINT, end_time BIGINT,
            lifecycle_stage VARCHAR(20), artifact_uri VARCHAR(200), experiment_id INTEGER);
        CREATE TABLE params (key VARCHAR(250), value VARCHAR(250), run_uuid VARCHAR(32));
        CREATE TABLE tags (key VARCHAR(250), value VARCHAR(250), run_uuid VARCHAR(32));
        CREATE TABLE metrics (key VARCHAR(250), value FLOAT, timestamp BIGINT, run_uuid VARCHAR(32), step BIGINT, is_nan BOOLEAN);
        INSERT INTO experiments VALUES (0, 'Default', './mlruns/0', 'active');
        INSERT INTO runs VALUES ('a1', 'ann', 'FAILED', 10, 20, 'active', './mlruns/0/a1/artifacts', 0);
        INSERT INTO metrics VALUES ('m', 0.5, 100, 'a1', 0, 0);";
    let database = sqlite(folder.path(), script).await;
    assert_eq!(database.experiments().await.unwrap()[0].created_ms, 0);
    let heads = database.runs(0, "", 10).await.unwrap();
    assert_eq!((heads[0].run.name.as_str(), heads[0].points, heads[0].run.models.len()), ("", 1, 0));
    assert_eq!(database.points_of(vec!["a1".to_owned()]).await.unwrap()[0].points.len(), 1);
    assert_eq!(database.logged_models(0, "", 10).await.unwrap(), []);
    assert_eq!(database.registered_models().await.unwrap(), []);
    assert_eq!(database.traces(0, "", 10).await.unwrap(), []);
}

#[tokio::test]
async fn what_is_no_tracking_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (a INTEGER)").unwrap();
    for (uri, part) in [
        (format!("sqlite:///{}", path.display()), "has no table 'experiments'"),
        ("sqlite:////nowhere/mlflow.db".to_owned(), "there is no file /nowhere/mlflow.db"),
        ("mysql://root@localhost/mlflow".to_owned(), "cannot be read"),
    ] {
        let error = MlflowDatabase::open(&uri, "default").await.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

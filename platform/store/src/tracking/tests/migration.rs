//! Rows of the first tables move to the new ones.

use sqlx::Executor as _;

use super::*;
use crate::migrate::{known, up};

const OLD_ROWS: &str = "
    INSERT INTO projects (name, serial, created_ms) VALUES ('flights', 3, 1), ('default', 4, 2);
    INSERT INTO experiments (project, name, lifecycle, created_ms, updated_ms)
        VALUES ('flights', 'delays', 'active', 1, 2), ('default', 'Default', 'active', 1, 2);
    INSERT INTO runs (run_id, experiment_id, project, name, status, start_ms, end_ms, source, lifecycle)
        VALUES ('r1', 1, 'flights', 'delay', 'FINISHED', 5, 9, '{\"a\":1}', 'active');
    INSERT INTO run_artifacts (run_id, path, digest, bytes) VALUES ('r1', 'model', '', 3);
    INSERT INTO params (run_id, key, value) VALUES ('r1', 'lr', '0.1');
    INSERT INTO tags (run_id, key, value) VALUES ('r1', 'mlflow.runName', 'delay'), ('r1', 'lr', 'x');
    INSERT INTO metrics (run_id, key, step, timestamp_ms, value, is_nan)
        VALUES ('r1', 'loss', 2, 1, 0.6, 0), ('r1', 'loss', 1, 9, 0.9, 0), ('r1', 'loss', 2, 3, 0.7, 0),
               ('r1', 'loss', 0, 3, 0, 1);
";

async fn check(url: &str) {
    let store = Store::open_with_migrations(url, 1).await.unwrap();
    store.write().await.unwrap().execute(sqlx::raw_sql(OLD_ROWS)).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    up(&mut tx, store.backend(), known(store.backend())).await.unwrap();
    tx.commit().await.unwrap();

    let data = store.run_data(&Scope::All, "r1").await.unwrap();
    assert_eq!((data.run.name.as_str(), data.run.start_ms, data.run.end_ms), ("delay", 5, Some(9)));
    assert_eq!((data.run.experiment_id, data.run.artifact_uri.as_str()), (1, "mlflow-artifacts:/1/r1/artifacts"));
    assert_eq!((data.params.len(), data.tags.len()), (1, 2));
    assert_eq!(store.latest_metrics(&run_id("r1")).await.unwrap(), [("loss".to_owned(), Point::new(3, 2, 0.7))]);
    let values: Vec<f64> = history(&store, "r1", "loss").await.iter().map(Point::finite).collect();
    assert_eq!(values, [0.6, 0.0, 0.7, 0.9]);
    let experiments: Vec<_> = store.experiments(&"default".parse().unwrap()).await.unwrap();
    assert_eq!(
        experiments.iter().map(|e| (e.id, e.name.as_str())).collect::<Vec<_>>(),
        [(0, "Default"), (2, "Default 2")]
    );
    assert_eq!(start(&store, "r2", "more", 1).await.experiment_id, 3);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_rows_move_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    check(&crate::sqlite_url(&folder.path().join("old.db"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_rows_move_on_postgres() {
    check(&crate::testing::fresh_postgres_url().await).await;
}

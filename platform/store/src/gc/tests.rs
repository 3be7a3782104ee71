use std::collections::BTreeSet;

use tiegel_types::Digest;

use super::*;
use crate::testing::store_tests;
use crate::{ArtifactRow, NewRun, Scope, StoreError};

/// Rows of a run in every table that has some; `$1` is its number.
const OF_A_RUN: [&str; 8] = [
    "INSERT INTO run_params (run, key, experiment_id, head) VALUES ($1, 1, 1, 'v')",
    "INSERT INTO run_tags (run, key, experiment_id, head) VALUES ($1, 99, 1, 'v')",
    "INSERT INTO latest_metrics (run, key, experiment_id, value, is_nan, step, timestamp_ms, tail) \
     VALUES ($1, 1, 1, 1, 0, 1, 1, 1)",
    "INSERT INTO metric_points (run, key, timestamp_ms, step, value, is_nan) VALUES ($1, 1, 1, 1, 1, 0)",
    "INSERT INTO model_metrics (model_id, key, timestamp_ms, step, run, experiment_id, value, is_nan) \
     VALUES ('m-kept', 1, 1, 1, $1, 1, 1, 0)",
    "INSERT INTO run_models (run, direction, model_id, step) VALUES ($1, 'output', 'm-kept', 1)",
    "INSERT INTO datasets (experiment_id, name, digest, source_type, source) SELECT 0, 'set', CAST($1 AS TEXT), 's', 's'",
    "INSERT INTO run_datasets (run, dataset, experiment_id, tags) SELECT $1, MAX(id), 0, '[]' FROM datasets",
];

async fn experiment(store: &Store, name: &str) -> i64 {
    let project = "flights".parse().unwrap();
    store.ensure_project(&project, 1).await.unwrap();
    store.ensure_experiment(&project, name, 1).await.unwrap().id
}

async fn run(store: &Store, name: &str, experiment_id: i64) -> i64 {
    let new = NewRun {
        run_id: name.parse().unwrap(),
        experiment_id,
        name: name.to_owned(),
        user_id: String::new(),
        start_ms: 1,
        job_id: None,
        source: serde_json::json!({}),
        tags: vec![],
    };
    store.create_run(&Scope::All, new).await.unwrap();
    let name = name.to_owned();
    let id = "SELECT id FROM runs WHERE run_id = $1";
    store.query(move |tx| tx.row(id, &[(&name).into()], |row| row.int(0))).await.unwrap().unwrap()
}

async fn execute(store: &Store, sql: &'static str) {
    store.transact(move |tx| tx.execute(sql, &[])).await.unwrap();
}

async fn rows(store: &Store, table: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM {table}");
    store.query(move |tx| tx.row(&sql, &[], |row| row.int(0))).await.unwrap().unwrap()
}

async fn deleted_runs(store: &Store, until_ms: i64) -> Vec<i64> {
    store.deleted_until(until_ms).await.unwrap().runs.into_iter().map(|run| run.id).collect()
}

async fn file(store: &Store, path: &str, digest: Digest) {
    store.put_artifact(ArtifactRow { path: path.to_owned(), digest, bytes: 1, modified_ms: 1 }).await.unwrap();
}

async fn unnamed(store: &Store, digests: &[Digest]) -> BTreeSet<Digest> {
    store.referrers(digests.iter().copied().collect(), true).await.unwrap().unnamed
}

store_tests! {
    async fn a_run_goes_once_it_was_deleted_long_enough_ago(store) {
        let experiment = experiment(&store, "e").await;
        let [old, young, active, restored] =
            [run(&store, "old", experiment).await, run(&store, "young", experiment).await,
             run(&store, "active", experiment).await, run(&store, "restored", experiment).await];
        for (name, at_ms) in [("old", 10), ("restored", 10), ("young", 20)] {
            store.delete_run(&Scope::All, name, at_ms).await.unwrap();
        }
        assert_eq!(deleted_runs(&store, 9).await, [0_i64; 0]);
        assert_eq!(deleted_runs(&store, 19).await, [old, restored]);
        // Between the look and the removal.
        store.restore_run(&Scope::All, "restored").await.unwrap();
        for (run, gone) in [(old, true), (old, false), (young, false), (active, false), (restored, false)] {
            assert_eq!(store.remove_deleted_run(run, 19).await.unwrap(), gone, "{run}");
        }
        assert_eq!(store.run(&"old".parse().unwrap()).await.unwrap(), None);
        assert!(matches!(store.restore_run(&Scope::All, "old").await, Err(StoreError::NotFound(_))));
        assert!(store.run(&"restored".parse().unwrap()).await.unwrap().is_some());
        let tree = format!("mlflow-artifacts:/workspaces/flights/{experiment}/old/artifacts");
        assert_eq!(store.leftovers().await.unwrap(), [Leftover::Run(old), Leftover::Tree(tree)]);
    }

    async fn nothing_of_a_run_is_left(store) {
        let experiment = experiment(&store, "e").await;
        let (gone, stays) = (run(&store, "gone", experiment).await, run(&store, "stays", experiment).await);
        let has_bytes = "INSERT INTO metric_segments (run, key, first_ms, first_step, first_value, first_nan, \
                         last_ms, last_step, last_value, last_nan, points, step_min, step_max, summary, data) \
                         VALUES ($1, 2, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, $2, $2)";
        let batch = "INSERT INTO metric_batches (run, data) VALUES ($1, $2)";
        store.transact(move |tx| {
            tx.execute("INSERT INTO keys (name) VALUES ('k')", &[])?;
            for run in [gone, stays] {
                for sql in OF_A_RUN {
                    tx.execute(sql, &[run.into()])?;
                }
                for sql in [has_bytes, batch] {
                    tx.execute(sql, &[run.into(), b"ab".as_slice().into()])?;
                }
            }
            Ok(())
        }).await.unwrap();
        store.delete_run(&Scope::All, "gone", 10).await.unwrap();
        assert!(store.remove_deleted_run(gone, 10).await.unwrap());
        // Interrupted here, the leftover says what is missing.
        assert!(store.leftovers().await.unwrap().contains(&Leftover::Run(gone)));
        assert_eq!((rows(&store, "metric_points").await, rows(&store, "metric_segments").await), (2, 2));
        store.remove_points(gone).await.unwrap();
        store.drop_leftover(&Leftover::Run(gone)).await.unwrap();
        assert!(!store.leftovers().await.unwrap().contains(&Leftover::Run(gone)));
        for table in ["runs", "run_params", "latest_metrics", "metric_points", "metric_segments", "metric_batches",
                      "model_metrics", "run_models", "run_datasets"] {
            assert_eq!(rows(&store, table).await, 1, "{table}");
        }
    }

    async fn an_experiment_takes_its_runs_traces_and_models_along(store) {
        let (gone, partly) = (experiment(&store, "gone").await, experiment(&store, "partly").await);
        let r1 = run(&store, "r1", gone).await;
        run(&store, "r2", partly).await;
        for (id, experiment) in [("m-1", gone), ("m-2", partly)] {
            let new = crate::NewLoggedModel {
                model_id: id.to_owned(), experiment_id: experiment, name: "n".to_owned(), model_type: String::new(),
                source_run_id: String::new(), params: vec![("p".to_owned(), "1".to_owned())], tags: vec![],
            };
            store.create_logged_model(new, 1).await.unwrap();
        }
        let trace = "INSERT INTO traces (trace_id, experiment_id, timestamp_ms, state, is_final, has_spans, writes) \
                     VALUES ('tr-1', $1, 1, 'OK', 1, 0, 1)";
        store.transact(move |tx| tx.execute(trace, &[gone.into()])).await.unwrap();
        execute(&store, "INSERT INTO trace_tags (trace, key, value) SELECT id, 'k', 'v' FROM traces").await;
        for experiment in [gone, partly, 0] {
            store.delete_experiment(&Scope::All, experiment, 10).await.unwrap();
        }
        // A run that was restored alone holds its experiment.
        store.restore_run(&Scope::All, "r2").await.unwrap();
        assert_eq!(store.deleted_until(9).await.unwrap(), Deleted::default());
        let deleted = store.deleted_until(10).await.unwrap();
        assert_eq!(deleted.experiments.iter().map(|e| e.id).collect::<Vec<_>>(), [gone], "the first one always stays");
        assert_eq!(deleted.experiments[0].tree, Some(format!("mlflow-artifacts:/workspaces/flights/{gone}/traces")));
        assert_eq!(deleted.logged_models.iter().map(|m| m.id.as_str()).collect::<Vec<_>>(), ["m-1"]);
        assert_eq!((deleted.runs.len(), deleted.traces), (1, 1));
        assert_eq!(store.remove_deleted_experiment(gone, 10).await.unwrap(), None, "it still has a run");
        assert!(store.remove_deleted_run(r1, 10).await.unwrap());
        assert!(store.remove_deleted_logged_model("m-1", 10).await.unwrap());
        assert!(!store.remove_deleted_logged_model("m-2", 10).await.unwrap());
        assert_eq!(store.remove_deleted_experiment(gone, 10).await.unwrap(), Some(RemovedExperiment { traces: 1 }));
        assert_eq!(store.remove_deleted_experiment(partly, 10).await.unwrap(), None);
        assert!(store.experiment(&Scope::All, gone).await.is_err());
        assert_eq!((rows(&store, "traces").await, rows(&store, "trace_tags").await), (0, 0));
        assert_eq!(rows(&store, "logged_model_params").await, 1);
        let name_is_free = experiment(&store, "gone").await;
        assert!(name_is_free > gone, "a number is not given again");
    }

    async fn a_run_in_an_old_deleted_experiment_may_be_young(store) {
        let experiment = experiment(&store, "e").await;
        run(&store, "r1", experiment).await;
        store.delete_experiment(&Scope::All, experiment, 10).await.unwrap();
        store.restore_run(&Scope::All, "r1").await.unwrap();
        store.delete_run(&Scope::All, "r1", 30).await.unwrap();
        assert_eq!(store.deleted_until(20).await.unwrap(), Deleted::default());
        assert_eq!(store.deleted_until(30).await.unwrap().experiments.len(), 1);
    }

    async fn a_deleted_logged_model_goes_alone(store) {
        let experiment = experiment(&store, "e").await;
        for id in ["m-1", "m-2"] {
            let new = crate::NewLoggedModel {
                model_id: id.to_owned(), experiment_id: experiment, name: "n".to_owned(), model_type: String::new(),
                source_run_id: String::new(), params: vec![], tags: vec![],
            };
            store.create_logged_model(new, 1).await.unwrap();
        }
        store.delete_logged_model("m-1", 10).await.unwrap();
        assert_eq!(store.model_places().await.unwrap(), [format!("mlflow-artifacts:/workspaces/flights/{experiment}/models/m-2/artifacts")]);
        assert!(!store.remove_deleted_logged_model("m-1", 9).await.unwrap());
        assert!(!store.remove_deleted_logged_model("m-2", 99).await.unwrap());
        assert!(store.remove_deleted_logged_model("m-1", 10).await.unwrap());
        assert_eq!(store.logged_model("m-1", true).await.unwrap(), None);
        let tree = format!("mlflow-artifacts:/workspaces/flights/{experiment}/models/m-1/artifacts");
        assert_eq!(store.leftovers().await.unwrap(), [Leftover::Tree(tree)]);
    }

    async fn a_folder_that_is_not_a_runs_own_is_nobodys_to_remove(store) {
        let experiment = experiment(&store, "e").await;
        let run = run(&store, "r1", experiment).await;
        execute(&store, "UPDATE runs SET artifact_uri = 'mlflow-artifacts:/shared'").await;
        store.delete_run(&Scope::All, "r1", 10).await.unwrap();
        assert_eq!(store.deleted_until(10).await.unwrap().runs, [DeletedThing { id: run, tree: None }]);
        assert!(store.remove_deleted_run(run, 10).await.unwrap());
        assert_eq!(store.leftovers().await.unwrap(), [Leftover::Run(run)]);
    }

    async fn files_of_a_folder_are_dropped_but_for_those_that_are_kept(store) {
        let paths = (0..2_500).map(|i| format!("1/r/artifacts/{i:04}"));
        for path in paths.chain(["1/r/artifacts2/x", "1/r/artifacts/model/a", "1/r/artifacts/model2"].map(str::to_owned)) {
            file(&store, &path, Digest::of(b"x")).await;
        }
        let kept = ["1/r/artifacts/model".to_owned()];
        let expected = 2_501;
        assert_eq!(store.count_artifacts("1/r/artifacts", &kept).await.unwrap(), expected);
        assert_eq!(store.drop_artifacts("1/r/artifacts", &kept).await.unwrap(), expected);
        assert_eq!(rows(&store, "artifacts").await, 2);
        assert_eq!(store.drop_artifacts("1/r/artifacts", &kept).await.unwrap(), 0);
    }

    async fn a_blob_is_named_by_any_row_of_any_table(store) {
        let names: [(&str, &str); 11] = [
            ("spec", "INSERT INTO resources (project, kind, name, spec, digest, serial, created_ms, updated_ms) \
                      VALUES ('default', 'dataset', 'd', $1, 'x', 1, 1, 1)"),
            ("table", "INSERT INTO dataset_versions (project, name, version, digest, \"table\", tests, created_ms) \
                       VALUES ('default', 'd', 1, 'x', $1, '[]', 1)"),
            ("plugin", "INSERT INTO plugins (project, name, version, digest, descriptor, bytes, created_ms) \
                        VALUES ('default', 'p', '1', $1, '{}', 1, 1)"),
            ("payload", "INSERT INTO jobs (id, project, target, payload, state, priority, attempt, cancel_requested, \
                         created_ms) VALUES ('j', 'default', 't', $1, 'succeeded', 1, 1, 0, 1)"),
            ("inputs", "INSERT INTO steps (job_id, seq, name, kind, state, attempt, inputs) \
                        VALUES ('j', 1, 's1', 'step', 'succeeded', 1, $1)"),
            ("output", "INSERT INTO steps (job_id, seq, name, kind, state, attempt, output) \
                        VALUES ('j', 2, 's2', 'step', 'succeeded', 1, $1)"),
            ("cached", "INSERT INTO cache (project, cache_key, output, inputs, job_id, created_ms) \
                        VALUES ('default', 'k', $1, '{}', 'j', 1)"),
            ("checkpoint", "INSERT INTO checkpoints (project, cache_key, epoch, digest, bytes, created_ms) \
                            VALUES ('default', 'k', 1, $1, 1, 1)"),
            ("live", "INSERT INTO endpoints_status (name, project, state, live_bundle, updated_ms) \
                      VALUES ('e', 'default', 'live', $1, 1)"),
            ("model", "INSERT INTO registered_models (project, name, description, last_version, created_ms, \
                       updated_ms) VALUES ('default', $1, '', 1, 1, 1)"),
            ("bundle", "INSERT INTO model_versions (model, project, name, version, stage, source, storage_location, \
                        run_id, run_link, bundle, metrics, created_ms, updated_ms) \
                        SELECT id, 'default', 'm', 1, 'None', '', '', '', '', $1, '{}', 1, 1 FROM registered_models"),
        ];
        let digests: Vec<Digest> = names.iter().map(|(name, _)| Digest::of(name.as_bytes())).collect();
        let all: BTreeSet<_> = digests.iter().copied().collect();
        assert_eq!(unnamed(&store, &digests).await, all);
        for ((name, sql), digest) in names.iter().zip(&digests) {
            let text = match *name {
                "plugin" | "checkpoint" | "live" | "bundle" | "model" => digest.to_string(),
                "cached" => format!(r#"{{"bundle":"{digest}","files":[]}}"#),
                _ => format!(r#"{{"a":[{{"digest":"{digest}","rows":1}}]}}"#),
            };
            let sql = *sql;
            store.transact(move |tx| tx.execute(sql, &[(&text).into()])).await.unwrap();
        }
        // A model may be called like a blob.
        assert_eq!(unnamed(&store, &digests).await, BTreeSet::from([Digest::of(b"model")]));
        let bundles = ["cached", "live", "bundle"].map(|name| Digest::of(name.as_bytes()));
        assert_eq!(store.named_bundles().await.unwrap(), BTreeSet::from(bundles));
    }

    async fn a_file_names_its_blob_until_its_last_name_goes(store) {
        let (same, other) = (Digest::of(b"same"), Digest::of(b"other"));
        for path in ["1/a/artifacts/x", "1/b/artifacts/x"] {
            file(&store, path, same).await;
        }
        assert_eq!(store.not_files(vec![same, other]).await.unwrap(), [other]);
        assert_eq!(unnamed(&store, &[same, other]).await, BTreeSet::from([other]));
        store.drop_artifacts("1/a/artifacts", &[]).await.unwrap();
        assert_eq!(unnamed(&store, &[same]).await, BTreeSet::new());
        assert_eq!(store.paths_of(vec![same, other]).await.unwrap()[&same], ["1/b/artifacts/x"]);
        store.drop_artifacts("1/b/artifacts", &[]).await.unwrap();
        assert_eq!(unnamed(&store, &[same]).await, BTreeSet::from([same]));
        let manifest = Digest::of(b"manifest");
        file(&store, "bundles/00/bundle.json", manifest).await;
        assert_eq!(store.named_bundles().await.unwrap(), BTreeSet::from([manifest]));
    }
}

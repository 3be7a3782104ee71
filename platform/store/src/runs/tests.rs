use serde_json::json;
use tiegel_types::{Digest, Name, RunId, RunStatus};

use crate::testing::store_tests;
use crate::{MetricPoint, NewRun, Store, StoreError};

fn project() -> Name {
    "flights".parse().unwrap()
}

async fn start(store: &Store, run: &str, experiment: &str, start_ms: i64) -> RunId {
    store.ensure_project(&project(), 1).await.unwrap();
    let experiment_id = store.ensure_experiment(&project(), experiment, start_ms).await.unwrap().id;
    let new = NewRun {
        run_id: run.parse().unwrap(),
        experiment_id,
        project: project(),
        name: "delay".to_owned(),
        start_ms,
        job_id: None,
        source: json!({ "training": "delay" }),
    };
    store.create_run(new).await.unwrap().run_id
}

fn pair(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

fn point(key: &str, value: f64, step: i64, timestamp_ms: i64) -> MetricPoint {
    MetricPoint { key: key.to_owned(), value, step, timestamp_ms }
}

store_tests! {
    async fn a_run_started_again_goes_on(store) {
        let run = start(&store, "r1", "delays", 5).await;
        store.finish_run(&run, RunStatus::Killed, 6).await.unwrap();
        start(&store, "r1", "delays", 7).await;
        let row = store.run(&run).await.unwrap().unwrap();
        assert_eq!((row.status, row.start_ms, row.end_ms), (RunStatus::Running, 5, None));
        store.finish_run(&run, RunStatus::Finished, 8).await.unwrap();
        let other = start(&store, "r2", "others", 9).await;
        let all: Vec<_> = store.runs(&project(), None, 9).await.unwrap().into_iter().map(|row| row.run_id).collect();
        assert_eq!(all, [other, run.clone()]);
        assert_eq!(store.runs(&project(), Some(row.experiment_id), 9).await.unwrap().len(), 1);
        let names: Vec<_> = store.experiments(&project()).await.unwrap().into_iter().map(|row| row.name).collect();
        assert_eq!(names, ["delays", "others"]);
        let missing = store.finish_run(&"r3".parse().unwrap(), RunStatus::Finished, 8).await.unwrap_err();
        assert_eq!(missing.to_string(), "run r3 does not exist");
    }

    async fn a_param_keeps_its_first_value(store) {
        let run = start(&store, "r1", "delays", 5).await;
        store.log_params(&run, &[pair("lr", "0.1"), pair("epochs", "3")]).await.unwrap();
        store.log_params(&run, &[pair("lr", "0.1")]).await.unwrap();
        let changed = store.log_params(&run, &[pair("seed", "1"), pair("lr", "0.2")]).await.unwrap_err();
        assert!(matches!(&changed, StoreError::Conflict(why) if why.contains("'0.1' already")), "{changed}");
        let twice = store.log_params(&run, &[pair("seed", "1"), pair("seed", "2")]).await;
        assert!(matches!(twice, Err(StoreError::Conflict(_))), "{twice:?}");
        assert_eq!(store.params(&run).await.unwrap(), [pair("epochs", "3"), pair("lr", "0.1")]);
    }

    async fn a_tag_keeps_its_last_value(store) {
        let run = start(&store, "r1", "delays", 5).await;
        store.set_tags(&run, &[pair("a", "1"), pair("a", "2"), pair("b", "")]).await.unwrap();
        store.set_tags(&run, &[pair("b", "3")]).await.unwrap();
        assert_eq!(store.tags(&run).await.unwrap(), [pair("a", "2"), pair("b", "3")]);
        let refused = store.set_tags(&run, &[pair("c", "nul \0")]).await;
        assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
    }

    async fn points_logged_again_are_not_doubled(store) {
        let run = start(&store, "r1", "delays", 5).await;
        let points: Vec<_> = (0..1_203).map(|step| point("loss", 1.0 / (step + 1) as f64, step, step)).collect();
        store.log_metrics(&run, &points).await.unwrap();
        store.log_metrics(&run, &points).await.unwrap();
        assert_eq!(store.metrics(&run).await.unwrap(), points);
    }

    async fn nan_and_infinity_are_values(store) {
        let run = start(&store, "r1", "delays", 5).await;
        let points = [point("a", f64::NAN, 1, 1), point("a", 0.0, 1, 1), point("b", f64::INFINITY, 0, 0)];
        store.log_metrics(&run, &points).await.unwrap();
        store.log_metrics(&run, &points).await.unwrap();
        let stored = store.metrics(&run).await.unwrap();
        assert_eq!(stored.len(), 3);
        assert_eq!(stored.iter().filter(|point| point.value.is_nan()).count(), 1);
        assert_eq!(stored[2].value, f64::INFINITY);
    }

    async fn the_latest_point_is_the_last_by_step_then_time_then_value(store) {
        let run = start(&store, "r1", "delays", 5).await;
        let points = [
            point("auc", 0.6, 2, 1),
            point("auc", 0.9, 1, 9),
            point("auc", 0.7, 2, 3),
            point("auc", 0.71, 2, 3),
            point("loss", 1.0, 0, 0),
        ];
        store.log_metrics(&run, &points).await.unwrap();
        assert_eq!(store.latest_metrics(&run).await.unwrap(), [point("auc", 0.71, 2, 3), point("loss", 1.0, 0, 0)]);
    }

    async fn logging_to_a_run_that_does_not_exist_says_so(store) {
        let run: RunId = "r9".parse().unwrap();
        for refused in [
            store.log_params(&run, &[pair("a", "1")]).await,
            store.set_tags(&run, &[pair("a", "1")]).await,
            store.log_metrics(&run, &[point("a", 1.0, 0, 0)]).await,
            store.put_run_artifact(&run, "model", &Digest::of(b""), 0).await,
        ] {
            assert_eq!(refused.unwrap_err().to_string(), "run r9 does not exist");
        }
    }

    async fn an_artifact_is_replaced_at_its_path(store) {
        let run = start(&store, "r1", "delays", 5).await;
        store.put_run_artifact(&run, "report.json", &Digest::of(b"a"), 1).await.unwrap();
        store.put_run_artifact(&run, "report.json", &Digest::of(b"bb"), 2).await.unwrap();
        store.put_run_artifact(&run, "model/weights", &Digest::of(b"c"), 3).await.unwrap();
        let rows: Vec<_> = store.run_artifacts(&run).await.unwrap().into_iter().map(|row| (row.path, row.bytes)).collect();
        assert_eq!(rows, [("model/weights".to_owned(), 3), ("report.json".to_owned(), 2)]);
    }
}

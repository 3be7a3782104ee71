use tiegel_types::RunStatus;

use super::*;
use crate::testing::store_tests;

async fn finish(store: &Store, run: &str, status: RunStatus, end_ms: i64) -> Result<RunRow, StoreError> {
    let update = RunUpdate { status: Some(status), end_ms: Some(end_ms), name: None };
    store.update_run(&Scope::All, run, update).await
}

store_tests! {
    async fn a_run_started_again_goes_on(store) {
        start(&store, "r1", "delays", 5).await;
        finish(&store, "r1", RunStatus::Killed, 6).await.unwrap();
        let row = start(&store, "r1", "delays", 7).await;
        assert_eq!((row.status, row.start_ms, row.end_ms), (RunStatus::Running, 5, None));
        assert_eq!(row.artifact_uri, format!("mlflow-artifacts:/workspaces/flights/{}/r1/artifacts", row.experiment_id));
        finish(&store, "r1", RunStatus::Finished, 8).await.unwrap();
        start(&store, "r2", "others", 9).await;
        let all: Vec<_> = store.runs(&project(), None, 9).await.unwrap().into_iter().map(|row| row.run_id).collect();
        assert_eq!(all, [run_id("r2"), run_id("r1")]);
        assert_eq!(store.runs(&project(), Some(row.experiment_id), 9).await.unwrap().len(), 1);
        let elsewhere = store.create_run(&Scope::All, new_run("r1", 0, 1)).await.unwrap_err();
        assert!(elsewhere.to_string().contains("another experiment"), "{elsewhere}");
        let missing = finish(&store, "r3", RunStatus::Finished, 8).await.unwrap_err();
        assert_eq!(missing.to_string(), "Run with id=r3 not found");
    }

    async fn the_name_and_its_tag_are_one(store) {
        start(&store, "r1", "delays", 5).await;
        assert_eq!(tags(&store, "r1").await, [pair("mlflow.runName", "delay")]);
        let name = vec![pair("mlflow.runName", "by tag"), pair("mlflow.runName", "by tag 2")];
        store.set_tags(&Scope::All, "r1", name).await.unwrap();
        assert_eq!(store.run(&run_id("r1")).await.unwrap().unwrap().name, "by tag 2");
        store.set_tags(&Scope::All, "r1", vec![pair("mlflow.runName", "")]).await.unwrap();
        let update = RunUpdate { name: Some("by name".to_owned()), ..RunUpdate::default() };
        let row = store.update_run(&Scope::All, "r1", update).await.unwrap();
        assert_eq!((row.name.as_str(), row.status), ("by name", RunStatus::Running));
        assert_eq!(tags(&store, "r1").await, [pair("mlflow.runName", "by name")]);
    }

    async fn a_deleted_run_is_read_and_not_written(store) {
        start(&store, "r1", "delays", 5).await;
        for _ in 0..2 {
            store.delete_run(&Scope::All, "r1", 9).await.unwrap();
        }
        assert_eq!(store.run_data(&Scope::All, "r1").await.unwrap().run.lifecycle, "deleted");
        let batch = Batch { metrics: vec![metric("m", 0, 0, 1.0)], ..Batch::default() };
        for refused in [
            finish(&store, "r1", RunStatus::Finished, 9).await.map(|_| ()),
            store.set_tags(&Scope::All, "r1", vec![pair("a", "1")]).await,
            store.delete_tag(&Scope::All, "r1", "mlflow.runName").await,
            store.log_params(&Scope::All, "r1", vec![pair("a", "1")], refuse).await,
            store.log_metric(&Scope::All, "r1", metric("m", 0, 0, 1.0)).await,
            store.log_batch(&Scope::All, "r1", batch, refuse).await,
            store.log_inputs(&Scope::All, "r1", vec![], vec![]).await,
        ] {
            let message = "The run r1 must be in the 'active' state. Current state is deleted.";
            assert!(matches!(&refused, Err(StoreError::Conflict(why)) if why == message), "{refused:?}");
        }
        for _ in 0..2 {
            store.restore_run(&Scope::All, "r1").await.unwrap();
        }
        store.set_tags(&Scope::All, "r1", vec![pair("a", "1")]).await.unwrap();
    }

    async fn another_projects_run_does_not_exist(store) {
        start(&store, "r1", "delays", 5).await;
        let (own, other) = (Scope::Project(project()), Scope::Project("default".parse().unwrap()));
        store.run_data(&own, "r1").await.unwrap();
        for refused in [
            store.run_data(&other, "r1").await.map(|_| ()),
            store.delete_run(&other, "r1", 9).await,
            store.log_metric(&other, "r1", metric("m", 0, 0, 1.0)).await,
        ] {
            assert_eq!(refused.unwrap_err().to_string(), "Run with id=r1 not found");
        }
        let query = HistoryQuery { run: "r1".to_owned(), key: "m".to_owned(), after: None, points_max: 9 };
        store.log_metric(&own, "r1", metric("m", 0, 0, 1.0)).await.unwrap();
        assert_eq!(store.history(&other, query.clone()).await.unwrap().points, []);
        assert_eq!(store.history(&own, query).await.unwrap().points.len(), 1);
    }
}

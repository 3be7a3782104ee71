use super::*;
use crate::testing::store_tests;
use crate::{LoggedModelStatus, NewLoggedModel, StoreError};

fn new(model_id: &str) -> NewLoggedModel {
    NewLoggedModel {
        model_id: model_id.to_owned(),
        experiment_id: 0,
        name: "forest".to_owned(),
        model_type: "classifier".to_owned(),
        source_run_id: "r1".to_owned(),
        params: tags(&[("depth", "3")]),
        tags: tags(&[("b", "1"), ("a", "2")]),
    }
}

/// Points as runs log them with a model's id.
async fn log(store: &Store, points: &'static [(&'static str, i64, f64, bool)]) {
    let log = move |tx: &mut crate::db::Tx<'_>| {
        let run = "INSERT INTO runs (run_id, experiment_id, project, name, user_id, status, start_ms, artifact_uri, \
                   lifecycle, source) VALUES ('r1', 0, 'default', '', '', 'running', 1, '', 'active', '{}') RETURNING id";
        let run = tx.row(run, &[], |row| row.int(0))?.unwrap();
        for (key, step, value, is_nan) in points {
            let sql = "INSERT INTO keys (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET name = excluded.name \
                       RETURNING id";
            let key = tx.row(sql, &[(*key).into()], |row| row.int(0))?.unwrap();
            let sql = "INSERT INTO model_metrics (model_id, key, timestamp_ms, step, run, experiment_id, value, is_nan, \
                       dataset_name) VALUES ('m-1', $1, 5, $2, $3, 0, $4, $5, 'train')";
            tx.execute(sql, &[key.into(), (*step).into(), run.into(), (*value).into(), (*is_nan).into()])?;
        }
        Ok(())
    };
    store.transact(log).await.unwrap();
}

store_tests! {
    async fn a_logged_model_is_pending_until_it_is_finalized(store) {
        let made = store.create_logged_model(new("m-1"), 5).await.unwrap();
        assert_eq!(made.artifact_location, "mlflow-artifacts:/0/models/m-1/artifacts");
        assert_eq!((made.status, made.created_ms, made.updated_ms), (LoggedModelStatus::Pending, 5, 5));
        assert_eq!((&made.params, &made.tags), (&tags(&[("depth", "3")]), &tags(&[("a", "2"), ("b", "1")])));
        assert_eq!(store.logged_model("m-1", false).await.unwrap(), Some(made));
        let done = store.finalize_logged_model("m-1", LoggedModelStatus::Ready, 6).await.unwrap();
        assert_eq!((done.status, done.updated_ms), (LoggedModelStatus::Ready, 6));
        for refused in [
            store.finalize_logged_model("m-2", LoggedModelStatus::Ready, 6).await.map(|_| ()),
            store.set_logged_model_tags("m-2", tags(&[])).await,
            store.log_logged_model_params("m-2", tags(&[])).await,
            store.delete_logged_model("m-2", 7).await,
            store.delete_logged_model_tag("m-2", "a").await.map(|_| ()),
        ] {
            assert_eq!(refused.unwrap_err().to_string(), "Logged model with ID 'm-2' not found.");
        }
        let nowhere = NewLoggedModel { experiment_id: 77, ..new("m-3") };
        let refused = store.create_logged_model(nowhere, 5).await.unwrap_err();
        assert!(matches!(&refused, StoreError::NotFound(why) if why.contains("id=77")), "{refused}");
    }

    async fn params_keep_their_first_value_and_tags_their_last(store) {
        store.create_logged_model(new("m-1"), 5).await.unwrap();
        store.log_logged_model_params("m-1", tags(&[("depth", "3"), ("lr", "1"), ("lr", "1")])).await.unwrap();
        let changed = store.log_logged_model_params("m-1", tags(&[("x", "1"), ("lr", "2")])).await.unwrap_err();
        assert!(matches!(&changed, StoreError::Conflict(why) if why.contains("'lr'")), "{changed}");
        store.set_logged_model_tags("m-1", tags(&[("a", "3"), ("c", "4"), ("c", "5")])).await.unwrap();
        assert!(store.delete_logged_model_tag("m-1", "b").await.unwrap());
        assert!(!store.delete_logged_model_tag("m-1", "b").await.unwrap());
        let row = store.logged_model("m-1", false).await.unwrap().unwrap();
        assert_eq!((row.params, row.tags), (tags(&[("depth", "3"), ("lr", "1")]), tags(&[("a", "3"), ("c", "5")])));
    }

    async fn a_deleted_logged_model_is_there_for_those_who_ask_for_it(store) {
        store.create_logged_model(new("m-1"), 5).await.unwrap();
        store.delete_logged_model("m-1", 6).await.unwrap();
        assert_eq!(store.logged_model("m-1", false).await.unwrap(), None);
        assert_eq!(store.logged_model("m-1", true).await.unwrap().unwrap().updated_ms, 6);
    }

    async fn its_metrics_are_the_points_of_runs_that_name_it(store) {
        store.create_logged_model(new("m-1"), 5).await.unwrap();
        store.create_logged_model(new("m-2"), 5).await.unwrap();
        log(&store, &[("loss", 2, 0.5, false), ("loss", 1, 0.7, false), ("auc", 1, 0.0, true)]).await;
        let metrics = store.logged_model("m-1", false).await.unwrap().unwrap().metrics;
        let lines: Vec<_> = metrics.iter().map(|metric| (metric.key.as_str(), metric.step, metric.value)).collect();
        assert_eq!(lines[1..], [("loss", 1, 0.7), ("loss", 2, 0.5)]);
        assert!(metrics[0].key == "auc" && metrics[0].value.is_nan());
        assert_eq!((metrics[0].run_id.as_str(), metrics[0].dataset_name.as_deref()), ("r1", Some("train")));
        assert_eq!(metrics[0].dataset_digest, None);
        assert_eq!(store.logged_model("m-2", false).await.unwrap().unwrap().metrics, []);
    }

    async fn a_registered_logged_model_says_so(store) {
        store.create_logged_model(new("m-1"), 5).await.unwrap();
        model(&store, "m", &[]).await;
        for _ in 0..2 {
            let new = NewVersion { logged_model_id: Some("m-1".to_owned()), ..version("m", &[]) };
            let row = store.create_version(new, by("ana", 2)).await.unwrap();
            assert_eq!(row.logged_model_id.as_deref(), Some("m-1"));
        }
        let tags = store.logged_model("m-1", false).await.unwrap().unwrap().tags;
        let (key, value) = tags.last().unwrap();
        assert_eq!(key, "mlflow.modelVersions");
        let value: serde_json::Value = serde_json::from_str(value).unwrap();
        assert_eq!(value, json!([{ "name": "m", "version": 1 }, { "name": "m", "version": 2 }]));
        let missing = NewVersion { logged_model_id: Some("m-9".to_owned()), ..version("m", &[]) };
        assert!(store.create_version(missing, by("ana", 2)).await.is_err());
        assert_eq!(store.model_versions(&name("default"), "m").await.unwrap().len(), 2);
    }
}

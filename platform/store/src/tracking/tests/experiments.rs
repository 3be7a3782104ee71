use super::*;
use crate::testing::store_tests;

fn new_experiment(name: &str) -> NewExperiment {
    NewExperiment {
        project: "default".parse().unwrap(),
        name: name.to_owned(),
        artifact_location: ArtifactLocation::Below("s3://bucket/root?x=1".to_owned()),
        tags: vec![pair("team", "a"), pair("team", "b")],
        created_ms: 5,
    }
}

store_tests! {
    async fn the_default_experiment_is_there_from_the_start(store) {
        let (row, tags) = store.experiment(&Scope::All, 0).await.unwrap();
        assert_eq!((row.name.as_str(), row.project.as_str(), row.lifecycle.as_str()), ("Default", "default", "active"));
        assert_eq!((row.artifact_location.as_str(), tags), ("mlflow-artifacts:/0", vec![]));
        for root in ["file:///mnt/x", "s3://other"] {
            store.settle_artifact_locations(root).await.unwrap();
            assert_eq!(store.experiment(&Scope::All, 0).await.unwrap().0.artifact_location, "file:///mnt/x/0");
        }
        assert!(store.create_experiment(new_experiment("first")).await.unwrap() > 0);
    }

    async fn a_name_is_taken_even_by_a_deleted_experiment(store) {
        let id = store.create_experiment(new_experiment("a")).await.unwrap();
        let (row, tags) = store.experiment(&Scope::All, id).await.unwrap();
        assert_eq!(row.artifact_location, format!("s3://bucket/srv/{id}?x=1"));
        assert_eq!((tags, row.created_ms, row.updated_ms), (vec![pair("team", "b")], 5, 5));
        store.delete_experiment(&Scope::All, id, 6).await.unwrap();
        let taken = store.create_experiment(new_experiment("a")).await.unwrap_err();
        assert!(matches!(taken, StoreError::Exists(_)), "{taken:?}");
        let found = store.experiment_named(&"default".parse().unwrap(), "a").await.unwrap().unwrap().0;
        assert_eq!((found.id, found.lifecycle.as_str(), found.updated_ms), (id, "deleted", 6));
        assert!(store.experiment_named(&project(), "a").await.unwrap().is_none());
        let nowhere = NewExperiment { project: "nowhere".parse().unwrap(), ..new_experiment("a") };
        let refused = store.create_experiment(nowhere).await.unwrap_err();
        assert!(matches!(refused, StoreError::NotFound(_)), "{refused:?}");
    }

    async fn renaming_needs_an_active_experiment_and_a_free_name(store) {
        let id = store.create_experiment(new_experiment("a")).await.unwrap();
        store.create_experiment(new_experiment("b")).await.unwrap();
        store.rename_experiment(&Scope::All, id, "a", 7).await.unwrap();
        let taken = store.rename_experiment(&Scope::All, id, "b", 7).await.unwrap_err();
        assert!(matches!(taken, StoreError::Exists(_)), "{taken:?}");
        let unseen = store.rename_experiment(&Scope::Project(project()), id, "c", 7).await.unwrap_err();
        assert_eq!(unseen.to_string(), format!("No Experiment with id={id} exists"));
        store.delete_experiment(&Scope::All, id, 8).await.unwrap();
        let deleted = store.rename_experiment(&Scope::All, id, "c", 9).await.unwrap_err();
        assert_eq!(deleted.to_string(), "Cannot rename a non-active experiment.");
    }

    async fn deletion_and_restoring_take_the_runs_along(store) {
        let experiment = start(&store, "r1", "delays", 5).await.experiment_id;
        start(&store, "r2", "delays", 6).await;
        start(&store, "other", "others", 6).await;
        store.delete_run(&Scope::All, "r2", 7).await.unwrap();
        let restored = store.restore_experiment(&Scope::All, experiment, 8).await.unwrap_err();
        assert!(matches!(restored, StoreError::NotFound(_)), "{restored:?}");
        store.delete_experiment(&Scope::All, experiment, 8).await.unwrap();
        let again = store.delete_experiment(&Scope::All, experiment, 8).await.unwrap_err();
        assert!(matches!(again, StoreError::NotFound(_)), "{again:?}");
        let mut lifecycles = Vec::new();
        for run in ["r1", "r2", "other"] {
            lifecycles.push(store.run(&run_id(run)).await.unwrap().unwrap().lifecycle);
        }
        assert_eq!(lifecycles, ["deleted", "deleted", "active"]);
        let refused = store.create_run(&Scope::All, new_run("r3", experiment, 9)).await.unwrap_err();
        assert!(refused.to_string().contains("must be in the 'active' state. Current state is deleted."), "{refused}");
        store.restore_experiment(&Scope::All, experiment, 10).await.unwrap();
        assert_eq!(store.run(&run_id("r2")).await.unwrap().unwrap().lifecycle, "active");
    }

    async fn tags_of_experiments_are_set_limited_and_deleted(store) {
        let id = store.create_experiment(new_experiment("a")).await.unwrap();
        let limit = TagLimit { prefix: "view.", tags_max: 2, refusal: |id| format!("too many views of {id}") };
        for (key, ok) in [("view.1", true), ("view.2", true), ("view.3", false), ("view.1", true), ("other", true)] {
            let limit = key.starts_with(limit.prefix).then_some(limit);
            let done = store.set_experiment_tag(&Scope::All, id, pair(key, "x"), limit).await;
            assert_eq!(done.is_ok(), ok, "{key}: {done:?}");
        }
        store.delete_experiment_tag(&Scope::All, id, "view.2").await.unwrap();
        let missing = store.delete_experiment_tag(&Scope::All, id, "view.2").await.unwrap_err();
        assert_eq!(missing.to_string(), format!("No tag with name: view.2 in experiment with id {id}"));
        let tags = store.experiment(&Scope::All, id).await.unwrap().1;
        assert_eq!(tags, [pair("other", "x"), pair("team", "b"), pair("view.1", "x")]);
    }
}

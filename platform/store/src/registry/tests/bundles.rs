use serde_json::json;
use tiegel_types::{Digest, Metrics};
use tokio::task::JoinSet;

use super::*;
use crate::NewModelVersion;
use crate::testing::store_tests;

fn job(actor: &str, at_ms: i64) -> Change {
    within("flights", by(actor, at_ms))
}

fn within(project: &str, change: Change) -> Change {
    Change { project: name(project), ..change }
}

fn bundle(bundle: &str, alias: Option<&str>) -> NewModelVersion {
    NewModelVersion {
        model: "delay".to_owned(),
        bundle: Digest::of(bundle.as_bytes()),
        location: "mlflow-artifacts:/bundles/x".to_owned(),
        run_id: Some("r1".parse().unwrap()),
        metrics: Metrics::from([("auc".to_owned(), 0.7)]),
        signature: None,
        alias: alias.map(str::to_owned),
    }
}

store_tests! {
    async fn a_bundle_has_one_version_and_each_alias_move_one_audit_row(store) {
        store.ensure_project(&name("flights"), 1).await.unwrap();
        let first = store.register_version(bundle("a", Some("champion")), job("job 1", 2)).await.unwrap();
        let again = store.register_version(bundle("a", Some("champion")), job("job 1", 3)).await.unwrap();
        assert_eq!(first, again);
        assert_eq!((first.version, first.created_ms, first.metrics["auc"]), (1, 2, 0.7));
        assert_eq!(first.aliases, ["champion"]);
        let second = store.register_version(bundle("b", Some("champion")), job("job 1", 4)).await.unwrap();
        assert!(store.set_alias("delay", "champion", 1, job("ana", 5)).await.unwrap());
        assert!(!store.set_alias("delay", "champion", 1, job("ana", 6)).await.unwrap());

        assert_eq!(store.alias(&name("flights"), "delay", "champion").await.unwrap(), Some(1));
        assert_eq!(store.alias(&name("flights"), "delay", "shadow").await.unwrap(), None);
        assert_eq!(store.aliases(&name("flights"), "delay").await.unwrap()[0].updated_ms, 5);
        let versions = store.model_versions(&name("flights"), "delay").await.unwrap();
        assert_eq!(versions.iter().map(|row| row.version).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(versions[1], first);
        assert_eq!(store.model_version(&name("flights"), "delay", 2).await.unwrap().unwrap().bundle, second.bundle);
        assert_eq!(store.model_version(&name("flights"), "delay", 3).await.unwrap(), None);
        let expected = [
            format!("version.register model/delay {}", json!({ "version": 1, "bundle": Digest::of(b"a"), "run": "r1" })),
            format!("alias.set model/delay@champion {}", json!({ "from": null, "to": 1 })),
            format!("version.register model/delay {}", json!({ "version": 2, "bundle": Digest::of(b"b"), "run": "r1" })),
            format!("alias.set model/delay@champion {}", json!({ "from": 1, "to": 2 })),
            format!("alias.set model/delay@champion {}", json!({ "from": 2, "to": 1 })),
        ];
        assert_eq!(moves(&store).await, expected);
        assert_eq!(store.audit(1, None).await.unwrap()[0].actor, "ana");
    }

    async fn versions_registered_at_once_get_distinct_numbers(store) {
        store.ensure_project(&name("flights"), 1).await.unwrap();
        let registering: JoinSet<_> = (0..12)
            .map(|n| {
                let store = store.clone();
                async move {
                    let new = bundle(&format!("bundle {}", n % 6), Some("champion"));
                    store.register_version(new, job("job 1", 2)).await.unwrap().version
                }
            })
            .collect();
        let mut versions = registering.join_all().await;
        versions.sort();
        assert_eq!(versions, [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]);
        let registered = moves(&store).await.iter().filter(|row| row.starts_with("version.register")).count();
        assert_eq!(registered, 6);
    }

    async fn two_projects_have_a_model_of_one_name_each(store) {
        store.ensure_project(&name("flights"), 1).await.unwrap();
        store.ensure_project(&name("other"), 1).await.unwrap();
        store.register_version(bundle("a", Some("champion")), job("job 1", 2)).await.unwrap();
        let other = within("other", job("job 2", 3));
        store.register_version(bundle("b", None), other.clone()).await.unwrap();
        store.register_version(bundle("c", Some("champion")), other.clone()).await.unwrap();
        assert_eq!(store.projects_of_model("delay").await.unwrap(), [name("flights"), name("other")]);
        for (project, versions, champion) in [("flights", 1, 1), ("other", 2, 2)] {
            let project = name(project);
            assert_eq!(store.models(&project).await.unwrap().len(), 1);
            assert_eq!(store.model(&project, "delay").await.unwrap().unwrap().project, project);
            assert_eq!(store.model_versions(&project, "delay").await.unwrap().len(), versions);
            assert_eq!(store.alias(&project, "delay", "champion").await.unwrap(), Some(champion));
        }
        store.delete_model("delay", other).await.unwrap();
        assert_eq!(store.projects_of_model("delay").await.unwrap(), [name("flights")]);
        let refused = store.register_version(bundle("b", None), within("nowhere", job("job 1", 3))).await.unwrap_err();
        assert_eq!(refused.to_string(), "project 'nowhere' does not exist");
    }

    async fn an_alias_of_something_that_does_not_exist_is_refused(store) {
        store.ensure_project(&name("flights"), 1).await.unwrap();
        let missing = store.set_alias("delay", "champion", 1, job("ana", 2)).await.unwrap_err();
        assert_eq!(missing.to_string(), "model 'delay' does not exist");
        store.register_version(bundle("a", None), job("job 1", 2)).await.unwrap();
        let missing = store.set_alias("delay", "champion", 7, job("ana", 2)).await.unwrap_err();
        assert_eq!(missing.to_string(), "version 7 of model 'delay' does not exist");
        assert_eq!(store.alias(&name("flights"), "delay", "champion").await.unwrap(), None);
        assert_eq!(moves(&store).await.len(), 1);
    }
}

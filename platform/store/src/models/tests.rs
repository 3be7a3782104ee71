use serde_json::json;
use tiegel_types::{Digest, Metrics, Name};
use tokio::task::JoinSet;

use crate::testing::store_tests;
use crate::{NewModelVersion, Store, StoreError};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn version(bundle: &str, alias: Option<&str>) -> NewModelVersion {
    NewModelVersion {
        project: name("flights"),
        model: name("delay"),
        bundle: Digest::of(bundle.as_bytes()),
        run_id: Some("r1".parse().unwrap()),
        metrics: Metrics::from([("auc".to_owned(), 0.7)]),
        alias: alias.map(name),
        actor: "job 1".to_owned(),
    }
}

async fn moves(store: &Store) -> Vec<String> {
    let audit = store.audit(99, None).await.unwrap();
    audit.iter().rev().map(|row| format!("{} {} {}", row.action, row.subject, row.detail)).collect()
}

store_tests! {
    async fn a_bundle_has_one_version_and_each_alias_move_one_audit_row(store) {
        store.ensure_project(&name("flights"), 1).await.unwrap();
        let first = store.register_version(version("a", Some("champion")), 2).await.unwrap();
        let again = store.register_version(version("a", Some("champion")), 3).await.unwrap();
        assert_eq!(first, again);
        assert_eq!((first.version, first.created_ms, first.metrics["auc"]), (1, 2, 0.7));
        let second = store.register_version(version("b", Some("champion")), 4).await.unwrap();
        store.set_alias(&name("delay"), &name("champion"), 1, "ana", 5).await.unwrap();
        store.set_alias(&name("delay"), &name("champion"), 1, "ana", 6).await.unwrap();

        assert_eq!(store.alias(&name("delay"), &name("champion")).await.unwrap(), Some(1));
        assert_eq!(store.alias(&name("delay"), &name("shadow")).await.unwrap(), None);
        assert_eq!(store.aliases(&name("delay")).await.unwrap()[0].updated_ms, 5);
        assert_eq!(store.model_versions(&name("delay")).await.unwrap(), [second.clone(), first]);
        assert_eq!(store.model_version(&name("delay"), 2).await.unwrap(), Some(second.clone()));
        assert_eq!(store.model_version(&name("delay"), 3).await.unwrap(), None);
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
                    let new = version(&format!("bundle {}", n % 6), Some("champion"));
                    store.register_version(new, 2).await.unwrap().version
                }
            })
            .collect();
        let mut versions = registering.join_all().await;
        versions.sort();
        assert_eq!(versions, [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]);
        let registered = moves(&store).await.iter().filter(|row| row.starts_with("version.register")).count();
        assert_eq!(registered, 6);
    }

    async fn a_model_name_belongs_to_one_project(store) {
        store.ensure_project(&name("flights"), 1).await.unwrap();
        store.ensure_project(&name("other"), 1).await.unwrap();
        store.register_version(version("a", None), 2).await.unwrap();
        let foreign = NewModelVersion { project: name("other"), ..version("b", None) };
        let refused = store.register_version(foreign, 3).await.unwrap_err();
        assert!(matches!(&refused, StoreError::Conflict(why) if why.contains("project 'flights'")), "{refused}");
        assert_eq!(store.models(&name("flights")).await.unwrap().len(), 1);
        assert_eq!(store.models(&name("other")).await.unwrap().len(), 0);
        assert_eq!(store.model(&name("delay")).await.unwrap().unwrap().project, name("flights"));
    }

    async fn an_alias_points_at_a_version_that_exists(store) {
        store.ensure_project(&name("flights"), 1).await.unwrap();
        let missing = store.set_alias(&name("delay"), &name("champion"), 1, "ana", 2).await.unwrap_err();
        assert_eq!(missing.to_string(), "model 'delay' does not exist");
        store.register_version(version("a", None), 2).await.unwrap();
        let missing = store.set_alias(&name("delay"), &name("champion"), 7, "ana", 2).await.unwrap_err();
        assert_eq!(missing.to_string(), "version 7 of model 'delay' does not exist");
        assert_eq!(store.alias(&name("delay"), &name("champion")).await.unwrap(), None);
        assert_eq!(moves(&store).await.len(), 1);
    }
}

use tiegel_types::{Digest, Kind, Name};

use crate::testing::store_tests;
use crate::{ResourceChange, StoreError};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn upsert(kind: Kind, resource: &str, spec: &str) -> ResourceChange {
    let content = (serde_json::json!({ "sql": spec }), Digest::of(spec.as_bytes()));
    ResourceChange { kind, name: name(resource), spec: Some(content) }
}

fn delete(kind: Kind, resource: &str) -> ResourceChange {
    ResourceChange { kind, name: name(resource), spec: None }
}

store_tests! {
    async fn an_apply_writes_resources_serial_and_audit_together(store) {
        let project = name("flights");
        store.ensure_project(&project, 1).await.unwrap();
        store.ensure_project(&project, 9).await.unwrap();
        let flights = store.projects().await.unwrap().into_iter().find(|row| row.name == project).unwrap();
        assert_eq!(flights.created_ms, 1);

        let changes = [upsert(Kind::Pipeline, "features", "a"), upsert(Kind::Dataset, "weather", "b")];
        assert_eq!(store.apply_resources(&project, &changes, Some(0), "ana", 2).await.unwrap(), 1);
        let changes = [upsert(Kind::Pipeline, "features", "c"), delete(Kind::Dataset, "weather")];
        assert_eq!(store.apply_resources(&project, &changes, None, "ben", 3).await.unwrap(), 2);

        assert_eq!(store.project_serial(&project).await.unwrap(), 2);
        let rows = store.resources(&project).await.unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].serial, rows[0].created_ms, rows[0].updated_ms), (2, 2, 3));
        assert_eq!(store.resource(&project, Kind::Pipeline, &name("features")).await.unwrap().as_ref(), Some(&rows[0]));
        assert_eq!(store.resource(&project, Kind::Dataset, &name("weather")).await.unwrap(), None);
        let audit = store.audit(10, None).await.unwrap();
        let moves: Vec<_> = audit.iter().rev().map(|row| format!("{} {} {}", row.actor, row.action, row.subject)).collect();
        assert_eq!(
            moves,
            [
                "ana resource.create pipeline/features",
                "ana resource.create dataset/weather",
                "ben resource.update pipeline/features",
                "ben resource.delete dataset/weather",
            ]
        );
    }

    async fn an_apply_on_a_stale_plan_changes_nothing(store) {
        let project = name("flights");
        store.ensure_project(&project, 1).await.unwrap();
        store.apply_resources(&project, &[upsert(Kind::Dataset, "a", "a")], None, "ana", 2).await.unwrap();
        let stale = store.apply_resources(&project, &[upsert(Kind::Dataset, "b", "b")], Some(0), "ben", 3).await.unwrap_err();
        assert!(stale.to_string().contains("at serial 1, not 0"), "{stale}");
        let half = [upsert(Kind::Dataset, "b", "b"), delete(Kind::Dataset, "c")];
        let half = store.apply_resources(&project, &half, None, "ben", 3).await;
        assert!(matches!(half, Err(StoreError::NotFound(_))), "{half:?}");
        assert_eq!(store.resources(&project).await.unwrap().len(), 1);
        assert_eq!(store.audit(10, None).await.unwrap().len(), 1);
        assert_eq!(store.project_serial(&project).await.unwrap(), 1);
    }

    async fn an_endpoint_name_is_unique_in_the_server(store) {
        for project in ["a", "b"] {
            store.ensure_project(&name(project), 1).await.unwrap();
            let both = [upsert(Kind::Dataset, "delay", "x")];
            store.apply_resources(&name(project), &both, None, "ana", 2).await.unwrap();
        }
        let endpoint = [upsert(Kind::Endpoint, "delay", "x")];
        store.apply_resources(&name("a"), &endpoint, None, "ana", 3).await.unwrap();
        let taken = store.apply_resources(&name("b"), &endpoint, None, "ana", 4).await.unwrap_err();
        assert!(matches!(&taken, StoreError::Conflict(why) if why.contains("another project")), "{taken}");
    }

    async fn a_project_that_does_not_exist_is_named(store) {
        let missing = store.apply_resources(&name("nope"), &[], None, "ana", 1).await.unwrap_err();
        assert_eq!(missing.to_string(), "project 'nope' does not exist");
        assert_eq!(store.project_serial(&name("nope")).await.unwrap(), 0);
    }
}

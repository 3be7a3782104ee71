use serde_json::json;
use tiegel_types::{Digest, JobId, Name, StepState};
use uuid::Uuid;

use crate::testing::store_tests;
use crate::{NewCacheRow, NewJob, NewStep, StepUpdate, Store, StoreError};

fn project() -> Name {
    "flights".parse().unwrap()
}

async fn job(store: &Store, n: u128, steps: &[&str]) -> JobId {
    store.ensure_project(&project(), 1).await.unwrap();
    let id = JobId::from_uuid(Uuid::from_u128(n));
    let new = NewJob {
        id,
        project: project(),
        target: "pipeline/features".to_owned(),
        payload: json!({}),
        priority: 0,
        trace_parent: None,
        created_ms: 1,
    };
    store.enqueue(new).await.unwrap();
    let steps: Vec<_> = steps.iter().map(|name| NewStep { name: (*name).to_owned(), kind: "sql".to_owned() }).collect();
    store.put_steps(id, &steps).await.unwrap();
    store.put_steps(id, &steps).await.unwrap();
    id
}

fn done(inputs: &str, finished_ms: i64) -> StepUpdate {
    StepUpdate {
        inputs: Some(json!(inputs)),
        finished_ms: Some(finished_ms),
        rows: Some(336_776),
        ..StepUpdate::new(StepState::Succeeded)
    }
}

store_tests! {
    async fn an_update_keeps_what_it_does_not_name(store) {
        let id = job(&store, 1, &["joined", "scaled"]).await;
        let running = StepUpdate {
            cache_key: Some(Digest::of(b"key")),
            reason: Some(json!({ "changed": ["sql"] })),
            started_ms: Some(5),
            trace_id: Some("abc".to_owned()),
            ..StepUpdate::new(StepState::Running)
        };
        store.update_step(id, "joined", running.clone()).await.unwrap();
        let failed =
            StepUpdate { error: Some("no column 'x'".to_owned()), finished_ms: Some(6), ..StepUpdate::new(StepState::Failed) };
        store.update_step(id, "joined", failed).await.unwrap();
        store.update_step(id, "joined", StepUpdate { started_ms: Some(7), ..running }).await.unwrap();
        let steps = store.steps(id).await.unwrap();
        assert_eq!(steps.iter().map(|step| step.name.as_str()).collect::<Vec<_>>(), ["joined", "scaled"]);
        assert_eq!((steps[0].attempt, steps[0].started_ms, steps[0].finished_ms), (2, Some(7), None));
        assert_eq!((&steps[0].error, &steps[0].cache_key), (&None, &Some(Digest::of(b"key"))));
        store.update_step(id, "joined", done("a", 8)).await.unwrap();
        let step = &store.steps(id).await.unwrap()[0];
        assert_eq!((step.rows, &step.reason), (Some(336_776), &Some(json!({ "changed": ["sql"] }))));
        let missing = store.update_step(id, "nope", done("a", 9)).await.unwrap_err();
        assert_eq!(missing.to_string(), format!("step 'nope' of job {id} does not exist"));
    }

    async fn a_step_and_its_cached_output_are_committed_together(store) {
        let id = job(&store, 1, &["joined"]).await;
        let key = Digest::of(b"key");
        let row = |output: &str, project: Name| NewCacheRow {
            project,
            cache_key: key,
            output: json!({ "table": output }),
            inputs: json!(["a"]),
            job_id: id,
            created_ms: 3,
        };
        let nowhere = store.commit_step(id, "joined", done("a", 8), Some(row("x", "nope".parse().unwrap()))).await;
        assert!(matches!(nowhere, Err(StoreError::NotFound(_))), "{nowhere:?}");
        assert_eq!(store.steps(id).await.unwrap()[0].state, StepState::Waiting);
        assert_eq!(store.cached(&project(), &key).await.unwrap(), None);

        store.commit_step(id, "joined", done("a", 8), Some(row("x", project()))).await.unwrap();
        store.commit_step(id, "joined", done("a", 9), Some(row("y", project()))).await.unwrap();
        let cached = store.cached(&project(), &key).await.unwrap().unwrap();
        assert_eq!((cached.output, cached.job_id), (json!({ "table": "x" }), id));
        assert_eq!(store.steps(id).await.unwrap()[0].state, StepState::Succeeded);
        assert_eq!(store.cached(&"other".parse().unwrap(), &key).await.unwrap(), None);
    }

    async fn the_last_step_is_the_one_that_ended_last_with_an_output(store) {
        let (first, second, third) =
            (job(&store, 1, &["joined"]).await, job(&store, 2, &["joined"]).await, job(&store, 3, &["joined"]).await);
        assert_eq!(store.last_step_of(&project(), "joined").await.unwrap(), None);
        store.update_step(second, "joined", done("second", 10)).await.unwrap();
        store.update_step(first, "joined", done("first", 20)).await.unwrap();
        let failed = StepUpdate { finished_ms: Some(30), ..StepUpdate::new(StepState::Failed) };
        store.update_step(third, "joined", failed).await.unwrap();
        let last = store.last_step_of(&project(), "joined").await.unwrap().unwrap();
        assert_eq!((last.job_id, last.inputs), (first, Some(json!("first"))));
        assert_eq!(store.last_step_of(&project(), "scaled").await.unwrap(), None);
        assert_eq!(store.last_step_of(&"other".parse().unwrap(), "joined").await.unwrap(), None);
    }
}

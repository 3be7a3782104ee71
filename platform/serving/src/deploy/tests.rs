mod world;

use std::sync::atomic::Ordering;

use serde_json::json;
use tiegel_store::{Change, NewVersion};
use tiegel_types::EndpointState;

use super::*;
use world::{World, name};

async fn predicted(endpoints: &Endpoints) -> (u32, f64) {
    let prediction = endpoints.predict_json("delay", json!({"rows": [{"distance": 9.0}]})).await.unwrap();
    (prediction.version, prediction.predictions[0])
}

fn by_alias() -> serde_json::Value {
    json!({"model": "delay", "alias": "champion"})
}

#[tokio::test]
async fn an_endpoint_waits_for_its_alias_then_proves_and_serves_the_version() {
    let world = World::new().await;
    let (reconciler, endpoints) = world.server();
    world.declare("delay", by_alias()).await;
    let pending = reconciler.deploy(&world.project, &name("delay")).await.unwrap();
    assert_eq!((pending.state, pending.live_version), (EndpointState::Pending, None));
    let message = pending.message.unwrap();
    assert!(message.contains("no alias 'champion' yet") && message.contains("register: {model: delay"), "{message}");
    assert!(endpoints.live("delay").is_err());

    let version = world.register(json!({})).await;
    reconciler.reconcile().await.unwrap();
    let ready = world.ctx.store.endpoint_status(&name("delay")).await.unwrap().unwrap();
    assert_eq!((ready.state, ready.live_version, ready.message), (EndpointState::Ready, Some(version), None));
    let record = ReplayRecord::read(ready.replay.as_ref());
    let report = record.proven.unwrap().report;
    assert!(report.passed);
    assert_eq!((report.rows, report.single_rows), (40, 40));
    assert_eq!(predicted(&endpoints).await, (1, 4.5));
    assert!(world.ctx.metrics.render().contains("tiegel_replays_total{outcome=\"passed\"} 1"));

    let again = reconciler.deploy(&world.project, &name("delay")).await.unwrap();
    assert_eq!(again.updated_ms, ready.updated_ms, "nothing changed, so nothing was written");
}

#[tokio::test]
async fn a_version_that_differs_is_refused_once_and_the_old_one_keeps_serving() {
    let world = World::new().await;
    let (reconciler, endpoints) = world.server();
    world.declare("delay", by_alias()).await;
    world.register(json!({})).await;
    reconciler.reconcile_all().await.unwrap();

    world.register(json!({"extra": 0.25})).await;
    let status = reconciler.deploy(&world.project, &name("delay")).await.unwrap();
    assert_eq!((status.state, status.live_version), (EndpointState::Ready, Some(1)));
    let message = status.message.clone().unwrap();
    assert!(message.starts_with("version 2 of model 'delay' is refused: step 'halved' gives "), "{message}");
    assert!(message.contains("for column 'half' of stored row ") && message.contains("(sent as single)"), "{message}");
    assert!(message.ends_with("Version 1 keeps serving."), "{message}");
    assert_eq!(predicted(&endpoints).await, (1, 4.5));
    let refused = ReplayRecord::read(status.replay.as_ref()).refused.unwrap();
    assert_eq!((refused.version, refused.report.unwrap().difference.unwrap().step.as_str()), (2, "halved"));

    let loads = world.loads.load(Ordering::SeqCst);
    reconciler.reconcile_all().await.unwrap();
    assert_eq!(reconciler.deploy(&world.project, &name("delay")).await.unwrap(), status);
    assert_eq!(world.loads.load(Ordering::SeqCst), loads, "a refused version is not tried again");

    let version = world.register(json!({"note": "repaired"})).await;
    let repaired = reconciler.deploy(&world.project, &name("delay")).await.unwrap();
    assert_eq!((repaired.state, repaired.live_version, repaired.message), (EndpointState::Ready, Some(version), None));
    assert_eq!(ReplayRecord::read(repaired.replay.as_ref()).refused, None);
    assert_eq!(predicted(&endpoints).await, (3, 4.5));
}

#[tokio::test]
async fn a_first_version_that_cannot_be_loaded_is_refused_and_another_document_tries_again() {
    let world = World::new().await;
    let (reconciler, endpoints) = world.server();
    world.declare("delay", by_alias()).await;
    world.register(json!({"broken": true})).await;
    let status = reconciler.deploy(&world.project, &name("delay")).await.unwrap();
    assert_eq!((status.state, status.live_version), (EndpointState::Refused, None));
    let message = status.message.unwrap();
    assert_eq!(
        message,
        "version 1 of model 'delay' is refused: step 'halved': plugin halve@1.0.0: it does not start. Nothing serves."
    );
    let absent = endpoints.live("delay").err().unwrap();
    assert!(absent.to_string().contains("it does not start"), "{absent}");

    let loads = world.loads.load(Ordering::SeqCst);
    world.declare("delay", json!({"model": "delay", "version": 1})).await;
    reconciler.deploy(&world.project, &name("delay")).await.unwrap();
    assert_eq!(world.loads.load(Ordering::SeqCst), loads + 1);
}

#[tokio::test]
async fn after_a_restart_the_proven_version_serves_again_without_a_replay() {
    let world = World::new().await;
    let (reconciler, _) = world.server();
    world.declare("delay", by_alias()).await;
    world.register(json!({})).await;
    reconciler.reconcile_all().await.unwrap();
    world.register(json!({"extra": 0.25})).await;
    reconciler.reconcile_all().await.unwrap();
    let before = world.ctx.store.endpoint_status(&name("delay")).await.unwrap();

    let (reconciler, endpoints) = world.server();
    reconciler.restore().await.unwrap();
    assert_eq!(predicted(&endpoints).await, (1, 4.5));
    reconciler.reconcile_all().await.unwrap();
    assert_eq!(world.ctx.store.endpoint_status(&name("delay")).await.unwrap(), before);
    let replays = world.ctx.metrics.render();
    assert!(replays.contains("tiegel_replays_total{outcome=\"passed\"} 1"), "{replays}");
}

#[tokio::test]
async fn an_endpoint_that_is_declared_no_more_is_taken_down() {
    let world = World::new().await;
    let (reconciler, endpoints) = world.server();
    world.declare("delay", by_alias()).await;
    world.register(json!({})).await;
    reconciler.reconcile_all().await.unwrap();
    world.undeclare("delay").await;
    reconciler.reconcile_all().await.unwrap();
    assert_eq!(endpoints.list().len(), 0);
    assert_eq!(world.ctx.store.endpoint_statuses().await.unwrap(), []);
    let gone = reconciler.deploy(&world.project, &name("delay")).await.unwrap_err();
    assert_eq!(gone.to_string(), "project 'flights' has no endpoint 'delay'");
}

#[tokio::test]
async fn a_version_without_a_bundle_is_named_and_the_old_one_keeps_serving() {
    let world = World::new().await;
    let (reconciler, endpoints) = world.server();
    world.declare("delay", by_alias()).await;
    world.register(json!({})).await;
    reconciler.reconcile_all().await.unwrap();
    let by = |at_ms| Change { actor: "mlflow client".to_owned(), at_ms, project: name("flights") };
    let logged = NewVersion {
        model: "delay".to_owned(),
        source: "s3://bucket/model".to_owned(),
        storage_location: "s3://bucket/model".to_owned(),
        run_id: String::new(),
        run_link: String::new(),
        logged_model_id: None,
        description: None,
        user: None,
        signature: None,
        tags: vec![],
    };
    let version = world.ctx.store.create_version(logged, by(8)).await.unwrap().version;
    world.ctx.store.set_alias("delay", "champion", version, by(9)).await.unwrap();
    let status = reconciler.deploy(&world.project, &name("delay")).await.unwrap();
    let message = status.message.unwrap();
    assert!(message.starts_with("version 2 of model 'delay' was registered by a client"), "{message}");
    assert!(message.ends_with("Version 1 keeps serving."), "{message}");
    assert_eq!((status.state, predicted(&endpoints).await.0), (EndpointState::Ready, 1));
}

#[tokio::test]
async fn an_alias_that_goes_back_serves_the_old_version_again() {
    let world = World::new().await;
    let (reconciler, endpoints) = world.server();
    world.declare("delay", by_alias()).await;
    world.register(json!({})).await;
    reconciler.reconcile_all().await.unwrap();
    world.register(json!({"note": "second"})).await;
    reconciler.reconcile_all().await.unwrap();
    assert_eq!(predicted(&endpoints).await.0, 2);
    let change = Change { actor: "test".to_owned(), at_ms: 9, project: name("flights") };
    world.ctx.store.set_alias("delay", "champion", 1, change).await.unwrap();
    reconciler.reconcile_all().await.unwrap();
    assert_eq!(predicted(&endpoints).await.0, 1);
}

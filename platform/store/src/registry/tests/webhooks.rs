use super::*;
use crate::registry::{Attempt, DeliveryState, NewWebhook, Outcome, SealedSecret, WebhookChange};
use crate::testing::store_tests;
use crate::{Delivery, PROMPT_TAG, PROMPT_TEXT_TAG};

fn webhook(id: &str, events: &[&str]) -> NewWebhook {
    NewWebhook {
        webhook_id: id.to_owned(),
        project: name("default"),
        name: "hook".to_owned(),
        description: String::new(),
        url: "https://example.com/hook".to_owned(),
        events: events.iter().map(|&event| event.to_owned()).collect(),
        secret: Some(SealedSecret::new("s3cret")),
        active: true,
    }
}

async fn due(store: &Store, now_ms: i64) -> Vec<Delivery> {
    store.claim_deliveries(now_ms, now_ms + 1_000, 99).await.unwrap()
}

async fn told(store: &Store) -> Vec<(String, serde_json::Value)> {
    let due = due(store, 1_000).await;
    due.into_iter().map(|delivery| (delivery.event, serde_json::from_str(&delivery.payload).unwrap())).collect()
}

store_tests! {
    async fn a_webhook_is_told_of_what_it_asked_for_and_of_nothing_else(store) {
        let all = ["registered_model.created", "model_version.created", "model_version_tag.set",
                   "model_version_tag.deleted", "model_version_alias.created", "model_version_alias.deleted"];
        store.create_webhook(webhook("w1", &all), 1).await.unwrap();
        store.create_webhook(webhook("w2", &["prompt.created"]), 1).await.unwrap();
        store.create_webhook(NewWebhook { project: name("other"), ..webhook("w3", &all) }, 1).await.unwrap();
        store.create_webhook(NewWebhook { active: false, ..webhook("w4", &all) }, 1).await.unwrap();
        model(&store, "m", &[("a", "1")]).await;
        store.create_version(version("m", &[("t", "1")]), by("ana", 2)).await.unwrap();
        store.set_model_tag("m", ("b".to_owned(), "2".to_owned()), by("ana", 3)).await.unwrap();
        store.set_version_tag(("m", 1), ("b".to_owned(), "2".to_owned()), by("ana", 3)).await.unwrap();
        store.delete_version_tag(("m", 1), "b".to_owned(), by("ana", 3)).await.unwrap();
        store.set_alias("m", "best", 1, by("ana", 4)).await.unwrap();
        store.delete_alias("m", "best", by("ana", 5)).await.unwrap();
        let expected = [
            ("registered_model.created", json!({ "name": "m", "tags": { "a": "1" }, "description": "" })),
            ("model_version.created", json!({ "name": "m", "version": "1", "source": "s3://bucket/model", "run_id": "r1",
                                              "tags": { "t": "1" }, "description": null })),
            ("model_version_tag.set", json!({ "name": "m", "version": "1", "key": "b", "value": "2" })),
            ("model_version_tag.deleted", json!({ "name": "m", "version": "1", "key": "b" })),
            ("model_version_alias.created", json!({ "name": "m", "alias": "best", "version": "1" })),
            ("model_version_alias.deleted", json!({ "name": "m", "alias": "best" })),
        ];
        assert_eq!(told(&store).await, expected.map(|(event, payload)| (event.to_owned(), payload)));
    }

    async fn prompts_have_events_of_their_own(store) {
        let all = ["prompt.created", "prompt_version.created", "prompt_tag.set", "prompt_tag.deleted",
                   "prompt_version_tag.set", "prompt_alias.created", "registered_model.created"];
        store.create_webhook(webhook("w1", &all), 1).await.unwrap();
        let prompt = [(PROMPT_TAG, "true"), ("_mlflow_prompt_type", "text"), ("a", "1")];
        model(&store, "greet", &prompt).await;
        let with_text = [(PROMPT_TAG, "true"), (PROMPT_TEXT_TAG, "Hi {{name}}"), ("a", "1")];
        store.create_version(version("greet", &with_text), by("ana", 2)).await.unwrap();
        store.set_model_tag("greet", ("b".to_owned(), "2".to_owned()), by("ana", 3)).await.unwrap();
        store.delete_model_tag("greet", "b".to_owned(), by("ana", 3)).await.unwrap();
        store.set_version_tag(("greet", 1), ("b".to_owned(), "2".to_owned()), by("ana", 3)).await.unwrap();
        store.set_alias("greet", "best", 1, by("ana", 4)).await.unwrap();
        let told = told(&store).await;
        let events: Vec<_> = told.iter().map(|(event, _)| event.as_str()).collect();
        assert_eq!(events, all[..6]);
        assert_eq!(told[0].1, json!({ "name": "greet", "tags": { "a": "1" }, "description": "" }));
        let version = json!({ "name": "greet", "version": "1", "template": "Hi {{name}}", "tags": { "a": "1" },
                              "description": null });
        assert_eq!(told[1].1, version);
    }

    async fn a_delivery_is_claimed_by_one_and_tried_again_when_its_claim_runs_out(store) {
        store.create_webhook(webhook("w1", &["registered_model.created"]), 1).await.unwrap();
        model(&store, "a", &[]).await;
        model(&store, "b", &[]).await;
        let (one, two) = tokio::join!(due(&store, 10), due(&store, 10));
        assert_eq!(one.len() + two.len(), 2);
        assert_eq!(due(&store, 11).await, []);
        let again = due(&store, 1_010).await;
        assert_eq!(again.iter().map(|delivery| delivery.attempt).collect::<Vec<_>>(), [2, 2]);
        let late = Attempt { outcome: Outcome::Failed, http_status: None, error: Some("too late".to_owned()) };
        let first = one.into_iter().chain(two).next().unwrap();
        store.settle_delivery(&first, late, 1_011).await.unwrap();
        let done = Attempt { outcome: Outcome::Delivered, http_status: Some(204), error: None };
        store.settle_delivery(&again[0], done, 1_012).await.unwrap();
        let later = Outcome::Again { due_ms: 5_000 };
        let refused = Attempt { outcome: later, http_status: Some(503), error: Some("busy".to_owned()) };
        store.settle_delivery(&again[1], refused, 1_013).await.unwrap();
        let log = store.deliveries("w1", 9, None).await.unwrap();
        let lines: Vec<_> = log.iter().map(|row| (row.state, row.attempts, row.http_status)).collect();
        assert_eq!(lines, [(DeliveryState::Queued, 2, Some(503)), (DeliveryState::Delivered, 2, Some(204))]);
        assert_eq!((due(&store, 4_999).await.len(), due(&store, 5_000).await.len()), (0, 1));
        assert_eq!(store.prune_deliveries(1_012).await.unwrap(), 0);
        assert_eq!(store.prune_deliveries(1_013).await.unwrap(), 1);
    }

    async fn a_webhook_changes_where_it_is_told_and_its_secret_stays_hidden(store) {
        let made = store.create_webhook(webhook("w1", &["prompt.created", "model_version.created"]), 1).await.unwrap();
        assert_eq!(made.events, ["model_version.created", "prompt.created"]);
        assert!(!format!("{made:?} {:?}", webhook("w1", &[])).contains("s3cret"));
        let change = WebhookChange { name: Some("new".to_owned()), ..WebhookChange::default() };
        let row = store.update_webhook("w1", change, 2).await.unwrap();
        assert_eq!((row.name.as_str(), row.url, row.updated_ms), ("new", made.url, 2));
        assert_eq!(store.webhook_secret("w1").await.unwrap(), Some(SealedSecret::new("s3cret")));
        let change = WebhookChange {
            events: Some(vec!["prompt.created".to_owned()]),
            secret: Some(SealedSecret::new("")),
            active: Some(false),
            ..WebhookChange::default()
        };
        let row = store.update_webhook("w1", change, 3).await.unwrap();
        assert_eq!((row.events, row.active), (vec!["prompt.created".to_owned()], false));
        assert_eq!(store.webhook_secret("w1").await.unwrap(), None);
        assert!(store.update_webhook("w2", WebhookChange::default(), 3).await.is_err());
    }

    async fn a_secret_that_was_stored_as_it_is_is_sealed_once(store) {
        store.create_webhook(webhook("w1", &[]), 1).await.unwrap();
        store.create_webhook(webhook("w2", &[]), 1).await.unwrap();
        let sql = "UPDATE webhooks SET secret = 'old', sealed_secret = NULL WHERE webhook_id = 'w1'";
        store.transact(move |tx| tx.execute(sql, &[])).await.unwrap();
        assert_eq!(store.plain_secrets().await.unwrap(), [("w1".to_owned(), "old".to_owned())]);
        store.seal_secret("w1", SealedSecret::new("sealed")).await.unwrap();
        store.seal_secret("w2", SealedSecret::new("nothing to seal")).await.unwrap();
        assert_eq!(store.plain_secrets().await.unwrap(), []);
        assert_eq!(store.webhook_secret("w1").await.unwrap(), Some(SealedSecret::new("sealed")));
        assert_eq!(store.webhook_secret("w2").await.unwrap(), Some(SealedSecret::new("s3cret")));
    }

    async fn a_disabled_webhook_is_not_told_what_was_waiting_and_a_deleted_one_leaves_nothing(store) {
        store.create_webhook(webhook("w1", &["registered_model.created"]), 1).await.unwrap();
        model(&store, "a", &[]).await;
        let off = WebhookChange { active: Some(false), ..WebhookChange::default() };
        store.update_webhook("w1", off, 2).await.unwrap();
        assert_eq!(due(&store, 1_000).await, []);
        let log = store.deliveries("w1", 9, None).await.unwrap();
        assert_eq!((log[0].state, log[0].error.as_deref()), (DeliveryState::Failed, Some("the webhook was disabled")));
        store.delete_webhook("w1").await.unwrap();
        assert_eq!(store.webhook("w1").await.unwrap(), None);
        assert_eq!(store.deliveries("w1", 9, None).await.unwrap(), []);
        assert_eq!(store.delete_webhook("w1").await.unwrap_err().to_string(), "webhook 'w1' does not exist");
    }

    async fn webhooks_are_listed_in_pages_newest_first(store) {
        for at in 0..5 {
            store.create_webhook(webhook(&format!("w{at}"), &["prompt.created"]), at / 2).await.unwrap();
        }
        let mut seen = Vec::new();
        let mut next = None;
        loop {
            let page = store.webhooks(&name("default"), 2, next).await.unwrap();
            seen.extend(page.webhooks.into_iter().map(|row| row.webhook_id));
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        assert_eq!(seen, ["w4", "w3", "w2", "w1", "w0"]);
        assert_eq!(store.webhooks(&name("other"), 2, None).await.unwrap().webhooks, []);
    }
}

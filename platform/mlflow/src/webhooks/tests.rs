use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tiegel_jobs::Reconciler as _;
use tiegel_registry::{SecretKey, WebhookDeliverer, WebhookPolicy, WebhookSender};
use tiegel_store::DeliveryState;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::testing::{Reply, Server};

const BASE: &str = "/api/2.0/mlflow/webhooks";

/// A receiver on this machine, which refuses what comes first.
struct Receiver {
    url: String,
    got: Arc<Mutex<Vec<(HeaderMap, String)>>>,
    _serving: AbortOnDropHandle<()>,
}

impl Receiver {
    async fn refusing(refusals: usize) -> Self {
        let got = Arc::new(Mutex::new(Vec::new()));
        let seen = got.clone();
        let receive = move |headers: HeaderMap, body: String| async move {
            let mut seen = seen.lock();
            seen.push((headers, body));
            if seen.len() <= refusals { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::NO_CONTENT }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?token=t", listener.local_addr().unwrap());
        let router = axum::Router::new().route("/hook", post(receive));
        let serving = async move { axum::serve(listener, router).await.unwrap() };
        #[expect(clippy::disallowed_methods, reason = "it ends with this value")]
        let serving = tokio::task::spawn(serving);
        Self { url, got, _serving: AbortOnDropHandle::new(serving) }
    }
}

async fn with(server: &Server, method: &str, path: &str, body: Value) -> Reply {
    let headers = [("content-type", "application/json")];
    server.send(method, &format!("{BASE}{path}"), &headers, body.to_string()).await
}

fn hook(url: &str) -> Value {
    let event = json!({ "entity": "REGISTERED_MODEL", "action": "CREATED" });
    json!({ "name": "hook", "url": url, "events": [event], "secret": "s3cret" })
}

async fn made(server: &Server, body: Value) -> Value {
    let reply = with(server, "POST", "", body).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["webhook"].take()
}

#[tokio::test]
async fn a_hook_is_made_read_listed_changed_and_deleted() {
    let server = Server::new().await;
    let made = made(&server, hook("https://1.1.1.1/hook")).await;
    assert_eq!((&made["status"], &made["events"]), (&json!("ACTIVE"), &hook("")["events"]));
    assert!(made.get("secret").is_none() && made.get("description").is_none());
    let path = format!("/{}", made["webhook_id"].as_str().unwrap());
    assert_eq!(server.get(&format!("{BASE}{path}")).await.json()["webhook"], made);
    assert_eq!(server.get(&format!("{BASE}?max_results=1")).await.json(), json!({ "webhooks": [made] }));
    let change = json!({ "status": "DISABLED", "description": "d", "events": [{ "entity": 6, "action": 1 }] });
    let changed = with(&server, "PATCH", &path, change).await.json()["webhook"].take();
    assert_eq!((&changed["status"], &changed["description"]), (&json!("DISABLED"), &json!("d")));
    assert_eq!(changed["events"], json!([{ "entity": "PROMPT_VERSION", "action": "CREATED" }]));
    assert_eq!(with(&server, "DELETE", &path, json!({})).await.json(), json!({}));
    assert_eq!(server.get(&format!("{BASE}{path}")).await.refusal(), (404, "RESOURCE_DOES_NOT_EXIST".to_owned()));
    assert_eq!(server.get(&format!("{BASE}?page_token=x")).await.refusal().0, 400);
    assert_eq!(server.get(&format!("{BASE}?max_results=1001")).await.refusal().0, 400);
}

#[tokio::test]
async fn an_event_is_delivered_signed_until_it_is_taken() {
    let server = Server::new().await;
    let receiver = Receiver::refusing(1).await;
    let made = made(&server, hook(&receiver.url)).await;
    let reply = server.post("/api/2.0/mlflow/registered-models/create", json!({ "name": "m" })).await;
    assert_eq!(reply.status, 200);

    let ctx = server.context.ctx.clone();
    let policy = WebhookPolicy { allow_private_addresses: true, allow_http: true };
    let deliverer = WebhookDeliverer::new(ctx.clone(), WebhookSender::new(policy, SecretKey::new([7; 32])).unwrap());
    let id = made["webhook_id"].as_str().unwrap();
    let log = async || ctx.store.deliveries(id, 9, None).await.unwrap().remove(0);
    deliverer.reconcile().await.unwrap();
    let first = log().await;
    assert_eq!((first.state, first.attempts, first.http_status), (DeliveryState::Queued, 1, Some(503)));
    deliverer.reconcile().await.unwrap();
    assert_eq!(log().await, first, "not before its time");
    server.context.clock.set_ms(1_000);
    deliverer.reconcile().await.unwrap();
    let last = log().await;
    assert_eq!((last.state, last.attempts, last.http_status), (DeliveryState::Delivered, 2, Some(204)));

    let got = receiver.got.lock();
    let header = |at: usize, name: &str| got[at].0[name].to_str().unwrap().to_owned();
    assert_eq!(header(0, "x-mlflow-delivery-id"), header(1, "x-mlflow-delivery-id"));
    assert!(header(1, "x-mlflow-signature").starts_with("v1,"));
    assert_eq!(header(1, "content-type"), "application/json");
    let body: Value = serde_json::from_str(&got[1].1).unwrap();
    assert_eq!((&body["entity"], &body["action"]), (&json!("registered_model"), &json!("created")));
    assert_eq!(body["data"], json!({ "name": "m", "tags": {}, "description": "" }));
}

#[tokio::test]
async fn a_secret_is_stored_sealed_and_signs_only_with_the_servers_key() {
    let server = Server::new().await;
    let receiver = Receiver::refusing(0).await;
    let mut body = hook(&receiver.url);
    body["secret"] = json!("s3cret-of-the-hook");
    let made = made(&server, body).await;
    assert!(!made.to_string().contains("s3cret"));
    let store = &server.context.ctx.store;
    let id = made["webhook_id"].as_str().unwrap();
    let sealed = store.webhook_secret(id).await.unwrap().unwrap();
    assert!(sealed.as_str().starts_with("1.") && !sealed.as_str().contains("s3cret"));
    let path = format!("/{id}/test");
    assert_eq!(with(&server, "POST", &path, json!({})).await.json()["result"]["success"], true);
    assert!(receiver.got.lock()[0].0["x-mlflow-signature"].to_str().unwrap().starts_with("v1,"));

    let policy = WebhookPolicy { allow_private_addresses: true, allow_http: true };
    let other = WebhookSender::new(policy, SecretKey::new([8; 32])).unwrap();
    let event = ("prompt.created", &json!({}));
    let refused = other.try_out((id, &receiver.url), Some(&sealed), event, (uuid::Uuid::nil(), 0)).await.unwrap_err();
    assert!(refused.message.contains("another key") && refused.is_transient, "{refused}");
    assert_eq!(receiver.got.lock().len(), 1, "nothing goes out unsigned");
    with(&server, "PATCH", &format!("/{id}"), json!({ "secret": "" })).await;
    assert_eq!(store.webhook_secret(id).await.unwrap(), None);
}

#[tokio::test]
async fn a_hook_is_tried_out_with_an_example() {
    let server = Server::new().await;
    let receiver = Receiver::refusing(0).await;
    let made = made(&server, hook(&receiver.url)).await;
    let path = format!("/{}/test", made["webhook_id"].as_str().unwrap());
    let event = json!({ "event": { "entity": "PROMPT_TAG", "action": "SET" } });
    let result = with(&server, "POST", &path, event).await.json()["result"].take();
    assert_eq!(result, json!({ "success": true, "response_status": 204, "response_body": "" }));
    let body: Value = serde_json::from_str(&receiver.got.lock()[0].1).unwrap();
    assert_eq!(body["data"], json!({ "name": "example_prompt", "key": "example_key", "value": "example_value" }));
    drop(receiver);
    let result = with(&server, "POST", &path, json!({})).await.json()["result"].take();
    assert_eq!(result["success"], false);
    let message = result["error_message"].as_str().unwrap();
    assert!(message.starts_with("Failed to test webhook: cannot connect") && !message.contains("token"), "{message}");
}

#[tokio::test]
async fn an_address_of_ones_own_network_is_refused_by_default() {
    let sender = WebhookSender::new(WebhookPolicy::default(), SecretKey::new([7; 32])).unwrap();
    for url in [
        "https://127.0.0.1/hook",
        "https://localhost/hook",
        "https://[::1]/",
        "https://127.1/",
        "https://0x7f000001/",
        "https://2130706433/",
        "https://169.254.169.254/latest",
        "https://10.0.0.1",
        "https://[::ffff:10.0.0.1]/",
        "https://user:pw@192.168.0.1/",
        "https://localhost./",
        "http://1.1.1.1/",
        "ftp://1.1.1.1",
        "nonsense",
        " ",
    ] {
        assert!(sender.check_url(url).await.is_err(), "{url}");
    }
    assert_eq!(sender.check_url("https://1.1.1.1/hook").await, Ok(()));
    let refused = sender
        .try_out(("w", "https://localhost/x"), None, ("prompt.created", &json!({})), (uuid::Uuid::nil(), 0))
        .await
        .unwrap_err();
    assert!(refused.message.contains("non-public"), "what is connected to is checked again: {refused}");
}

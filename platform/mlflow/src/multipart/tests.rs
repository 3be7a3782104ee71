use axum::body::Body;
use serde_json::{Value, json};
use tiegel_types::Digest;

use crate::testing::{Reply, Server};

const MPU: &str = "/api/2.0/mlflow-artifacts/mpu";
const FILE: &str = "/api/2.0/mlflow-artifacts/artifacts/1/r/artifacts/big.bin";

async fn begin(server: &Server, parts: u32) -> (String, Vec<Value>) {
    let body = json!({ "path": "/home/me/big.bin", "num_parts": parts });
    let reply = server.post(&format!("{MPU}/create/1/r/artifacts"), body).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let answer = reply.json();
    (answer["upload_id"].as_str().unwrap().to_owned(), answer["credentials"].as_array().unwrap().clone())
}

/// Sends a part as the client does: to the URL as it is, and takes the tag from the answer.
async fn send(server: &Server, credential: &Value, body: &'static str) -> Value {
    let url = credential["url"].as_str().unwrap().strip_prefix("http://localhost:5000").unwrap();
    let reply = server.put(url, body).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    json!({ "part_number": credential["part_number"], "etag": reply.header("etag"), "url": credential["url"] })
}

async fn complete(server: &Server, upload: &str, parts: Value) -> Reply {
    let body = json!({ "path": "/home/me/big.bin", "upload_id": upload, "parts": parts });
    server.post(&format!("{MPU}/complete/1/r/artifacts"), body).await
}

#[tokio::test]
async fn parts_sent_in_any_order_become_the_file() {
    let server = Server::new().await;
    let (upload, credentials) = begin(&server, 3).await;
    assert_eq!(credentials.len(), 3);
    let third = send(&server, &credentials[2], "!").await;
    let first = send(&server, &credentials[0], "hello ").await;
    send(&server, &credentials[1], "nobody").await;
    let second = send(&server, &credentials[1], "world").await;
    assert_eq!(second["etag"], format!("\"{}\"", Digest::of(b"world").hex()));
    let stored = server.get(&format!("{MPU}/parts/{upload}")).await.json();
    assert_eq!(stored["parts"][1], json!({ "part_number": 2, "etag": second["etag"], "size": 5 }));
    assert_eq!(server.get(FILE).await.status, 404);
    let parts = json!([first, second, third]);
    // Twice, as a client does whose answer was lost.
    for _ in 0..2 {
        let reply = complete(&server, &upload, parts.clone()).await;
        assert_eq!((reply.status.as_u16(), reply.json()), (200, json!({})));
    }
    let file = server.get(FILE).await;
    assert_eq!(
        (file.text(), file.header("etag")),
        ("hello world!".to_owned(), format!("\"{}\"", Digest::of(b"hello world!").hex()).as_str())
    );
    assert!(!server.context.folder.path().join("blobs/parts").join(&upload).exists());
}

#[tokio::test]
async fn what_does_not_fit_together_is_refused() {
    let server = Server::new().await;
    let (upload, credentials) = begin(&server, 2).await;
    let first = send(&server, &credentials[0], "hello").await;
    let wrong_tag = json!({ "part_number": 1, "etag": Digest::of(b"other").hex() });
    for (parts, why) in [
        (json!([]), "at least one part"),
        (json!([first, { "part_number": 2 }]), "part 2 was not uploaded"),
        (json!([first, first]), "named twice"),
        (json!([wrong_tag]), "not what its ETag says"),
        (json!([{ "part_number": 1, "etag": "x" }]), "parts[0].etag"),
        (json!([{ "etag": "x" }]), "parts[0].part_number"),
        (json!([{ "part_number": -1 }]), "parts[0].part_number"),
    ] {
        let reply = complete(&server, &upload, parts).await;
        assert_eq!(reply.refusal(), (400, "INVALID_PARAMETER_VALUE".to_owned()), "{why}");
        assert!(reply.text().contains(why), "{}", reply.text());
    }
    let elsewhere = json!({ "path": "other.bin", "upload_id": upload, "parts": [first] });
    let elsewhere = server.post(&format!("{MPU}/complete/1/r/artifacts"), elsewhere).await;
    assert!(elsewhere.text().contains("is for '1/r/artifacts/big.bin'"), "{}", elsewhere.text());
    for number in ["0", "3", "x", "99999999999"] {
        assert_eq!(server.put(&format!("{MPU}/parts/{upload}/{number}"), "x").await.status, 400, "{number}");
    }
    for parts in [0, -1, 10_001] {
        let body = json!({ "path": "f", "num_parts": parts });
        assert_eq!(server.post(&format!("{MPU}/create/1"), body).await.status, 400, "{parts}");
    }
    for path in ["..", "a/..", "\\", ""] {
        assert_eq!(server.post(&format!("{MPU}/create/1"), json!({ "path": path })).await.status, 400, "{path}");
    }
    assert_eq!(server.post(&format!("{MPU}/create/%252e%252e"), json!({ "path": "f" })).await.status, 400);
    assert_eq!(complete(&server, "nope", json!([first])).await.status, 404);
    assert_eq!(server.put(&format!("{MPU}/parts/..%2f..%2fx/1"), "x").await.status, 404);
}

#[tokio::test]
async fn an_upload_ends_when_it_is_aborted_or_its_time_is_over() {
    let server = Server::new().await;
    let (upload, credentials) = begin(&server, 1).await;
    send(&server, &credentials[0], "hello").await;
    let body = json!({ "path": "big.bin", "upload_id": upload });
    for _ in 0..2 {
        assert_eq!(server.post(&format!("{MPU}/abort/1/r/artifacts"), body.clone()).await.status, 200);
    }
    assert_eq!(server.get(&format!("{MPU}/parts/{upload}")).await.status, 404);
    let (upload, credentials) = begin(&server, 1).await;
    let part = send(&server, &credentials[0], "hello").await;
    server.context.clock.set_ms(25 * 60 * 60 * 1_000);
    assert_eq!(complete(&server, &upload, json!([part])).await.status, 400);
    begin(&server, 1).await;
    assert_eq!(complete(&server, &upload, json!([part])).await.status, 404);
    assert!(!server.context.folder.path().join("blobs/parts").join(&upload).exists());
}

#[tokio::test]
async fn the_urls_are_those_by_which_the_client_came() {
    let server = Server::new().await;
    let headers = [
        ("content-type", "application/json"),
        ("authorization", "Bearer 0123456789abcdef"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "ml.example"),
        ("x-forwarded-prefix", "/tiegel/"),
    ];
    let body = Body::from(r#"{"path": "f"}"#);
    let reply = server.send("POST", &format!("{MPU}/create/1"), &headers, body).await.json();
    let url = format!("https://ml.example/tiegel{MPU}/parts/{}/1", reply["upload_id"].as_str().unwrap());
    assert_eq!(reply["credentials"][0]["url"], url);
    assert_eq!(reply["credentials"][0]["headers"], json!({ "Authorization": "Bearer 0123456789abcdef" }));
}

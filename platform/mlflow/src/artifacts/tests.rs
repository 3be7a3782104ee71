use axum::body::Body;
use serde_json::{Value, json};
use tiegel_artifacts::Places;
use tiegel_types::{Digest, RunId};

use crate::testing::Server;

const API: &str = "/api/2.0/mlflow";
const PROXY: &str = "/api/2.0/mlflow-artifacts/artifacts";
const UPLOAD: &str = "/ajax-api/2.0/mlflow/upload-artifact";

/// A run in an experiment with this location; its id and its artifact URI.
async fn run(server: &Server, name: &str, location: Option<&str>) -> (String, String) {
    let experiment =
        server.post(&format!("{API}/experiments/create"), json!({ "name": name, "artifact_location": location })).await;
    assert_eq!(experiment.status, 200, "{}", experiment.text());
    let experiment = experiment.json()["experiment_id"].clone();
    let reply = server.post(&format!("{API}/runs/create"), json!({ "experiment_id": experiment })).await.json();
    let info = &reply["run"]["info"];
    (info["run_id"].as_str().unwrap().to_owned(), info["artifact_uri"].as_str().unwrap().to_owned())
}

async fn listed(server: &Server, run: &str, path: &str) -> Value {
    let reply = server.get(&format!("{API}/artifacts/list?run_id={run}&path={path}")).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

#[tokio::test]
async fn what_the_proxy_took_is_listed_from_the_root_of_the_run() {
    let server = Server::new().await;
    let (run, uri) = run(&server, "a", None).await;
    let root = uri.strip_prefix("mlflow-artifacts:/").unwrap();
    for path in ["a.txt", "model/MLmodel", "model/data/w.bin"] {
        server.put(&format!("{PROXY}/{root}/{path}"), "four").await;
    }
    let file = |path: &str| json!({ "path": path, "is_dir": false, "file_size": 4 });
    let folder = |path: &str| json!({ "path": path, "is_dir": true });
    let top = json!({ "root_uri": uri, "files": [file("a.txt"), folder("model")] });
    assert_eq!(listed(&server, &run, "").await, top);
    assert_eq!(server.get(&format!("{API}/artifacts/list?run_uuid={run}")).await.json(), top);
    let model = json!({ "root_uri": uri, "files": [file("model/MLmodel"), folder("model/data")] });
    assert_eq!(listed(&server, &run, "model/").await, model);
    for path in ["a.txt", "none"] {
        assert_eq!(listed(&server, &run, path).await, json!({ "root_uri": uri }));
    }
    let download = server.get(&format!("/get-artifact?run_uuid={run}&path=model%2FMLmodel")).await;
    assert_eq!(
        (download.text(), download.header("content-disposition")),
        ("four".to_owned(), "attachment; filename=MLmodel")
    );
    let part = [("range", "bytes=1-2")];
    let part = server.send("GET", &format!("/get-artifact?run_id={run}&path=a.txt"), &part, Body::empty()).await;
    assert_eq!((part.status.as_u16(), part.text()), (206, "ou".to_owned()));
}

#[tokio::test]
async fn a_file_of_a_run_that_is_not_there_is_said_by_name() {
    let server = Server::new().await;
    let (run, uri) = run(&server, "a", None).await;
    server.put(&format!("{PROXY}/{}/m/f", uri.strip_prefix("mlflow-artifacts:/").unwrap()), "x").await;
    let refusal = async |uri: String| {
        let reply = server.get(&uri).await;
        (reply.status.as_u16(), reply.json()["message"].as_str().unwrap().to_owned())
    };
    let no_run = || (404, "Run with id=abc not found".to_owned());
    assert_eq!(refusal(format!("{API}/artifacts/list?run_id=abc")).await, no_run());
    assert_eq!(refusal("/get-artifact?run_id=abc&path=x".to_owned()).await, no_run());
    assert_eq!(
        refusal(format!("{API}/artifacts/list?run_id={run}&path=..%2Fx")).await,
        (400, "Invalid path".to_owned())
    );
    assert_eq!(
        refusal(format!("/get-artifact?run_id={run}&path=%2Fetc%2Fpasswd")).await,
        (400, "Invalid path".to_owned())
    );
    assert!(refusal(format!("{API}/artifacts/list")).await.1.contains("parameter 'run_id'"));
    assert!(refusal(format!("/get-artifact?run_id={run}")).await.1.contains("parameter 'path'"));
    let (status, message) = refusal(format!("/get-artifact?run_id={run}&path=m")).await;
    assert!(status == 400 && message.starts_with("Artifact path refers to a directory"), "{message}");
    let (status, message) = refusal(format!("/get-artifact?run_id={run}&path=none")).await;
    assert!(status == 404 && message.starts_with("No such artifact"), "{message}");
    let (status, message) = refusal("/model-versions/get-artifact?name=a&version=1&path=x".to_owned()).await;
    assert_eq!((status, message.as_str()), (404, "Model Version (name=a, version=1) not found"));
    let model = "/ajax-api/2.0/mlflow/logged-models/m-1/artifacts/files";
    assert_eq!(refusal(format!("{model}?artifact_file_path=x")).await.1, "Logged model with ID 'm-1' not found.");
    assert_eq!(server.get(model).await.refusal(), (400, "BAD_REQUEST".to_owned()));
    assert_eq!(server.get(&format!("{API}/logged-models/m-1/artifacts/directories")).await.status, 404);
}

#[tokio::test]
async fn the_page_uploads_small_files() {
    let server = Server::new().await;
    let (run, _) = run(&server, "a", None).await;
    let send = async |query: &str, body: Body| server.send("POST", &format!("{UPLOAD}?{query}"), &[], body).await;
    let stored = send(&format!("run_uuid={run}&path=d%2Fu.txt"), "uploaded".into()).await;
    assert_eq!(stored.status, 200, "{}", stored.text());
    assert_eq!(server.get(&format!("/get-artifact?run_id={run}&path=d/u.txt")).await.text(), "uploaded");
    for (query, body, message) in [
        (format!("run_uuid={run}&path=f"), vec![], "Request must specify data."),
        (format!("run_uuid={run}"), vec![1], "Request must specify path."),
        ("path=f".to_owned(), vec![1], "Request must specify run_uuid."),
        (format!("run_uuid={run}&path=..%2Ff"), vec![1], "Invalid path"),
        (format!("run_uuid={run}&path=d%2F"), vec![1], "Invalid path"),
        (format!("run_uuid={run}&path=f"), vec![1; (10 << 20) + 1], "Artifact size is too large. Max size is 10MB."),
    ] {
        let reply = send(&query, body.into()).await;
        assert_eq!((reply.status.as_u16(), reply.json()["message"].as_str()), (400, Some(message)), "{query}");
    }
    assert_eq!(send("run_uuid=nope&path=f", "x".into()).await.status, 404);
    assert_eq!(send(&format!("run_uuid={run}&path=f"), vec![1; 10 << 20].into()).await.status, 200);
    assert_eq!(server.post(&format!("{API}/upload-artifact"), json!({})).await.status, 404);
}

#[tokio::test]
async fn what_a_training_made_is_a_file_of_its_run() {
    let server = Server::new().await;
    let (run, uri) = run(&server, "a", None).await;
    let ctx = &server.context.ctx;
    let digest = ctx.blobs.put_bytes("{\"format\": 1}".into()).await.unwrap();
    let id: RunId = run.parse().unwrap();
    ctx.store.put_run_artifact(&id, "model/bundle.json", &digest, 13).await.unwrap();
    assert_eq!(listed(&server, &run, "model").await["files"][0]["file_size"], 13);
    let of_run = server.get(&format!("/get-artifact?run_id={run}&path=model/bundle.json")).await;
    let root = uri.strip_prefix("mlflow-artifacts:/").unwrap();
    let of_proxy = server.get(&format!("{PROXY}/{root}/model/bundle.json")).await;
    assert_eq!((of_run.text(), of_proxy.text()), ("{\"format\": 1}".to_owned(), "{\"format\": 1}".to_owned()));
    assert_eq!(of_proxy.header("etag"), format!("\"{}\"", Digest::of(b"{\"format\": 1}").hex()));
}

#[tokio::test]
async fn files_that_clients_keep_elsewhere_are_read_where_they_may_be() {
    let folder = tempfile::tempdir().unwrap();
    let allowed = folder.path().join("mlruns");
    let server = Server::with(Places { folders: vec![allowed.clone()], ..Places::default() }).await;
    let (run_id, uri) = run(&server, "inside", Some(&format!("file://{}/7", allowed.display()))).await;
    let files = std::path::PathBuf::from(uri.strip_prefix("file://").unwrap());
    std::fs::create_dir_all(files.join("model")).unwrap();
    std::fs::write(files.join("model/MLmodel"), "flavors").unwrap();
    let file = json!({ "path": "model/MLmodel", "is_dir": false, "file_size": 7 });
    assert_eq!(listed(&server, &run_id, "model").await, json!({ "root_uri": uri, "files": [file] }));
    assert_eq!(server.get(&format!("/get-artifact?run_id={run_id}&path=model/MLmodel")).await.text(), "flavors");
    let upload = server.send("POST", &format!("{UPLOAD}?run_uuid={run_id}&path=f"), &[], "x").await;
    assert!(upload.status == 400 && upload.text().contains("write the file there"), "{}", upload.text());
    let presigned =
        server.post(&format!("{API}/artifacts/presigned-download-url"), json!({ "run_id": run_id, "path": "f" })).await;
    assert_eq!(presigned.refusal(), (501, "NOT_IMPLEMENTED".to_owned()));

    let (outside, _) = run(&server, "outside", Some(&format!("file://{}/secret", folder.path().display()))).await;
    let refused = server.get(&format!("{API}/artifacts/list?run_id={outside}")).await;
    assert!(refused.status == 400 && refused.text().contains("source_roots"), "{}", refused.text());
}

#[tokio::test]
async fn a_url_is_signed_where_the_store_can() {
    let options = [("aws_access_key_id", "id"), ("aws_secret_access_key", "key"), ("aws_region", "eu-west-1")];
    let options = options.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
    let server = Server::with(Places { options, ..Places::default() }).await;
    let (proxied, _) = run(&server, "proxied", None).await;
    let (bucket, _) = run(&server, "bucket", Some("s3://bucket/root")).await;
    let ask = async |what: &str, body: Value| server.post(&format!("{API}/artifacts/presigned-{what}-url"), body).await;
    let signed = ask("upload", json!({ "run_id": bucket, "path": "m/f.bin", "expiration": 60 })).await.json();
    let url = signed["presigned_url"].as_str().unwrap();
    assert!(url.contains("/srv/") && url.contains("/artifacts/m/f.bin?") && url.contains("X-Amz-Expires=60"), "{url}");
    for (what, body, message) in [
        (
            "upload",
            json!({ "run_id": proxied, "path": "f" }),
            "Presigned upload is not supported for proxied artifact storage",
        ),
        (
            "download",
            json!({ "run_id": proxied, "path": "f" }),
            "Presigned download is not supported for runs with proxied",
        ),
        ("upload", json!({ "path": "f" }), "Exactly one of run_id and model_id must be provided."),
        ("upload", json!({ "run_id": bucket, "model_id": "m", "path": "f" }), "Exactly one of"),
        ("upload", json!({ "run_id": bucket }), "Missing value for required parameter 'path'"),
        (
            "download",
            json!({ "run_id": bucket, "path": "f", "expiration": 0 }),
            "expiration must be between 1 and 604800",
        ),
        ("download", json!({ "run_id": bucket, "path": "../f" }), "Invalid path"),
    ] {
        let reply = ask(what, body).await;
        assert_eq!(reply.refusal(), (400, "INVALID_PARAMETER_VALUE".to_owned()), "{message}");
        assert!(reply.text().contains(message), "{}", reply.text());
    }
    let local = server.get("/api/2.0/mlflow-artifacts/presigned/1/f").await;
    assert_eq!(local.refusal(), (501, "NOT_IMPLEMENTED".to_owned()));
    assert_eq!(local.json()["message"], "Multipart download is not supported for the current artifact repository");
    let info = server.get("/api/3.0/mlflow/server-info").await.json();
    assert_eq!(
        (&info["multipart_uploads_enabled"], &info["multipart_downloads_enabled"]),
        (&json!(true), &json!(false))
    );
}

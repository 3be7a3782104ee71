use axum::body::{Body, Bytes};
use futures::stream;
use serde_json::{Value, json};
use tiegel_artifacts::Places;
use tiegel_types::Digest;

use crate::testing::{Reply, Server};

const ROOT: &str = "/api/2.0/mlflow-artifacts/artifacts";

async fn put(server: &Server, path: &str, body: &'static str) -> Reply {
    server.put(&format!("{ROOT}/{path}"), body).await
}

async fn get(server: &Server, path: &str) -> Reply {
    server.get(&format!("{ROOT}/{path}")).await
}

async fn files(server: &Server, path: &str) -> Value {
    let reply = server.get(&format!("{ROOT}?path={path}")).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

#[tokio::test]
async fn a_file_comes_back_with_all_that_a_browser_needs() {
    let server = Server::new().await;
    let stored = put(&server, "1/r/artifacts/b%20c.json", "hello world").await;
    assert_eq!((stored.status.as_u16(), stored.body.len()), (200, 0));
    let reply = get(&server, "1/r/artifacts/b%20c.json").await;
    assert_eq!((reply.status.as_u16(), reply.text()), (200, "hello world".to_owned()));
    for (name, value) in [
        ("content-type", "text/plain"),
        ("content-length", "11"),
        ("content-disposition", "attachment; filename=\"b c.json\""),
        ("x-content-type-options", "nosniff"),
        ("accept-ranges", "bytes"),
        ("etag", &format!("\"{}\"", Digest::of(b"hello world").hex())),
    ] {
        assert_eq!(reply.header(name), value, "{name}");
    }
    let head = server.send("HEAD", &format!("{ROOT}/1/r/artifacts/b%20c.json"), &[], Body::empty()).await;
    assert_eq!((head.status.as_u16(), head.header("content-length"), head.body.len()), (200, "11", 0));
    let ajax = server.get("/ajax-api/2.0/mlflow-artifacts/artifacts/1/r/artifacts/b%20c.json").await;
    assert_eq!(ajax.text(), "hello world");
}

#[tokio::test]
async fn a_range_and_a_known_file_send_less() {
    let server = Server::new().await;
    put(&server, "f.bin", "hello world").await;
    let tag = get(&server, "f.bin").await.header("etag").to_owned();
    let asked = async |headers: &[(&str, &str)]| {
        let reply = server.send("GET", &format!("{ROOT}/f.bin"), headers, Body::empty()).await;
        (reply.status.as_u16(), reply.text(), reply.header("content-range").to_owned())
    };
    let answer = |status: u16, text: &str, range: &str| (status, text.to_owned(), range.to_owned());
    assert_eq!(asked(&[("range", "bytes=2-4")]).await, answer(206, "llo", "bytes 2-4/11"));
    assert_eq!(asked(&[("range", "bytes=-3")]).await, answer(206, "rld", "bytes 8-10/11"));
    assert_eq!(asked(&[("range", "bytes=11-")]).await, answer(416, "", "bytes */11"));
    assert_eq!(asked(&[("range", "bytes=0-1,3-4")]).await, answer(200, "hello world", ""));
    assert_eq!(asked(&[("range", "bytes=0-1"), ("if-range", "\"other\"")]).await, answer(200, "hello world", ""));
    assert_eq!(asked(&[("if-none-match", &tag)]).await, answer(304, "", ""));
    assert_eq!(asked(&[("if-none-match", "\"other\", W/\"x\"")]).await, answer(200, "hello world", ""));
    put(&server, "f.bin", "hello there").await;
    assert_eq!(asked(&[("if-none-match", &tag)]).await, answer(200, "hello there", ""));
}

#[tokio::test]
async fn a_folder_lists_names_from_itself() {
    let server = Server::new().await;
    for path in ["1/r/artifacts/model/MLmodel", "1/r/artifacts/a.txt", "1/r/artifacts/model/data/w.bin"] {
        put(&server, path, "four").await;
    }
    let model = json!({ "path": "model", "is_dir": true });
    let file = |path: &str| json!({ "path": path, "is_dir": false, "file_size": 4 });
    assert_eq!(files(&server, "1/r/artifacts").await, json!({ "files": [file("a.txt"), model] }));
    let data = json!({ "path": "data", "is_dir": true });
    assert_eq!(files(&server, "1%2Fr%2Fartifacts/model/").await, json!({ "files": [file("MLmodel"), data] }));
    let roots = json!({ "files": [{ "path": "1", "is_dir": true }] });
    for path in ["", "."] {
        assert_eq!(files(&server, path).await, roots);
    }
    assert_eq!(server.get(ROOT).await.json(), roots);
    for path in ["none", "1/r/artifacts/a.txt"] {
        assert_eq!(files(&server, path).await, json!({}));
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_by_name() {
    let server = Server::new().await;
    put(&server, "1/r/m/f", "x").await;
    let missing = get(&server, "1/r/none").await;
    assert_eq!(missing.refusal(), (404, "RESOURCE_DOES_NOT_EXIST".to_owned()));
    assert_eq!(missing.json()["message"], "No such artifact: '1/r/none'");
    for (path, named) in [("1/r/m", "1/r/m"), ("", "")] {
        let folder = get(&server, path).await;
        assert_eq!(folder.refusal(), (400, "INVALID_PARAMETER_VALUE".to_owned()));
        let message = format!("Artifact path refers to a directory, not a file: '{named}'");
        assert_eq!(folder.json()["message"], message);
    }
}

#[tokio::test]
async fn a_file_or_a_folder_is_removed_and_again() {
    let server = Server::new().await;
    for path in ["t/a/x", "t/a/y/z", "t/ab"] {
        put(&server, path, "x").await;
    }
    for _ in 0..2 {
        let reply = server.send("DELETE", &format!("{ROOT}/t/a/"), &[], Body::empty()).await;
        assert_eq!((reply.status.as_u16(), reply.json()), (200, json!({})));
    }
    assert_eq!(files(&server, "t").await["files"].as_array().unwrap().len(), 1);
    let everything = server.send("DELETE", &format!("{ROOT}/."), &[], Body::empty()).await;
    assert_eq!(everything.status, 400);
    assert_eq!(get(&server, "t/ab").await.text(), "x");
}

#[tokio::test]
async fn a_way_out_is_refused_in_every_spelling() {
    let server = Server::new().await;
    let secret = server.context.folder.path().join("tiegel.db");
    assert!(secret.exists());
    for path in [
        "../x",
        "..%2fx",
        "%2e%2e/x",
        "%252e%252e%252fx",
        "%25252e%25252e/x",
        "a/../b",
        "a/..",
        "..",
        "%2Fetc/passwd",
        "/etc/passwd",
        "//etc/passwd",
        "a//b",
        "..%5c..%5cx",
        "a%5cb",
        "C:/x",
        "C:%5Cx",
        "file:///etc/passwd",
        "file:x",
        "a%00b",
        "a%2500b",
        "a%23b",
        "%ff",
        "%c0%ae%c0%ae/x",
        "..%2f..%2ftiegel.db",
        "a/%2e%2e/%2e%2e/tiegel.db",
    ] {
        let url = format!("{ROOT}/{path}");
        let query = format!("{ROOT}?path={path}");
        for (method, uri) in [("PUT", &url), ("GET", &url), ("DELETE", &url), ("GET", &query)] {
            // A query that is no text is read with a sign for what is missing, and names nothing.
            if uri == &query && matches!(path, "%ff" | "%c0%ae%c0%ae/x") {
                continue;
            }
            let reply = server.send(method, uri, &[], "x").await;
            assert_eq!(reply.refusal(), (400, "INVALID_PARAMETER_VALUE".to_owned()), "{method} {uri}");
            assert_eq!(reply.json()["message"], "Invalid path", "{method} {uri}");
        }
    }
    assert_eq!(server.get(ROOT).await.json(), json!({}));
}

#[tokio::test]
async fn what_is_made_is_spelled_plainly() {
    let server = Server::new().await;
    let trailing = put(&server, "a/b/", "x").await;
    assert_eq!(trailing.json()["message"], "Artifact path must include a filename (cannot end with '/').");
    assert_eq!(put(&server, "a/./b", "x").await.status, 400);
    put(&server, "a/b", "x").await;
    for path in ["a/b/c", "a"] {
        let clash = put(&server, path, "x").await;
        assert_eq!(clash.refusal(), (400, "INVALID_PARAMETER_VALUE".to_owned()), "{path}");
    }
    assert_eq!(get(&server, "./a/b").await.text(), "x");
}

#[tokio::test]
async fn the_same_bytes_are_stored_once() {
    let server = Server::new().await;
    let body = vec![7_u8; 3 << 20];
    for path in ["1/a", "2/b", "3/c"] {
        assert_eq!(server.put(&format!("{ROOT}/{path}"), body.clone()).await.status, 200);
    }
    let blobs = server.context.folder.path().join("blobs/sha256");
    let folders = std::fs::read_dir(blobs).unwrap().map(|entry| entry.unwrap().path());
    let count: usize = folders.map(|folder| std::fs::read_dir(folder).unwrap().count()).sum();
    assert_eq!(count, 1);
    assert_eq!(get(&server, "2/b").await.body, body);
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_what_was_there() {
    let server = Server::new().await;
    put(&server, "f", "old").await;
    let chunks = [Ok(Bytes::from(vec![1_u8; 2 << 20])), Err(std::io::Error::other("connection reset"))];
    let broken = server.put(&format!("{ROOT}/f"), Body::from_stream(stream::iter(chunks))).await;
    assert_eq!(broken.refusal(), (400, "INVALID_PARAMETER_VALUE".to_owned()));
    assert_eq!(get(&server, "f").await.text(), "old");
    let scratch = std::fs::read_dir(server.context.folder.path().join("blobs/.scratch")).unwrap();
    assert_eq!(scratch.map(|e| e.unwrap().file_name()).collect::<Vec<_>>(), Vec::<std::ffi::OsString>::new());
}

#[tokio::test]
async fn files_that_were_at_the_destination_are_read_beside_ours_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("1/old/artifacts/model");
    std::fs::create_dir_all(&old).unwrap();
    std::fs::write(old.join("MLmodel"), "old model").unwrap();
    std::fs::write(old.join("shadowed"), "old").unwrap();
    let destination = Some(format!("file://{}", folder.path().display()));
    let server = Server::with(Places { destination, ..Places::default() }).await;
    assert_eq!(get(&server, "1/old/artifacts/model/MLmodel").await.text(), "old model");
    let part = [("range", "bytes=4-")];
    let part = server.send("GET", &format!("{ROOT}/1/old/artifacts/model/MLmodel"), &part, Body::empty()).await;
    assert_eq!((part.status.as_u16(), part.text()), (206, "model".to_owned()));
    put(&server, "1/old/artifacts/model/shadowed", "newer").await;
    put(&server, "1/new/artifacts/f", "x").await;
    assert_eq!(get(&server, "1/old/artifacts/model/shadowed").await.text(), "newer");
    assert_eq!(std::fs::read_to_string(old.join("shadowed")).unwrap(), "old");
    let names = |listing: Value| -> Vec<String> {
        let files = listing["files"].as_array().unwrap().iter();
        files.map(|file| format!("{} {}", file["path"].as_str().unwrap(), file["file_size"])).collect()
    };
    assert_eq!(names(files(&server, "1/old/artifacts/model").await), ["MLmodel 9", "shadowed 5"]);
    assert_eq!(names(files(&server, "1").await), ["new null", "old null"]);
    assert_eq!(get(&server, "1/old/artifacts").await.status, 400);
    server.send("DELETE", &format!("{ROOT}/1/old"), &[], Body::empty()).await;
    assert_eq!(files(&server, "1/old/artifacts/model").await, json!({}));
    assert!(!old.exists());
}

#[tokio::test]
async fn a_blob_that_is_gone_is_a_file_that_is_gone() {
    let server = Server::new().await;
    put(&server, "f", "hello").await;
    let digest = Digest::of(b"hello");
    std::fs::remove_file(server.context.folder.path().join("blobs").join(digest.blob_path())).unwrap();
    assert_eq!(get(&server, "f").await.refusal(), (404, "RESOURCE_DOES_NOT_EXIST".to_owned()));
    put(&server, "f", "hello").await;
    assert_eq!(get(&server, "f").await.text(), "hello");
}

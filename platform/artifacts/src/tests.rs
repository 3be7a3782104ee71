use std::path::Path;

use futures::{TryStreamExt as _, stream};
use tiegel_context::testing::TestContext;
use tiegel_types::Digest;

use super::*;

fn path(text: &str) -> ArtifactPath {
    ArtifactPath::decode(text).unwrap()
}

async fn put(artifacts: &Artifacts, at: &str, body: &'static [u8]) {
    artifacts.put(&path(at), stream::iter([Ok::<_, String>(body.into())])).await.unwrap();
}

async fn text(root: &Root, at: &str) -> String {
    let chunks: Vec<_> = root.find(&path(at)).await.unwrap().read(None).await.unwrap().try_collect().await.unwrap();
    String::from_utf8(chunks.concat()).unwrap()
}

fn write(folder: &Path, at: &str, body: &str) {
    let file = folder.join(at);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, body).unwrap();
}

#[test]
fn a_uri_of_the_proxy_says_the_place_below_it() {
    for (uri, expected) in [
        ("mlflow-artifacts:/1/r/artifacts", Some("1/r/artifacts")),
        ("mlflow-artifacts://host:5000/1/r/artifacts/", Some("1/r/artifacts")),
        ("mlflow-artifacts:///1//r", Some("1/r")),
        ("mlflow-artifacts:/", Some("")),
        ("mlflow-artifacts://host", Some("")),
        ("mlflow-artifacts:/1/a%20b?x=y#z", Some("1/a b")),
        ("https://host/prefix/api/2.0/mlflow-artifacts/artifacts/1/r", Some("1/r")),
        ("https://host/elsewhere/1/r", None),
        ("s3://bucket/1/r", None),
        ("file:///var/1", None),
        ("/var/1", None),
    ] {
        let found = proxied_path(uri).unwrap();
        assert_eq!(found.as_ref().map(ArtifactPath::as_str), expected, "{uri}");
    }
    for uri in
        ["mlflow-artifacts:/../x", "mlflow-artifacts:/1/%2e%2e/x", "http://h/api/2.0/mlflow-artifacts/artifacts/..%5c"]
    {
        assert!(proxied_path(uri).is_err(), "{uri}");
    }
}

#[tokio::test]
async fn a_tree_is_one_root_among_others() {
    let context = TestContext::new().await;
    let artifacts = Artifacts::new(context.ctx.clone(), Places::default()).unwrap();
    put(&artifacts, "1/r/artifacts/model/MLmodel", b"flavors").await;
    put(&artifacts, "1/s/artifacts/model/MLmodel", b"others").await;
    let root = artifacts.at("mlflow-artifacts:/1/r/artifacts").unwrap();
    assert_eq!(text(&root, "model/MLmodel").await, "flavors");
    assert_eq!(root.list(&path("model")).await.unwrap(), [Entry { name: "MLmodel".to_owned(), bytes: Some(7) }]);
    assert_eq!(remove_tree(&context.ctx, &path("1/r")).await.unwrap(), 1);
    assert_eq!(root.list(&path("")).await.unwrap(), []);
    assert!(matches!(root.find(&path("model/MLmodel")).await.err(), Some(OpError::NotFound(_))));
    assert!(remove_tree(&context.ctx, &path("")).await.is_err());
    assert_eq!(context.ctx.store.artifact_digests(None, 9).await.unwrap(), [Digest::of(b"others")]);
    assert!(context.ctx.blobs.exists(&Digest::of(b"flavors")).await.unwrap());
}

#[tokio::test]
async fn a_folder_that_clients_write_is_read_where_the_operator_allows_it() {
    let context = TestContext::new().await;
    let (allowed, other) = (context.folder.path().join("runs"), context.folder.path().join("other"));
    write(&allowed, "1/r/artifacts/log.txt", "fine");
    write(&other, "secret", "secret");
    std::os::unix::fs::symlink(&other, allowed.join("1/r/artifacts/out")).unwrap();
    let places = Places { folders: vec![allowed.clone()], ..Places::default() };
    let artifacts = Artifacts::new(context.ctx.clone(), places).unwrap();
    for uri in [format!("file://{}/1/r/artifacts", allowed.display()), format!("{}/1/r/artifacts", allowed.display())] {
        let root = artifacts.at(&uri).unwrap();
        assert_eq!(text(&root, "log.txt").await, "fine");
        assert!(root.find(&path("out/secret")).await.is_err());
        assert!(root.find(&path("out")).await.is_err());
    }
    let beside = format!("{}-old/1", allowed.display());
    let out = format!("{}/../other", allowed.display());
    for uri in [other.to_str().unwrap(), "/", "file:///etc", &beside, &out] {
        let refused = artifacts.at(uri).err().unwrap().to_string();
        assert!(refused.contains("source_roots"), "{uri}: {refused}");
    }
    let bucket = artifacts.at("s3://bucket/x").err().unwrap().to_string();
    assert!(bucket.contains("no credentials"), "{bucket}");
    for uri in ["hdfs://host/x", "ftp://host/x", "dbfs:/x", "https://host/x", "relative/x", ""] {
        assert!(matches!(artifacts.at(uri).err(), Some(OpError::Invalid { .. })), "{uri}");
    }
}

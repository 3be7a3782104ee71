use std::fs;
use std::os::unix::fs::symlink;

use futures::TryStreamExt as _;
use object_store::ObjectStoreExt as _;
use object_store::path::Path;

use super::*;

const NOTHING: [TreeEntry; 0] = [];

/// The same files in a folder and in a bucket; a file says its own path.
async fn trees() -> (tempfile::TempDir, [Tree; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let local = Tree::open(folder.path().join("root").to_str().unwrap(), &vec![]).unwrap();
    let memory = Tree::open("memory:///bucket/root", &vec![]).unwrap();
    let Kind::Objects(bucket) = &memory.0 else { panic!("memory is a bucket") };
    for path in ["1/r/artifacts/model/MLmodel", "1/r/artifacts/a b#%41~.txt", "1/r/artifacts/Zoë", ".tiegel/sha256/x"]
    {
        let file = folder.path().join("root").join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, path).unwrap();
        let object = Path::parse(format!("bucket/srv/{path}")).unwrap();
        bucket.0.objects.put(&object, path.into()).await.unwrap();
    }
    (folder, [local, memory])
}

async fn text(tree: &Tree, path: &str) -> String {
    let file = tree.find(path).await.unwrap().unwrap();
    let chunks: Vec<_> = tree.read(path, 0..file.bytes).await.unwrap().try_collect().await.unwrap();
    String::from_utf8(chunks.concat()).unwrap()
}

fn names(entries: &[TreeEntry]) -> Vec<(&str, bool)> {
    entries.iter().map(|entry| (entry.name.as_str(), entry.bytes.is_none())).collect()
}

#[tokio::test]
async fn files_are_found_by_the_names_that_others_gave_them() {
    let (_folder, trees) = trees().await;
    for tree in trees {
        assert_eq!(names(&tree.list("").await.unwrap()), [("1", true)]);
        let entries = tree.list("1/r/artifacts").await.unwrap();
        assert_eq!(names(&entries), [("Zoë", false), ("a b#%41~.txt", false), ("model", true)]);
        assert_eq!(text(&tree, "1/r/artifacts/a b#%41~.txt").await, "1/r/artifacts/a b#%41~.txt");
        let run = tree.below("1/r/artifacts");
        assert_eq!(names(&run.list("model").await.unwrap()), [("MLmodel", false)]);
        let some: Vec<_> = run.read("model/MLmodel", 2..6).await.unwrap().try_collect().await.unwrap();
        assert_eq!(some.concat(), b"r/ar");
        assert_eq!(tree.find("1/r").await.unwrap(), None);
        assert_eq!(tree.find("1/none").await.unwrap(), None);
        assert_eq!(tree.list("1/r/artifacts/Zoë").await.unwrap(), NOTHING);
        assert_eq!(tree.list("none").await.unwrap(), NOTHING);
    }
}

#[tokio::test]
async fn our_own_blobs_are_not_shown() {
    let (_folder, trees) = trees().await;
    for tree in trees {
        assert_eq!(tree.find(".tiegel/sha256/x").await.unwrap(), None);
        assert_eq!(tree.list(".tiegel").await.unwrap(), NOTHING);
        tree.remove(".tiegel").await.unwrap();
        assert!(tree.below(".tiegel").find("sha256/x").await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_file_and_a_folder_are_removed() {
    let (_folder, trees) = trees().await;
    for tree in trees {
        tree.remove("1/r/artifacts/model").await.unwrap();
        tree.remove("1/r/artifacts/Zoë").await.unwrap();
        tree.remove("1/none").await.unwrap();
        assert_eq!(names(&tree.list("1/r/artifacts").await.unwrap()), [("a b#%41~.txt", false)]);
    }
}

#[tokio::test]
async fn a_files_tag_changes_with_it() {
    let (folder, [local, _]) = trees().await;
    let path = "1/r/artifacts/Zoë";
    let before = local.find(path).await.unwrap().unwrap();
    assert_eq!(local.find(path).await.unwrap().unwrap(), before);
    fs::write(folder.path().join("root").join(path), "longer than it was before").unwrap();
    assert_ne!(local.find(path).await.unwrap().unwrap().tag, before.tag);
}

#[tokio::test]
async fn a_link_does_not_lead_out() {
    let (folder, [local, _]) = trees().await;
    fs::write(folder.path().join("secret"), b"secret").unwrap();
    let inside = folder.path().join("root/1/r");
    symlink(folder.path().join("secret"), inside.join("link")).unwrap();
    symlink(folder.path(), inside.join("up")).unwrap();
    symlink(inside.join("artifacts"), inside.join("fine")).unwrap();
    assert_eq!(local.find("1/r/link").await.unwrap(), None);
    assert_eq!(local.find("1/r/up/secret").await.unwrap(), None);
    assert_eq!(local.list("1/r/up").await.unwrap(), NOTHING);
    assert!(local.read("1/r/link", 0..6).await.is_err());
    assert_eq!(text(&local, "1/r/fine/model/MLmodel").await, "1/r/artifacts/model/MLmodel");
    local.remove("1/r/up/secret").await.unwrap();
    local.remove("1/r").await.unwrap();
    assert!(folder.path().join("secret").exists() && !inside.exists());
}

#[tokio::test]
async fn a_bucket_signs_and_a_folder_does_not() {
    let (_folder, [local, memory]) = trees().await;
    for tree in [local, memory] {
        assert_eq!(tree.signed_url(Access::Read, "a", Duration::from_secs(9)).await.unwrap(), None);
    }
    let options = [("aws_access_key_id", "id"), ("aws_secret_access_key", "key"), ("aws_region", "eu-west-1")];
    let options = options.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
    let bucket = Tree::open("s3://bucket/root", &options).unwrap();
    let url = bucket.signed_url(Access::Read, "1/a b.txt", Duration::from_secs(60)).await.unwrap().unwrap();
    assert_eq!(
        (url.path(), url.query_pairs().any(|(key, _)| key == "X-Amz-Signature")),
        ("/bucket/srv/1/a%20b.txt", true)
    );
    let blobs = crate::Blobs::open("s3://bucket/root", options).unwrap();
    let digest = tiegel_types::Digest::of(b"x");
    let url = blobs.signed_url(&digest, Duration::from_secs(60)).await.unwrap().unwrap();
    assert_eq!(url.path(), format!("/bucket/srv/{}", digest.blob_path()));
}

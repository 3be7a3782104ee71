use serde_json::json;
use tiegel_types::Digest;

use super::*;
use crate::testing::store_tests;
use crate::{NewRun, NewUpload, PartRow, Scope};

fn file(path: &str, bytes: &[u8]) -> ArtifactRow {
    ArtifactRow { path: path.to_owned(), digest: Digest::of(bytes), bytes: bytes.len() as u64, modified_ms: 7 }
}

async fn put_all(store: &Store, paths: &[&str]) {
    for path in paths {
        store.put_artifact(file(path, path.as_bytes())).await.unwrap();
    }
}

/// Names, folders with a `/` behind them.
async fn names(store: &Store, folder: &str) -> Vec<String> {
    let page = store.list_artifacts(folder, None, 100).await.unwrap();
    assert_eq!(page.next, None);
    page.entries.into_iter().map(|e| if e.bytes.is_some() { e.name } else { e.name + "/" }).collect()
}

fn upload(id: &str, expires_ms: i64) -> NewUpload {
    let path = "1/r/artifacts/big.bin".to_owned();
    NewUpload { upload_id: id.to_owned(), path, parts_max: 3, created_ms: 5, expires_ms, open_max: 2 }
}

fn part(number: u32, bytes: &[u8]) -> PartRow {
    PartRow { number, digest: Digest::of(bytes), bytes: bytes.len() as u64 }
}

store_tests! {
    async fn a_file_is_replaced_at_its_path(store) {
        store.put_artifact(file("1/r/artifacts/a.txt", b"old")).await.unwrap();
        store.put_artifact(file("1/r/artifacts/a.txt", b"newer")).await.unwrap();
        assert_eq!(store.artifact("1/r/artifacts/a.txt").await.unwrap(), Some(file("1/r/artifacts/a.txt", b"newer")));
        assert_eq!(store.artifact("1/r/artifacts").await.unwrap(), None);
    }

    async fn a_folder_lists_what_lies_directly_in_it_by_name(store) {
        put_all(&store, &[
            "1/r/artifacts/a/x", "1/r/artifacts/a/y/z", "1/r/artifacts/a.txt", "1/r/artifacts/a-b/c",
            "1/r/artifacts/Zoë", "1/r/artifacts2/no", "1/s/artifacts/b", "2/t/artifacts/c", "1/r/artifacts/%_",
        ]).await;
        assert_eq!(names(&store, "1/r/artifacts").await, ["%_", "Zoë", "a/", "a-b/", "a.txt"]);
        assert_eq!(names(&store, "1/r/artifacts/a").await, ["x", "y/"]);
        assert_eq!(names(&store, "1").await, ["r/", "s/"]);
        assert_eq!(names(&store, "").await, ["1/", "2/"]);
        assert_eq!(names(&store, "1/r/artifacts/a.txt").await, [""; 0]);
        assert_eq!(names(&store, "none").await, [""; 0]);
        let page = store.list_artifacts("1/r/artifacts/a", None, 9).await.unwrap();
        assert_eq!(page.entries[0].bytes, Some("1/r/artifacts/a/x".len() as u64));
    }

    async fn a_listing_goes_on_where_its_page_ended(store) {
        let paths: Vec<String> = (0..700).map(|i| format!("f/{:02}/{i}", i % 30)).collect();
        put_all(&store, &paths.iter().map(String::as_str).collect::<Vec<_>>()).await;
        put_all(&store, &["f/07.txt", "f/31"]).await;
        let (mut after, mut all) = (None, Vec::new());
        loop {
            let page = store.list_artifacts("f", after, 7).await.unwrap();
            assert!(page.entries.len() <= 7);
            all.extend(page.entries.into_iter().map(|entry| entry.name));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        all.sort();
        let mut expected: Vec<_> = (0..30).map(|i| format!("{i:02}")).collect();
        expected.extend(["07.txt".to_owned(), "31".to_owned()]);
        expected.sort();
        assert_eq!(all, expected);
        // A token of another folder is not followed out of this one.
        assert_eq!(store.list_artifacts("f/07", Some("f/20".to_owned()), 99).await.unwrap().entries.len(), 24);
    }

    async fn a_path_is_a_file_or_a_folder(store) {
        put_all(&store, &["t/model/weights"]).await;
        let folder = store.put_artifact(file("t/model", b"x")).await.unwrap_err();
        assert!(matches!(&folder, StoreError::Conflict(why) if why.contains("'t/model' is a folder")), "{folder}");
        let inside = store.put_artifact(file("t/model/weights/w", b"x")).await.unwrap_err();
        assert!(matches!(&inside, StoreError::Conflict(why) if why.contains("'t/model/weights' is a file")), "{inside}");
        put_all(&store, &["t/model.txt", "t/model0", "t/mode"]).await;
    }

    async fn a_folder_is_deleted_with_all_below_it_and_nothing_else(store) {
        put_all(&store, &["t/a/x", "t/a/y/z", "t/a0", "t/a.txt", "t/A/x", "u"]).await;
        assert_eq!(store.delete_artifacts("t/a").await.unwrap(), 2);
        assert_eq!(names(&store, "t").await, ["A/", "a.txt", "a0"]);
        assert_eq!(store.delete_artifacts("t/a").await.unwrap(), 0);
        assert_eq!(store.delete_artifacts("u").await.unwrap(), 1);
    }

    async fn each_blob_in_use_is_named_once(store) {
        for path in ["a", "b", "c"] {
            store.put_artifact(file(path, b"same")).await.unwrap();
        }
        store.put_artifact(file("d", b"other")).await.unwrap();
        let mut expected = [Digest::of(b"same"), Digest::of(b"other")];
        expected.sort();
        let first = store.artifact_digests(None, 1).await.unwrap();
        assert_eq!(first, expected[..1]);
        assert_eq!(store.artifact_digests(Some(first[0]), 9).await.unwrap(), expected[1..]);
    }

    async fn a_runs_files_are_in_its_tree(store) {
        let project = "flights".parse().unwrap();
        store.ensure_project(&project, 1).await.unwrap();
        let experiment_id = store.ensure_experiment(&project, "delays", 1).await.unwrap().id;
        let run_id: tiegel_types::RunId = "r1".parse().unwrap();
        let new = NewRun {
            run_id: run_id.clone(),
            experiment_id,
            name: String::new(),
            user_id: String::new(),
            start_ms: 5,
            job_id: None,
            source: json!({}),
            tags: Vec::new(),
        };
        store.create_run(&Scope::All, new).await.unwrap();
        store.put_run_artifact(&run_id, "model/bundle.json", &Digest::of(b"b"), 1).await.unwrap();
        let tree = format!("workspaces/flights/{experiment_id}/r1/artifacts");
        let path = format!("{tree}/model/bundle.json");
        assert_eq!(store.artifact(&path).await.unwrap().unwrap().digest, Digest::of(b"b"));
        put_all(&store, &[&format!("{tree}/log.txt")]).await;
        let rows = store.run_artifacts(&run_id).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.path.as_str()).collect::<Vec<_>>(), ["log.txt", "model/bundle.json"]);
        assert_eq!(store.run_artifacts(&"r2".parse().unwrap()).await.unwrap(), []);
    }

    async fn an_upload_in_parts_becomes_a_file(store) {
        store.create_upload(upload("u1", 99)).await.unwrap();
        store.put_part("u1", part(2, b"world"), 20).await.unwrap();
        store.put_part("u1", part(1, b"h"), 20).await.unwrap();
        store.put_part("u1", part(1, b"hello"), 20).await.unwrap();
        assert_eq!(store.upload_parts("u1").await.unwrap(), [part(1, b"hello"), part(2, b"world")]);
        let large = store.put_part("u1", part(3, b"eleven char"), 20).await.unwrap_err();
        assert!(large.to_string().contains("more than 20 bytes"), "{large}");
        let row = file("1/r/artifacts/big.bin", b"helloworld");
        store.complete_upload("u1", row.clone()).await.unwrap();
        assert_eq!(store.artifact(&row.path).await.unwrap(), Some(row.clone()));
        assert_eq!(store.upload("u1").await.unwrap().unwrap().digest, Some(row.digest));
        assert_eq!(store.upload_parts("u1").await.unwrap(), []);
        assert!(store.put_part("u1", part(1, b"late"), 20).await.is_err());
        let missing = store.put_part("u9", part(1, b"x"), 20).await.unwrap_err();
        assert_eq!(missing.to_string(), "upload u9 does not exist");
    }

    async fn uploads_are_few_and_expire(store) {
        store.create_upload(upload("u1", 50)).await.unwrap();
        store.create_upload(upload("u2", 60)).await.unwrap();
        assert!(matches!(store.create_upload(upload("u3", 60)).await, Err(StoreError::Conflict(_))));
        store.put_part("u1", part(1, b"x"), 20).await.unwrap();
        assert_eq!(store.expired_uploads(55, 9).await.unwrap(), ["u1"]);
        store.delete_upload("u1").await.unwrap();
        assert_eq!((store.upload("u1").await.unwrap(), store.upload_parts("u1").await.unwrap()), (None, vec![]));
        store.create_upload(upload("u3", 60)).await.unwrap();
    }
}

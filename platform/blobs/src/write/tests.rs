use std::fs;
use std::path::PathBuf;

use futures::{TryStreamExt as _, stream};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::*;

const NO_FILES: [PathBuf; 0] = [];

/// A store in a folder and one in memory.
fn stores() -> (TempDir, [Blobs; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let local = Blobs::open(folder.path().join("blobs").to_str().unwrap(), vec![]).unwrap();
    (folder, [local, Blobs::open("memory:///tenant/a", vec![]).unwrap()])
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_in(&path)) } else { files.push(path) }
    }
    files
}

fn body(chunks: &[&'static [u8]]) -> impl Stream<Item = std::result::Result<Bytes, String>> + Send + use<> {
    stream::iter(chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk))).collect::<Vec<_>>())
}

#[tokio::test]
async fn bytes_come_back_under_their_digest() {
    let (_folder, stores) = stores();
    for blobs in stores {
        let digest = blobs.put_bytes(Bytes::from_static(b"flights")).await.unwrap();
        assert_eq!(digest, Digest::of(b"flights"));
        assert_eq!(blobs.put_bytes(Bytes::from_static(b"flights")).await.unwrap(), digest);
        assert_eq!(&blobs.get(&digest).await.unwrap()[..], b"flights");
        assert_eq!((blobs.exists(&digest).await.unwrap(), blobs.size(&digest).await.unwrap()), (true, 7));
        let object = blobs.object_store().get(&digest.blob_path().into()).await.unwrap();
        assert_eq!(&object.bytes().await.unwrap()[..], b"flights");
        let other = Digest::of(b"other");
        assert!(!blobs.exists(&other).await.unwrap());
        assert!(matches!(blobs.get(&other).await, Err(BlobError::NotFound(missing)) if missing == other));
        assert!(matches!(blobs.size(&other).await, Err(BlobError::NotFound(_))));
    }
}

#[tokio::test]
async fn a_file_becomes_a_blob_without_a_copy_where_it_can() {
    let (_folder, stores) = stores();
    for blobs in stores {
        let scratch = blobs.scratch_dir().unwrap();
        let path = scratch.path().join("part-0.parquet");
        fs::write(&path, b"rows").unwrap();
        let wrong = blobs.put_file(&path, Some(Digest::of(b"other"))).await.unwrap_err();
        assert!(matches!(wrong, BlobError::Mismatch { .. }), "{wrong}");
        assert!(!blobs.exists(&Digest::of(b"rows")).await.unwrap());
        let (digest, bytes) = blobs.put_file(&path, Some(Digest::of(b"rows"))).await.unwrap();
        assert_eq!((digest, bytes), (Digest::of(b"rows"), 4));
        assert_eq!(blobs.put_file(&path, None).await.unwrap(), (digest, bytes));
        if let Some(folder) = blobs.folder() {
            use std::os::unix::fs::MetadataExt as _;
            assert_eq!(fs::metadata(folder.path(&digest)).unwrap().ino(), fs::metadata(&path).unwrap().ino());
            assert!(fs::metadata(&path).unwrap().permissions().readonly());
        }
        drop(scratch);
        assert_eq!(&blobs.get(&digest).await.unwrap()[..], b"rows");
    }
}

#[tokio::test]
async fn a_file_on_another_file_system_is_copied() {
    let (_folder, [local, _]) = stores();
    let Ok(elsewhere) = tempfile::tempdir_in("/dev/shm") else { return };
    let path = elsewhere.path().join("rows");
    fs::write(&path, b"rows").unwrap();
    let (digest, _) = local.put_file(&path, None).await.unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(&local.get(&digest).await.unwrap()[..], b"rows");
    let fetched = local.fetch_to(&digest, elsewhere.path()).await.unwrap();
    assert_eq!(fs::read(fetched).unwrap(), b"rows");
}

#[tokio::test]
async fn a_streamed_body_is_stored_whole() {
    let (_folder, stores) = stores();
    for blobs in stores {
        let chunk = vec![7; 300_000];
        let chunks: Vec<_> = (0..70).map(|_| Ok::<_, String>(Bytes::from(chunk.clone()))).collect();
        let expected = Digest::of(&chunk.repeat(70));
        let (digest, bytes) = blobs.put_stream(stream::iter(chunks), Some(expected), 21_000_000).await.unwrap();
        assert_eq!((digest, bytes), (expected, 21_000_000));
        let read: Vec<_> = blobs.get_stream(&digest).await.unwrap().try_collect().await.unwrap();
        assert_eq!(Digest::of(&read.concat()), expected);
    }
}

#[tokio::test]
async fn a_refused_body_leaves_nothing_behind() {
    let (folder, stores) = stores();
    for blobs in &stores {
        let wrong = blobs.put_stream(body(&[b"ab", b"c"]), Some(Digest::of(b"abd")), 9).await.unwrap_err();
        assert!(wrong.to_string().contains(&Digest::of(b"abc").to_string()), "{wrong}");
        let large = blobs.put_stream(body(&[b"ab", b"c"]), None, 2).await.unwrap_err();
        assert_eq!(large.to_string(), "the body has more than 2 bytes, the most that is taken");
        let cut = stream::iter([Ok(Bytes::from_static(b"ab")), Err("connection reset")]);
        let early = blobs.put_stream(cut, None, 9).await.unwrap_err();
        assert_eq!(early.to_string(), "the body ended early: connection reset");
        assert!(!blobs.exists(&Digest::of(b"abc")).await.unwrap());
        assert_eq!(files_in(blobs.scratch()), NO_FILES);
    }
    assert_eq!(files_in(folder.path()), NO_FILES);
}

#[tokio::test]
async fn a_damaged_blob_is_noticed_by_every_way_to_read_it() {
    let (_folder, [local, _]) = stores();
    let digest = local.put_bytes(Bytes::from_static(b"flights")).await.unwrap();
    let path = local.folder().unwrap().path(&digest);
    fs::remove_file(&path).unwrap();
    fs::write(&path, b"fLights").unwrap();
    assert!(matches!(local.get(&digest).await, Err(BlobError::Damaged { .. })));
    let streamed: Result<Vec<_>> = local.get_stream(&digest).await.unwrap().try_collect().await;
    assert!(matches!(streamed, Err(BlobError::Damaged { .. })));
    let scratch = local.scratch_dir().unwrap();
    assert!(matches!(local.fetch_to(&digest, scratch.path()).await, Err(BlobError::Damaged { .. })));
}

#[tokio::test]
async fn a_fetched_file_has_the_blobs_bytes() {
    let (_folder, stores) = stores();
    for blobs in stores {
        let digest = blobs.put_bytes(Bytes::from_static(b"flights")).await.unwrap();
        let scratch = blobs.scratch_dir().unwrap();
        let path = blobs.fetch_to(&digest, scratch.path()).await.unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"flights");
        assert_eq!(blobs.fetch_to(&digest, scratch.path()).await.unwrap(), path);
        let missing = blobs.fetch_to(&Digest::of(b"other"), scratch.path()).await.unwrap_err();
        assert!(matches!(missing, BlobError::NotFound(_)), "{missing}");
    }
}

#[tokio::test]
async fn what_a_killed_process_left_is_cleared_at_start() {
    let (_folder, stores) = stores();
    for blobs in stores {
        let digest = blobs.put_bytes(Bytes::from_static(b"flights")).await.unwrap();
        let left = blobs.scratch_dir().unwrap().keep();
        fs::write(left.join("half"), b"x").unwrap();
        blobs.clear_scratch().unwrap();
        assert!(!left.exists());
        assert!(blobs.exists(&digest).await.unwrap());
    }
}

#[tokio::test]
async fn many_writers_of_one_blob_leave_one_whole_blob() {
    let (_folder, stores) = stores();
    for blobs in stores {
        let writers: JoinSet<_> = (0..16)
            .map(|_| {
                let blobs = blobs.clone();
                async move { blobs.put_bytes(Bytes::from(vec![9; 100_000])).await.unwrap() }
            })
            .collect();
        assert_eq!(writers.join_all().await, [Digest::of(&[9; 100_000]); 16]);
        assert_eq!(blobs.get(&Digest::of(&[9; 100_000])).await.unwrap().len(), 100_000);
        assert_eq!(files_in(blobs.scratch()), NO_FILES);
    }
}

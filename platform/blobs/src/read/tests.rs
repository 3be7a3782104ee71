use futures::TryStreamExt as _;

use super::*;

fn stores() -> (tempfile::TempDir, [Blobs; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let local = Blobs::open(folder.path().join("blobs").to_str().unwrap(), vec![]).unwrap();
    (folder, [local, Blobs::open("memory:///", vec![]).unwrap()])
}

fn counted(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at % 251) as u8).collect()
}

#[tokio::test]
async fn a_range_is_read_alone() {
    let (_folder, stores) = stores();
    let body = counted(1_300_000);
    for blobs in stores {
        let digest = blobs.put_bytes(body.clone().into()).await.unwrap();
        for range in [0..1, 5..5, 0..1_300_000, 1_299_999..1_300_000, 500_000..1_200_000] {
            let read: Vec<_> = blobs.get_range(&digest, range.clone()).await.unwrap().try_collect().await.unwrap();
            assert_eq!(read.concat(), body[range.start as usize..range.end as usize], "{range:?}");
        }
        let missing = blobs.get_range(&Digest::of(b"other"), 0..1).await.err().unwrap();
        assert!(matches!(missing, BlobError::NotFound(_)), "{missing}");
    }
}

#[tokio::test]
async fn an_empty_blob_is_a_stream_without_chunks() {
    let (_folder, stores) = stores();
    for blobs in stores {
        let digest = blobs.put_bytes(Bytes::new()).await.unwrap();
        let read: Vec<_> = blobs.get_stream(&digest).await.unwrap().try_collect().await.unwrap();
        assert_eq!(read.concat(), b"");
    }
}

#[tokio::test]
async fn a_damaged_blob_never_arrives_whole() {
    let (_folder, [local, _]) = stores();
    let mut body = counted(1_300_000);
    let digest = local.put_bytes(body.clone().into()).await.unwrap();
    body[7] ^= 1;
    let path = local.folder().unwrap().path(&digest);
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, &body).unwrap();
    let (mut stream, mut bytes) = (local.get_stream(&digest).await.unwrap(), 0);
    let error = loop {
        match stream.try_next().await {
            Ok(chunk) => bytes += chunk.expect("an error ends the stream").len(),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, BlobError::Damaged { .. }), "{error}");
    assert!(bytes < body.len());
}

#[tokio::test]
async fn what_is_stored_again_mends_a_blob_that_was_cut_short() {
    let (_folder, [local, _]) = stores();
    let digest = local.put_bytes(Bytes::from_static(b"flights")).await.unwrap();
    let path = local.folder().unwrap().path(&digest);
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, b"fl").unwrap();
    local.put_bytes(Bytes::from_static(b"flights")).await.unwrap();
    assert_eq!(local.get(&digest).await.unwrap(), "flights");
}

#[tokio::test]
async fn a_blob_that_is_stored_again_is_young_again() {
    let (_folder, [local, _]) = stores();
    let digest = local.put_bytes(Bytes::from_static(b"flights")).await.unwrap();
    let path = local.folder().unwrap().path(&digest);
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000);
    File::open(&path).unwrap().set_modified(old).unwrap();
    local.put_bytes(Bytes::from_static(b"flights")).await.unwrap();
    assert!(std::fs::metadata(&path).unwrap().modified().unwrap() > old);
}

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

const GRACE: Duration = Duration::from_secs(60);

fn stores() -> (tempfile::TempDir, [Blobs; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let open = |place: &str| Blobs::open_with(place, vec![], GRACE).unwrap();
    let stores = [open(folder.path().to_str().unwrap()), open("memory:///tenant")];
    (folder, stores)
}

/// When all that is stored now is stale.
fn later() -> SystemTime {
    now() + 2 * GRACE
}

fn now() -> SystemTime {
    #[expect(clippy::disallowed_methods, reason = "the stores take this clock")]
    SystemTime::now()
}

async fn all_stale(blobs: &Blobs, now: SystemTime) -> Vec<StaleBlob> {
    let mut all = Vec::new();
    for group in 0..GROUPS {
        all.extend(blobs.stale(group as u8, now).await.unwrap());
    }
    all.sort();
    all
}

#[tokio::test]
async fn a_blob_is_stale_once_nobody_stored_it_for_the_grace_period() {
    let (_folder, stores) = stores();
    for blobs in stores {
        let digest = blobs.put_bytes("hello".into()).await.unwrap();
        assert_eq!(all_stale(&blobs, now()).await, []);
        assert!(!blobs.remove_stale(&digest, now()).await.unwrap(), "it is young");
        assert_eq!(all_stale(&blobs, later()).await, [StaleBlob { digest, bytes: 5 }]);
        assert!(blobs.remove_stale(&digest, later()).await.unwrap());
        assert!(!blobs.remove_stale(&digest, later()).await.unwrap(), "it is gone");
        assert!(!blobs.exists(&digest).await.unwrap());
        assert!(!blobs.renew(&digest).await.unwrap());
        assert_eq!(blobs.put_bytes("hello".into()).await.unwrap(), digest);
        assert_eq!(blobs.get(&digest).await.unwrap(), "hello");
    }
}

#[tokio::test]
async fn storing_and_renewing_makes_an_old_blob_young() {
    let (folder, [blobs, _]) = stores();
    let digest = blobs.put_bytes("hello".into()).await.unwrap();
    let age = || {
        let file = std::fs::File::open(folder.path().join(digest.blob_path())).unwrap();
        file.set_modified(now() - 2 * GRACE).unwrap();
    };
    age();
    assert_eq!(all_stale(&blobs, now()).await.len(), 1);
    blobs.put_bytes("hello".into()).await.unwrap();
    assert_eq!(all_stale(&blobs, now()).await, []);
    age();
    assert!(blobs.renew(&digest).await.unwrap());
    assert!(!blobs.remove_stale(&digest, now()).await.unwrap());
    age();
    let scratch = blobs.scratch_dir().unwrap();
    let file = scratch.path().join("file");
    std::fs::write(&file, "hello").unwrap();
    blobs.put_file(&file, None).await.unwrap();
    assert_eq!(all_stale(&blobs, now()).await, []);
}

#[tokio::test]
async fn an_old_object_of_a_remote_store_is_stored_again() {
    let blobs = Blobs::open_with("memory:///tenant", vec![], Duration::from_millis(40)).unwrap();
    let digest = blobs.put_bytes("hello".into()).await.unwrap();
    assert!(blobs.renew(&digest).await.unwrap());
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert!(!blobs.renew(&digest).await.unwrap(), "a sender is asked to send it again");
    assert_eq!(all_stale(&blobs, now()).await.len(), 1);
    blobs.put_bytes("hello".into()).await.unwrap();
    assert_eq!(all_stale(&blobs, now()).await, []);
}

#[tokio::test]
async fn what_an_interrupted_sweep_was_removing_comes_back() {
    let (folder, [blobs, _]) = stores();
    let digest = blobs.put_bytes("hello".into()).await.unwrap();
    let again = blobs.put_bytes("again".into()).await.unwrap();
    let removed = folder.path().join(".removed");
    std::fs::rename(folder.path().join(digest.blob_path()), removed.join(digest.hex())).unwrap();
    std::fs::copy(folder.path().join(again.blob_path()), removed.join(again.hex())).unwrap();
    assert!(!blobs.exists(&digest).await.unwrap());
    let reopened = Blobs::open_with(folder.path().to_str().unwrap(), vec![], GRACE).unwrap();
    assert_eq!(reopened.get(&digest).await.unwrap(), "hello");
    assert_eq!(reopened.get(&again).await.unwrap(), "again");
    assert_eq!(std::fs::read_dir(&removed).unwrap().count(), 0);
}

/// What is stored is there, however often it is swept away as stale at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_blob_that_is_stored_while_it_is_swept_is_there() {
    let (folder, [blobs, _]) = stores();
    let body = "raced";
    let digest = blobs.put_bytes(body.into()).await.unwrap();
    let path = folder.path().join(digest.blob_path());
    let done = std::sync::Arc::new(AtomicBool::new(false));
    let (sweeper, stop) = (blobs.clone(), done.clone());
    #[expect(clippy::disallowed_methods, reason = "the test waits for it")]
    let sweeping = tokio::spawn(async move {
        let mut swept = 0;
        while !stop.load(Ordering::Relaxed) {
            swept += u32::from(sweeper.remove_stale(&digest, now()).await.unwrap());
        }
        swept
    });
    for _ in 0..500 {
        // As old as the sweep needs it, so that it and the writer meet.
        if let Ok(file) = std::fs::File::open(&path) {
            file.set_modified(now() - 2 * GRACE).unwrap();
        }
        blobs.put_bytes(body.into()).await.unwrap();
        // The sweep may be looking at it, and then it comes back.
        let mut looks = 0;
        while !path.exists() {
            looks += 1;
            assert!(looks < 1_000, "an acknowledged blob is gone");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    done.store(true, Ordering::Relaxed);
    assert!(sweeping.await.unwrap() > 0, "the sweep never met an old blob");
}

#[tokio::test]
async fn parts_are_stale_once_their_upload_got_none_for_the_grace_period() {
    let (_folder, stores) = stores();
    for blobs in stores {
        assert_eq!(blobs.stale_uploads(later()).await.unwrap(), [""; 0]);
        let body = futures::stream::iter([Ok::<_, String>("part".into())]);
        blobs.put_part(("u1", 1), body, 9).await.unwrap();
        assert_eq!(blobs.stale_uploads(now()).await.unwrap(), [""; 0]);
        assert_eq!(blobs.stale_uploads(later()).await.unwrap(), ["u1"]);
    }
}

//! A body on its way into a file: taken in batches, each written and hashed at once while the next one arrives.
//!
//! No thread waits for the sender, however slow it is, and no more than two batches are in memory.

use std::fmt::Display;
use std::io::Write as _;
use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _};
use tempfile::NamedTempFile;
use tiegel_types::{Digest, Hasher};
use tokio::task::JoinHandle;

use crate::write::lost;
use crate::{BlobError, Result};

/// What is hashed and written in one go, off the async executor. A smaller body is never a file of its own.
const BATCH_BYTES: usize = 1 << 20;
/// From here on the disk is set to work before the last byte is there.
const SYNC_BYTES: usize = 64 << 20;

/// A body that counts what it gave.
pub(crate) struct Intake<'a, S> {
    body: Pin<&'a mut S>,
    bytes_max: u64,
    pub bytes: u64,
    pub has_ended: bool,
}

impl<'a, S, E> Intake<'a, S>
where
    S: Stream<Item = std::result::Result<Bytes, E>> + Send,
    E: Display,
{
    pub fn new(body: Pin<&'a mut S>, bytes_max: u64) -> Self {
        Self { body, bytes_max, bytes: 0, has_ended: false }
    }

    pub async fn batch(&mut self) -> Result<Vec<Bytes>> {
        let (mut chunks, mut size) = (Vec::new(), 0);
        while size < BATCH_BYTES {
            let Some(chunk) = self.body.next().await else {
                self.has_ended = true;
                break;
            };
            let chunk = chunk.map_err(|error| BlobError::Body(error.to_string()))?;
            size += chunk.len();
            self.bytes += chunk.len() as u64;
            if self.bytes > self.bytes_max {
                return Err(BlobError::TooLarge { bytes_max: self.bytes_max });
            }
            chunks.push(chunk);
        }
        Ok(chunks)
    }
}

/// Chunks as one.
pub(crate) fn joined(mut chunks: Vec<Bytes>) -> Bytes {
    if chunks.len() <= 1 {
        return chunks.pop().unwrap_or_default();
    }
    let mut all = BytesMut::with_capacity(chunks.iter().map(Bytes::len).sum());
    chunks.iter().for_each(|chunk| all.extend_from_slice(chunk));
    all.freeze()
}

/// A temporary file that bodies go to, between two batches.
pub(crate) struct Sink {
    file: NamedTempFile,
    hasher: Hasher,
    unsynced_bytes: usize,
    syncing: Option<JoinHandle<()>>,
}

/// A batch that is being written and hashed.
pub(crate) struct Busy {
    writing: JoinHandle<Result<NamedTempFile>>,
    hashing: JoinHandle<Hasher>,
    unsynced_bytes: usize,
    syncing: Option<JoinHandle<()>>,
}

impl Sink {
    pub fn new(file: NamedTempFile) -> Self {
        Self { file, hasher: Hasher::default(), unsynced_bytes: 0, syncing: None }
    }

    pub fn start(mut self, chunks: Vec<Bytes>) -> Busy {
        self.unsynced_bytes += chunks.iter().map(Bytes::len).sum::<usize>();
        self.sync_ahead();
        let Self { mut file, mut hasher, unsynced_bytes, syncing } = self;
        let same = chunks.clone();
        let hashing = tokio::task::spawn_blocking(move || {
            same.iter().for_each(|chunk| hasher.update(chunk));
            hasher
        });
        let writing = tokio::task::spawn_blocking(move || {
            for chunk in chunks {
                file.write_all(&chunk).map_err(BlobError::io(file.path()))?;
            }
            Ok(file)
        });
        Busy { writing, hashing, unsynced_bytes, syncing }
    }

    /// The file is synced once more at the end, which is when an error counts.
    fn sync_ahead(&mut self) {
        let is_free = self.syncing.as_ref().is_none_or(JoinHandle::is_finished);
        if self.unsynced_bytes < SYNC_BYTES || !is_free {
            return;
        }
        let Ok(file) = self.file.as_file().try_clone() else { return };
        self.unsynced_bytes = 0;
        self.syncing = Some(tokio::task::spawn_blocking(move || {
            if let Err(error) = file.sync_data() {
                tracing::warn!(%error, "cannot sync a file that is being written");
            }
        }));
    }

    pub fn finish(self) -> (NamedTempFile, Digest) {
        (self.file, self.hasher.finish())
    }
}

impl Busy {
    pub async fn done(self) -> Result<Sink> {
        let Self { writing, hashing, unsynced_bytes, syncing } = self;
        let file = writing.await.map_err(lost)??;
        let hasher = hashing.await.map_err(lost)?;
        Ok(Sink { file, hasher, unsynced_bytes, syncing })
    }
}

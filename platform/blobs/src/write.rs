use std::fmt::Display;
use std::io::{Read as _, Write as _};
use std::path::Path;

use bytes::Bytes;
use futures::Stream;
use object_store::{ObjectStoreExt as _, WriteMultipart};
use tempfile::NamedTempFile;
use tiegel_types::{Digest, Hasher};

use crate::intake::{Intake, Sink, joined};
use crate::{BlobError, Blobs, Result};

/// What is read in one go.
const CHUNK_BYTES: usize = 1 << 20;
/// Uploads in parts from this size on.
const MULTIPART_BYTES_MIN: u64 = 16 << 20;
const PART_BYTES: usize = 8 << 20;
const PARTS_AT_ONCE_MAX: usize = 4;

impl Blobs {
    /// Stores bytes that are in memory.
    #[tracing::instrument(name = "blobs.put_bytes", level = "debug", skip_all, fields(bytes = bytes.len()))]
    pub async fn put_bytes(&self, bytes: Bytes) -> Result<Digest> {
        self.put_checked(bytes, None).await
    }

    async fn put_checked(&self, bytes: Bytes, expected: Option<Digest>) -> Result<Digest> {
        let blobs = self.clone();
        let body = bytes.clone();
        let (digest, stored) = blocking(move || {
            let digest = Digest::of(&body);
            check(expected, digest)?;
            let Some(folder) = blobs.folder() else { return Ok((digest, false)) };
            if !folder.has(&digest, body.len() as u64)? {
                let mut file = blobs.temp_file()?;
                file.write_all(&body).map_err(BlobError::io(blobs.scratch()))?;
                folder.place(file, &digest)?;
            }
            Ok((digest, true))
        })
        .await?;
        if stored {
            return Ok(digest);
        }
        let _writing = self.writing(&digest).await;
        if !self.is_young(&digest).await? {
            self.objects().put(&Self::object_path(&digest), bytes.into()).await?;
        }
        Ok(digest)
    }

    /// Stores a file and answers its digest and size in bytes. The file is handed over: in the same file system it
    /// becomes the blob, under its old name too, and is read-only from then on. An `expected` digest that differs
    /// refuses it.
    #[tracing::instrument(name = "blobs.put_file", level = "debug", skip_all)]
    pub async fn put_file(&self, path: &Path, expected: Option<Digest>) -> Result<(Digest, u64)> {
        let blobs = self.clone();
        let file = path.to_owned();
        let (digest, bytes) = blocking(move || {
            let (digest, bytes) = digest_file(&file)?;
            check(expected, digest)?;
            let Some(folder) = blobs.folder() else { return Ok((digest, bytes)) };
            if !folder.has(&digest, bytes)? && !folder.link(&file, &digest)? {
                let mut copy = blobs.temp_file()?;
                let mut source = std::fs::File::open(&file).map_err(BlobError::io(&file))?;
                std::io::copy(&mut source, &mut copy).map_err(BlobError::io(blobs.scratch()))?;
                folder.place(copy, &digest)?;
            }
            Ok((digest, bytes))
        })
        .await?;
        if self.folder().is_none() {
            self.upload(path, &digest, bytes).await?;
        }
        Ok((digest, bytes))
    }

    /// Stores a body as it arrives and answers its digest and size in bytes. More than `bytes_max` bytes, or another
    /// digest than `expected`, are refused.
    #[tracing::instrument(name = "blobs.put_stream", level = "debug", skip_all)]
    pub async fn put_stream<S, E>(&self, body: S, expected: Option<Digest>, bytes_max: u64) -> Result<(Digest, u64)>
    where
        S: Stream<Item = std::result::Result<Bytes, E>> + Send,
        E: Display,
    {
        let body = std::pin::pin!(body);
        let mut intake = Intake::new(body, bytes_max);
        let first = intake.batch().await?;
        if intake.has_ended {
            return Ok((self.put_checked(joined(first), expected).await?, intake.bytes));
        }
        let (file, digest) = self.receive(first, &mut intake).await?;
        check(expected, digest)?;
        self.keep(file, &digest, intake.bytes).await?;
        Ok((digest, intake.bytes))
    }

    /// The whole body in a temporary file.
    pub(crate) async fn receive<S, E>(
        &self,
        first: Vec<Bytes>,
        intake: &mut Intake<'_, S>,
    ) -> Result<(NamedTempFile, Digest)>
    where
        S: Stream<Item = std::result::Result<Bytes, E>> + Send,
        E: Display,
    {
        let mut busy = Sink::new(self.temp_file()?).start(first);
        while !intake.has_ended {
            let batch = intake.batch().await;
            // The write ends before a refusal is answered: no file is left that a slow disk still holds.
            busy = busy.done().await?.start(batch?);
        }
        Ok(busy.done().await?.finish())
    }

    async fn keep(&self, file: NamedTempFile, digest: &Digest, bytes: u64) -> Result<()> {
        if self.folder().is_none() {
            return self.upload(file.path(), digest, bytes).await;
        }
        let (blobs, digest) = (self.clone(), *digest);
        blocking(move || match blobs.folder() {
            Some(folder) if !folder.has(&digest, bytes)? => folder.place(file, &digest),
            _ => Ok(()),
        })
        .await
    }

    /// Sends a file to a remote store, where an object appears whole once its last part is there.
    async fn upload(&self, path: &Path, digest: &Digest, bytes: u64) -> Result<()> {
        let _writing = self.writing(digest).await;
        if self.is_young(digest).await? {
            return Ok(());
        }
        self.send(path, &Self::object_path(digest), bytes).await
    }

    pub(crate) async fn send(&self, path: &Path, object: &object_store::path::Path, bytes: u64) -> Result<()> {
        if bytes < MULTIPART_BYTES_MIN {
            let body = tokio::fs::read(path).await.map_err(BlobError::io(path))?;
            self.objects().put(object, body.into()).await?;
            return Ok(());
        }
        let upload = self.objects().put_multipart(object).await?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
        match send_parts(path, &mut writer).await {
            Ok(()) => drop(writer.finish().await?),
            Err(error) => {
                // The first error is the one to report; an abort that fails leaves parts for the bucket's own expiry.
                if let Err(abort) = writer.abort().await {
                    tracing::warn!(%object, error = %abort, "could not abort an upload");
                }
                return Err(error);
            }
        }
        Ok(())
    }

    pub(crate) fn temp_file(&self) -> Result<NamedTempFile> {
        NamedTempFile::with_prefix_in("put-", self.scratch()).map_err(BlobError::io(self.scratch()))
    }
}

async fn send_parts(path: &Path, writer: &mut WriteMultipart) -> Result<()> {
    use tokio::io::AsyncReadExt as _;

    let mut file = tokio::fs::File::open(path).await.map_err(BlobError::io(path))?;
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let read = file.read(&mut buffer).await.map_err(BlobError::io(path))?;
        if read == 0 {
            return Ok(());
        }
        writer.wait_for_capacity(PARTS_AT_ONCE_MAX).await?;
        writer.write(&buffer[..read]);
    }
}

pub(crate) fn check(expected: Option<Digest>, actual: Digest) -> Result<()> {
    match expected {
        Some(expected) if expected != actual => Err(BlobError::Mismatch { expected, actual }),
        _ => Ok(()),
    }
}

/// The digest and the size in bytes of a file.
pub(crate) fn digest_file(path: &Path) -> Result<(Digest, u64)> {
    let mut file = std::fs::File::open(path).map_err(BlobError::io(path))?;
    let (mut hasher, mut total) = (Hasher::default(), 0);
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let read = file.read(&mut buffer).map_err(BlobError::io(path))?;
        if read == 0 {
            return Ok((hasher.finish(), total));
        }
        hasher.update(&buffer[..read]);
        total += read as u64;
    }
}

/// Runs disk and hash work off the async executor.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(lost)?
}

pub(crate) fn lost(error: tokio::task::JoinError) -> BlobError {
    BlobError::Io { what: "blob work on a background thread".to_owned(), source: error.into() }
}

#[cfg(test)]
mod tests;

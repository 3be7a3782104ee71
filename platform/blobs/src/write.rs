use std::fmt::Display;
use std::io::{Read as _, Write as _};
use std::path::Path;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use object_store::{ObjectStoreExt as _, WriteMultipart};
use tempfile::NamedTempFile;
use tiegel_types::{Digest, Hasher};

use crate::{BlobError, Blobs, Result};

/// What is hashed and written in one go, off the async executor.
const CHUNK_BYTES: usize = 1 << 20;
/// Uploads in parts from this size on.
const MULTIPART_BYTES_MIN: u64 = 16 << 20;
const PART_BYTES: usize = 8 << 20;
const PARTS_AT_ONCE_MAX: usize = 4;

impl Blobs {
    /// Stores bytes that are in memory.
    #[tracing::instrument(name = "blobs.put_bytes", level = "debug", skip_all, fields(bytes = bytes.len()))]
    pub async fn put_bytes(&self, bytes: Bytes) -> Result<Digest> {
        let blobs = self.clone();
        let body = bytes.clone();
        let (digest, stored) = blocking(move || {
            let digest = Digest::of(&body);
            let Some(folder) = blobs.folder() else { return Ok((digest, false)) };
            if !folder.has(&digest)? {
                let mut file = blobs.temp_file()?;
                file.write_all(&body).map_err(BlobError::io(blobs.scratch()))?;
                folder.place(file, &digest)?;
            }
            Ok((digest, true))
        })
        .await?;
        if !stored && !self.exists(&digest).await? {
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
            if !folder.has(&digest)? && !folder.link(&file, &digest)? {
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
        let mut body = std::pin::pin!(body);
        let mut sink = Sink { file: self.temp_file()?, hasher: Hasher::default(), bytes: 0 };
        let mut pending = Vec::new();
        let mut total = 0;
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| BlobError::Body(error.to_string()))?;
            total += chunk.len() as u64;
            if total > bytes_max {
                return Err(BlobError::TooLarge { bytes_max });
            }
            pending.push(chunk);
            if pending.iter().map(Bytes::len).sum::<usize>() >= CHUNK_BYTES {
                sink = sink.write(std::mem::take(&mut pending)).await?;
            }
        }
        let Sink { file, hasher, bytes } = sink.write(pending).await?;
        let digest = hasher.finish();
        check(expected, digest)?;
        self.keep(file, &digest, bytes).await?;
        Ok((digest, bytes))
    }

    async fn keep(&self, file: NamedTempFile, digest: &Digest, bytes: u64) -> Result<()> {
        if self.folder().is_none() {
            return self.upload(file.path(), digest, bytes).await;
        }
        let (blobs, digest) = (self.clone(), *digest);
        blocking(move || match blobs.folder() {
            Some(folder) if !folder.has(&digest)? => folder.place(file, &digest),
            _ => Ok(()),
        })
        .await
    }

    /// Sends a file to a remote store, where an object appears whole once its last part is there.
    async fn upload(&self, path: &Path, digest: &Digest, bytes: u64) -> Result<()> {
        if self.exists(digest).await? {
            return Ok(());
        }
        let object = Self::object_path(digest);
        if bytes < MULTIPART_BYTES_MIN {
            let body = tokio::fs::read(path).await.map_err(BlobError::io(path))?;
            self.objects().put(&object, body.into()).await?;
            return Ok(());
        }
        let upload = self.objects().put_multipart(&object).await?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
        match send_parts(path, &mut writer).await {
            Ok(()) => drop(writer.finish().await?),
            Err(error) => {
                // The first error is the one to report; an abort that fails leaves parts for the bucket's own expiry.
                if let Err(abort) = writer.abort().await {
                    tracing::warn!(%digest, error = %abort, "could not abort an upload");
                }
                return Err(error);
            }
        }
        Ok(())
    }

    fn temp_file(&self) -> Result<NamedTempFile> {
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

/// A body under way to a temporary file.
struct Sink {
    file: NamedTempFile,
    hasher: Hasher,
    bytes: u64,
}

impl Sink {
    async fn write(mut self, chunks: Vec<Bytes>) -> Result<Self> {
        blocking(move || {
            for chunk in chunks {
                self.hasher.update(&chunk);
                self.bytes += chunk.len() as u64;
                self.file.write_all(&chunk).map_err(BlobError::io(self.file.path()))?;
            }
            Ok(self)
        })
        .await
    }
}

fn check(expected: Option<Digest>, actual: Digest) -> Result<()> {
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
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| BlobError::Io { what: "blob work on a background thread".to_owned(), source: error.into() })?
}

#[cfg(test)]
mod tests;

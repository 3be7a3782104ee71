use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::{GetOptions, GetRange, GetResult, ObjectStoreExt as _};
use tiegel_types::{Digest, Hasher};
use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinHandle;

use crate::write::{blocking, digest_file};
use crate::{BlobError, Blobs, Result};

/// Read in one go, off the async executor; while one chunk is sent the next is read.
const READ_BYTES: u64 = 512 << 10;

/// Bytes as they are read. An error is the last item.
pub type ByteStream = BoxStream<'static, Result<Bytes>>;

impl Blobs {
    /// All bytes of a blob, checked. For blobs that fit in memory.
    #[tracing::instrument(name = "blobs.get", level = "debug", skip_all, fields(%digest))]
    pub async fn get(&self, digest: &Digest) -> Result<Bytes> {
        let bytes = self.open_blob(digest, None).await?.bytes().await?;
        let digest = *digest;
        blocking(move || {
            let actual = Digest::of(&bytes);
            if actual == digest { Ok(bytes) } else { Err(BlobError::Damaged { digest, actual }) }
        })
        .await
    }

    /// The bytes of a blob as they are read. If they are not the blob's, an error stands in the place of the last ones,
    /// so that no reader takes a damaged blob for whole.
    #[tracing::instrument(name = "blobs.get_stream", level = "debug", skip_all, fields(%digest))]
    pub async fn get_stream(&self, digest: &Digest) -> Result<ByteStream> {
        let check = Check { hasher: Hasher::default(), digest: *digest };
        if let Some(path) = self.folder().map(|folder| folder.path(digest)) {
            return stream_file(path, None, Some(check)).await.map_err(|error| absent(error, digest));
        }
        let object = self.open_blob(digest, None).await?;
        Ok(checked(object.meta.size, object.into_stream(), check))
    }

    /// Some of a blob's bytes, which must lie within it. They are not checked: only the whole has a digest.
    #[tracing::instrument(name = "blobs.get_range", level = "debug", skip_all, fields(%digest))]
    pub async fn get_range(&self, digest: &Digest, range: Range<u64>) -> Result<ByteStream> {
        if let Some(path) = self.folder().map(|folder| folder.path(digest)) {
            return stream_file(path, Some(range), None).await.map_err(|error| absent(error, digest));
        }
        if range.is_empty() {
            return Ok(stream::empty().boxed());
        }
        Ok(self.open_blob(digest, Some(range)).await?.into_stream().map_err(BlobError::from).boxed())
    }

    /// Puts a blob, checked, as a file into a folder, and answers its path. Read it only: it may be the blob itself.
    #[tracing::instrument(name = "blobs.fetch_to", level = "debug", skip_all, fields(%digest))]
    pub async fn fetch_to(&self, digest: &Digest, dir: &Path) -> Result<PathBuf> {
        let path = dir.join(digest.hex());
        if let Some(source) = self.folder().map(|folder| folder.path(digest))
            && link_checked(source, path.clone(), *digest).await?
        {
            return Ok(path);
        }
        let mut bytes = self.get_stream(digest).await?;
        let mut file = tokio::fs::File::create(&path).await.map_err(BlobError::io(&path))?;
        while let Some(chunk) = bytes.try_next().await? {
            file.write_all(&chunk).await.map_err(BlobError::io(&path))?;
        }
        file.flush().await.map_err(BlobError::io(&path))?;
        Ok(path)
    }

    #[tracing::instrument(name = "blobs.exists", level = "debug", skip_all, fields(%digest))]
    pub async fn exists(&self, digest: &Digest) -> Result<bool> {
        match self.size(digest).await {
            Ok(_) => Ok(true),
            Err(BlobError::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// In bytes.
    pub async fn size(&self, digest: &Digest) -> Result<u64> {
        let meta = self.objects().head(&Self::object_path(digest)).await;
        Ok(meta.map_err(|error| missing(error, digest))?.size)
    }

    async fn open_blob(&self, digest: &Digest, range: Option<Range<u64>>) -> Result<GetResult> {
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        let object = self.objects().get_opts(&Self::object_path(digest), options).await;
        object.map_err(|error| missing(error, digest))
    }
}

/// What the bytes must be.
pub(crate) struct Check {
    pub hasher: Hasher,
    pub digest: Digest,
}

impl Check {
    fn verify(&self) -> Result<()> {
        let (digest, actual) = (self.digest, self.hasher.clone().finish());
        if actual == digest { Ok(()) } else { Err(BlobError::Damaged { digest, actual }) }
    }
}

/// A file's bytes, all or a range.
pub(crate) async fn stream_file(path: PathBuf, range: Option<Range<u64>>, check: Option<Check>) -> Result<ByteStream> {
    let reading = blocking(move || {
        let mut file = File::open(&path).map_err(BlobError::io(&path))?;
        let range = match range {
            Some(range) => range,
            None => 0..file.metadata().map_err(BlobError::io(&path))?.len(),
        };
        if range.start > 0 {
            file.seek(SeekFrom::Start(range.start)).map_err(BlobError::io(&path))?;
        }
        let left = range.end.saturating_sub(range.start);
        if let (0, Some(check)) = (left, &check) {
            check.verify()?;
        }
        Ok(Reading { path, file, left, check })
    })
    .await?;
    let chunks = stream::try_unfold(Ahead::At(reading), |ahead| async {
        let next = match ahead {
            Ahead::At(reading) if reading.left == 0 => return Ok(None),
            Ahead::At(reading) => blocking(|| reading.next()).await?,
            Ahead::Under(way) => way.await.map_err(crate::write::lost)??,
        };
        let (chunk, reading) = next;
        let ahead = if reading.left == 0 {
            Ahead::At(reading)
        } else {
            Ahead::Under(tokio::task::spawn_blocking(|| reading.next()))
        };
        Ok(Some((chunk, ahead)))
    });
    Ok(chunks.boxed())
}

/// Nothing is read before somebody asks, and no thread waits while somebody slow is sent a chunk.
enum Ahead {
    At(Reading),
    Under(JoinHandle<Result<(Bytes, Reading)>>),
}

struct Reading {
    path: PathBuf,
    file: File,
    left: u64,
    check: Option<Check>,
}

impl Reading {
    fn next(mut self) -> Result<(Bytes, Self)> {
        let want = self.left.min(READ_BYTES);
        let mut chunk = Vec::with_capacity(want as usize);
        (&mut self.file).take(want).read_to_end(&mut chunk).map_err(BlobError::io(&self.path))?;
        if (chunk.len() as u64) < want {
            return Err(BlobError::io(&self.path)(std::io::ErrorKind::UnexpectedEof.into()));
        }
        self.left -= want;
        if let Some(check) = &mut self.check {
            check.hasher.update(&chunk);
            if self.left == 0 {
                check.verify()?;
            }
        }
        Ok((chunk.into(), self))
    }
}

/// An object's bytes, hashed as they pass.
pub(crate) fn checked<S>(size: u64, bytes: S, check: Check) -> ByteStream
where
    S: futures::Stream<Item = object_store::Result<Bytes>> + Send + 'static,
{
    let state = (bytes.boxed(), check, size);
    let chunks = stream::try_unfold(state, |(mut bytes, check, left)| async move {
        let Some(chunk) = bytes.try_next().await? else {
            return if left == 0 { check.verify().map(|()| None) } else { Err(cut_short(&check.digest, left)) };
        };
        let left = left.saturating_sub(chunk.len() as u64);
        let hashed = blocking(move || {
            let mut check = check;
            check.hasher.update(&chunk);
            if left == 0 {
                check.verify()?;
            }
            Ok((chunk, check))
        });
        let (chunk, check) = hashed.await?;
        Ok(Some((chunk, (bytes, check, left))))
    });
    chunks.boxed()
}

fn cut_short(digest: &Digest, left: u64) -> BlobError {
    let source = std::io::Error::new(std::io::ErrorKind::UnexpectedEof, format!("{left} bytes are missing"));
    BlobError::Io { what: format!("blob {digest}"), source }
}

fn missing(error: object_store::Error, digest: &Digest) -> BlobError {
    match error {
        object_store::Error::NotFound { .. } => BlobError::NotFound(*digest),
        other => other.into(),
    }
}

fn absent(error: BlobError, digest: &Digest) -> BlobError {
    match error {
        BlobError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => BlobError::NotFound(*digest),
        other => other,
    }
}

/// Links a blob under another name; false where it has to be copied.
async fn link_checked(source: PathBuf, path: PathBuf, digest: Digest) -> Result<bool> {
    blocking(move || {
        match std::fs::hard_link(&source, &path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(BlobError::NotFound(digest)),
            Err(error) if error.kind() == std::io::ErrorKind::CrossesDevices => return Ok(false),
            Err(error) => return Err(BlobError::io(&path)(error)),
        }
        let (actual, _) = digest_file(&path)?;
        if actual == digest { Ok(true) } else { Err(BlobError::Damaged { digest, actual }) }
    })
    .await
}

#[cfg(test)]
mod tests;

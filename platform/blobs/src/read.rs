use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::{GetResult, ObjectStoreExt as _};
use tiegel_types::{Digest, Hasher};
use tokio::io::AsyncWriteExt as _;

use crate::write::{blocking, digest_file};
use crate::{BlobError, Blobs, Result};

impl Blobs {
    /// All bytes of a blob, checked. For blobs that fit in memory.
    #[tracing::instrument(name = "blobs.get", level = "debug", skip_all, fields(%digest))]
    pub async fn get(&self, digest: &Digest) -> Result<Bytes> {
        let bytes = self.open_blob(digest).await?.bytes().await?;
        let digest = *digest;
        blocking(move || {
            let actual = Digest::of(&bytes);
            if actual == digest { Ok(bytes) } else { Err(BlobError::Damaged { digest, actual }) }
        })
        .await
    }

    /// The bytes of a blob as they are read. The last item is an error if they were not the blob's.
    #[tracing::instrument(name = "blobs.get_stream", level = "debug", skip_all, fields(%digest))]
    pub async fn get_stream(&self, digest: &Digest) -> Result<BoxStream<'static, Result<Bytes>>> {
        let bytes = self.open_blob(digest).await?.into_stream();
        let digest = *digest;
        let checked = stream::try_unfold(Some((bytes, Hasher::default())), move |state| async move {
            let Some((mut bytes, mut hasher)) = state else { return Ok(None) };
            if let Some(chunk) = bytes.try_next().await? {
                hasher.update(&chunk);
                return Ok(Some((chunk, Some((bytes, hasher)))));
            }
            let actual = hasher.finish();
            if actual == digest { Ok(None) } else { Err(BlobError::Damaged { digest, actual }) }
        });
        Ok(checked.boxed())
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

    async fn open_blob(&self, digest: &Digest) -> Result<GetResult> {
        self.objects().get(&Self::object_path(digest)).await.map_err(|error| missing(error, digest))
    }
}

fn missing(error: object_store::Error, digest: &Digest) -> BlobError {
    match error {
        object_store::Error::NotFound { .. } => BlobError::NotFound(*digest),
        other => other.into(),
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

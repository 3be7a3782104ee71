//! Blobs on their way in, at once or in chunks.

use std::fmt::Display;

use bytes::Bytes;
use futures::Stream;
use tiegel_context::OpError;
use tiegel_store::{NewUpload, PartRow, Repository};
use tiegel_types::{Digest, limits};

use crate::{Code, Registry, RegistryError, RegistryResult};

/// Bytes of a chunk that is not the last one, as clients are told; smaller ones are taken.
pub const CHUNK_BYTES_MIN: u64 = 64 << 10;
/// Chunks of one upload.
const CHUNKS_MAX: u32 = 4_096;
const BLOB_BYTES_MAX: u64 = limits::PLUGIN_BYTES_MAX as u64;
/// Uploads that are neither complete nor expired, those of artifacts among them.
const UPLOADS_OPEN_MAX: u32 = 256;
/// How long an upload may take, and a blob waits for the manifest that names it.
const UPLOAD_MS_MAX: i64 = 60 * 60 * 1_000;

/// An upload, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: String,
    pub bytes: u64,
}

/// Where a chunk says that it belongs: the first and the last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    pub first: u64,
    pub last: u64,
}

impl Registry {
    pub async fn begin_upload(&self, repository: &Repository) -> RegistryResult<Session> {
        let (id, now_ms) = (self.ctx.new_uuid().simple().to_string(), self.ctx.now_ms());
        let new = NewUpload {
            upload_id: id.clone(),
            path: place(repository),
            parts_max: CHUNKS_MAX,
            created_ms: now_ms,
            expires_ms: now_ms + UPLOAD_MS_MAX,
            open_max: UPLOADS_OPEN_MAX,
        };
        let begun = self.ctx.store.create_upload(new).await.map_err(OpError::from);
        begun.map_err(|error| match error {
            OpError::Conflict(message) => RegistryError::new(Code::TooManyRequests, message),
            other => other.into(),
        })?;
        Ok(Session { id, bytes: 0 })
    }

    /// # Errors
    /// When there is no such upload into this repository, or no longer.
    pub async fn upload(&self, repository: &Repository, id: &str) -> RegistryResult<Session> {
        Ok(self.parts(repository, id).await?.0)
    }

    /// Adds a chunk, which must begin where the last one ended.
    pub async fn append<S, E>(
        &self,
        repository: &Repository,
        (id, chunk): (&str, Option<Chunk>),
        body: S,
    ) -> RegistryResult<Session>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Display,
    {
        let (session, parts) = self.parts(repository, id).await?;
        if let Some(chunk) = chunk
            && (chunk.first != session.bytes || chunk.last < chunk.first)
        {
            let message = format!("upload {id} has {} bytes, and the next chunk begins there", session.bytes);
            return Err(RegistryError::new(Code::OutOfOrder, message));
        }
        if parts.len() >= CHUNKS_MAX as usize {
            let message = format!("an upload has at most {CHUNKS_MAX} chunks: send larger ones");
            return Err(RegistryError::new(Code::BlobUploadInvalid, message));
        }
        let number = u32::try_from(parts.len()).unwrap_or(CHUNKS_MAX) + 1;
        let left = BLOB_BYTES_MAX.saturating_sub(session.bytes);
        let (digest, bytes) = self.ctx.blobs.put_part((id, number), body, left).await?;
        if let Some(Chunk { first, last }) = chunk
            && last - first + 1 != bytes
        {
            let message = format!("the chunk has {bytes} bytes, and its Content-Range says {first}-{last}");
            return Err(RegistryError::new(Code::SizeInvalid, message));
        }
        if bytes > 0 {
            self.ctx.store.put_part(id, PartRow { number, digest, bytes }, BLOB_BYTES_MAX).await?;
        }
        Ok(Session { bytes: session.bytes + bytes, ..session })
    }

    /// Makes the chunks a blob of the repository. An upload whose bytes are others than it says is dropped.
    pub async fn complete(&self, repository: &Repository, id: &str, expected: Digest) -> RegistryResult<()> {
        let (_, parts) = self.parts(repository, id).await?;
        let parts = parts.into_iter().map(|part| (part.number, part.digest)).collect();
        let (digest, _) = self.ctx.blobs.join_parts(id, parts, BLOB_BYTES_MAX).await?;
        if digest == expected {
            self.keep(repository, &digest).await?;
        }
        self.drop_upload(id).await?;
        if digest != expected {
            let message = format!("the bytes have the digest {digest}, not {expected}; send them again");
            return Err(RegistryError::new(Code::DigestInvalid, message));
        }
        Ok(())
    }

    /// Takes a blob at once.
    pub async fn put_blob<S, E>(&self, repository: &Repository, expected: Digest, body: S) -> RegistryResult<()>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Display,
    {
        self.ctx.blobs.put_stream(body, Some(expected), BLOB_BYTES_MAX).await?;
        self.keep(repository, &expected).await
    }

    /// Makes a blob of another repository one of this. Answers whether the other has it.
    pub async fn mount(&self, repository: &Repository, digest: &Digest, from: &Repository) -> RegistryResult<bool> {
        match self.blob_size(from, digest).await {
            Ok(_) => self.keep(repository, digest).await.map(|()| true),
            Err(error) if error.code == Code::BlobUnknown => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub async fn abort(&self, repository: &Repository, id: &str) -> RegistryResult<()> {
        self.parts(repository, id).await?;
        self.drop_upload(id).await
    }

    async fn keep(&self, repository: &Repository, digest: &Digest) -> RegistryResult<()> {
        let now_ms = self.ctx.now_ms();
        Ok(self.ctx.store.add_blob(repository, digest, (now_ms, now_ms + UPLOAD_MS_MAX)).await?)
    }

    async fn drop_upload(&self, id: &str) -> RegistryResult<()> {
        self.ctx.blobs.drop_parts(id).await?;
        Ok(self.ctx.store.delete_upload(id).await?)
    }

    async fn parts(&self, repository: &Repository, id: &str) -> RegistryResult<(Session, Vec<PartRow>)> {
        let row = self.ctx.store.upload(id).await?;
        let open = row.filter(|row| row.path == place(repository) && row.expires_ms > self.ctx.now_ms());
        if open.is_none() {
            let message = "there is no such upload, or it took too long: begin a new one";
            return Err(RegistryError::new(Code::BlobUploadUnknown, message));
        }
        let parts = self.ctx.store.upload_parts(id).await?;
        let bytes = parts.iter().map(|part| part.bytes).sum();
        Ok((Session { id: id.to_owned(), bytes }, parts))
    }
}

/// No path of an artifact looks so.
fn place(repository: &Repository) -> String {
    format!("oci:{}/{}", repository.project, repository.plugin)
}

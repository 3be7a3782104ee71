use std::fmt::Display;

use bytes::Bytes;
use futures::Stream;
use tiegel_context::{OpError, OpResult};
use tiegel_store::{ArtifactRow, NewUpload, PartRow, UploadRow};
use tiegel_types::{Digest, limits};

use crate::{ArtifactPath, Artifacts, refused};

/// Parts of one upload.
const PARTS_MAX: u32 = 10_000;
const PART_BYTES_MAX: u64 = 5 << 30;
/// Uploads that are neither complete nor expired.
const UPLOADS_OPEN_MAX: u32 = 1_000;
/// How long an upload may take.
const UPLOAD_MS_MAX: i64 = 24 * 60 * 60 * 1_000;
/// Expired uploads that one new upload clears away.
const CLEARED_LEN_MAX: u32 = 16;

/// An upload in parts that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    pub id: String,
    pub parts: u32,
}

/// A part as its sender names it when the upload is completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenPart {
    pub number: u32,
    /// What storing the part answered; compared where it is given.
    pub digest: Option<Digest>,
}

impl Artifacts {
    /// Begins an upload in `parts` parts, numbered from 1.
    #[tracing::instrument(name = "artifacts.begin_upload", skip_all, fields(%path))]
    pub async fn begin_upload(&self, path: &ArtifactPath, parts: u32) -> OpResult<Upload> {
        if !(1..=PARTS_MAX).contains(&parts) {
            let message =
                format!("an upload has 1 to {PARTS_MAX} parts, not {parts}: make the parts larger or smaller");
            return Err(OpError::invalid("part_count", message));
        }
        self.clear_expired_uploads().await?;
        let ctx = self.ctx();
        let (id, now_ms) = (ctx.new_uuid().simple().to_string(), ctx.now_ms());
        let new = NewUpload {
            upload_id: id.clone(),
            path: path.as_str().to_owned(),
            parts_max: parts,
            created_ms: now_ms,
            expires_ms: now_ms + UPLOAD_MS_MAX,
            open_max: UPLOADS_OPEN_MAX,
        };
        ctx.store.create_upload(new).await?;
        Ok(Upload { id, parts })
    }

    /// Stores a part and answers its digest. The same number again replaces it.
    #[tracing::instrument(name = "artifacts.put_part", skip_all, fields(upload, number))]
    pub async fn put_part<S, E>(&self, (upload, number): (&str, u32), body: S) -> OpResult<Digest>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Display,
    {
        let ctx = self.ctx();
        let row = self.open_upload(upload).await?;
        if !(1..=row.parts_max).contains(&number) {
            let message = format!("upload {upload} has parts 1 to {}; there is no part {number}", row.parts_max);
            return Err(OpError::invalid("part_number", message));
        }
        let (digest, bytes) =
            ctx.blobs.put_part((&row.upload_id, number), body, PART_BYTES_MAX).await.map_err(refused)?;
        ctx.store.put_part(upload, PartRow { number, digest, bytes }, limits::UPLOAD_BYTES_MAX).await?;
        Ok(digest)
    }

    /// The parts of an upload that are stored, so that a sender can go on after a break.
    pub async fn stored_parts(&self, upload: &str) -> OpResult<Vec<PartRow>> {
        self.open_upload(upload).await?;
        Ok(self.ctx().store.upload_parts(upload).await?)
    }

    /// Joins the parts to the file. Completing the same upload once more answers the same.
    #[tracing::instrument(name = "artifacts.complete_upload", skip_all, fields(%path, upload))]
    pub async fn complete_upload(&self, path: &ArtifactPath, upload: &str, given: Vec<GivenPart>) -> OpResult<()> {
        let row = self.upload(upload).await?;
        if row.path != path.as_str() {
            let message = format!("upload {upload} is for '{}', not for '{path}'", row.path);
            return Err(OpError::invalid("upload_path", message));
        }
        if row.digest.is_some() {
            return Ok(());
        }
        self.open_upload(upload).await?;
        let Err(error) = self.join(&row, given).await else { return Ok(()) };
        // The same request, sent twice, may have been first.
        match self.upload(upload).await {
            Ok(row) if row.digest.is_some() => Ok(()),
            _ => Err(error),
        }
    }

    /// Forgets an upload and its parts. One that is unknown or complete is left as it is.
    #[tracing::instrument(name = "artifacts.abort_upload", skip_all, fields(upload))]
    pub async fn abort_upload(&self, upload: &str) -> OpResult<()> {
        match self.ctx().store.upload(upload).await? {
            Some(row) if row.digest.is_none() => self.drop_upload(upload).await,
            _ => Ok(()),
        }
    }

    /// Clears away some of the uploads whose time is over; answers how many.
    pub async fn clear_expired_uploads(&self) -> OpResult<usize> {
        let ctx = self.ctx();
        let expired = ctx.store.expired_uploads(ctx.now_ms(), CLEARED_LEN_MAX).await?;
        for upload in &expired {
            self.drop_upload(upload).await?;
        }
        Ok(expired.len())
    }

    async fn join(&self, row: &UploadRow, given: Vec<GivenPart>) -> OpResult<()> {
        let ctx = self.ctx();
        let stored = ctx.store.upload_parts(&row.upload_id).await?;
        let parts = chosen(&stored, given)?;
        let joined = ctx.blobs.join_parts(&row.upload_id, parts, limits::UPLOAD_BYTES_MAX).await;
        let (digest, bytes) = joined.map_err(refused)?;
        let file = ArtifactRow { path: row.path.clone(), digest, bytes, modified_ms: ctx.now_ms() };
        ctx.store.complete_upload(&row.upload_id, file).await?;
        Ok(ctx.blobs.drop_parts(&row.upload_id).await?)
    }

    /// The parts go first: an upload without parts is cleared away later, parts without an upload never.
    async fn drop_upload(&self, upload: &str) -> OpResult<()> {
        let ctx = self.ctx();
        ctx.blobs.drop_parts(upload).await?;
        Ok(ctx.store.delete_upload(upload).await?)
    }

    async fn upload(&self, upload: &str) -> OpResult<UploadRow> {
        let row = self.ctx().store.upload(upload).await?;
        row.ok_or_else(|| OpError::NotFound(format!("upload {upload:?} does not exist: it may have expired")))
    }

    async fn open_upload(&self, upload: &str) -> OpResult<UploadRow> {
        let row = self.upload(upload).await?;
        if row.digest.is_some() || row.expires_ms <= self.ctx().now_ms() {
            let message = format!("upload {upload} is complete or has expired: begin a new one");
            return Err(OpError::invalid("upload_closed", message));
        }
        Ok(row)
    }
}

/// Those of the stored parts that the sender names, by number.
fn chosen(stored: &[PartRow], mut given: Vec<GivenPart>) -> OpResult<Vec<(u32, Digest)>> {
    let wrong = |message: String| Err(OpError::invalid("upload_parts", message));
    given.sort_by_key(|part| part.number);
    if given.is_empty() {
        return wrong("an upload is completed with at least one part".to_owned());
    }
    if let Some(pair) = given.windows(2).find(|pair| pair[0].number == pair[1].number) {
        return wrong(format!("part {} is named twice", pair[0].number));
    }
    let mut parts = Vec::with_capacity(given.len());
    for GivenPart { number, digest } in given {
        match stored.iter().find(|part| part.number == number) {
            None => return wrong(format!("part {number} was not uploaded: upload it, then complete again")),
            Some(part) if digest.is_some_and(|digest| digest != part.digest) => {
                return wrong(format!("part {number} is {}, not what its ETag says: upload it again", part.digest));
            }
            Some(part) => parts.push((number, part.digest)),
        }
    }
    Ok(parts)
}

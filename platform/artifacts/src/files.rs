use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use tiegel_blobs::{Access, BlobError, ByteStream, Tree, TreeEntry};
use tiegel_context::{Ctx, OpError, OpResult};
use tiegel_store::{ArtifactEntry, ArtifactRow};
use tiegel_types::{Digest, limits};
use url::Url;

use crate::{ArtifactPath, Artifacts, refused};

/// What one folder may list.
const ENTRIES_MAX: usize = 100_000;

/// What a folder holds by one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    /// None: a folder.
    pub bytes: Option<u64>,
}

/// A file that can be read.
#[derive(Clone)]
pub struct Found {
    pub path: ArtifactPath,
    pub bytes: u64,
    /// Another one once the file changes: of our own files the digest, in hexadecimal digits.
    pub tag: String,
    place: Place,
}

#[derive(Clone)]
enum Place {
    Blob(Ctx, Digest),
    Plain(Tree),
}

/// A URL that lets anybody read a file for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedUrl {
    pub url: Url,
    pub bytes: u64,
}

impl Artifacts {
    /// Stores a body as a file; one that is there already is replaced once the whole body is stored.
    #[tracing::instrument(name = "artifacts.put", skip_all, fields(%path))]
    pub async fn put<S, E>(&self, path: &ArtifactPath, body: S) -> OpResult<ArtifactRow>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Display,
    {
        let ctx = self.ctx();
        let (digest, bytes) = ctx.blobs.put_stream(body, None, limits::UPLOAD_BYTES_MAX).await.map_err(refused)?;
        let row = ArtifactRow { path: path.as_str().to_owned(), digest, bytes, modified_ms: ctx.now_ms() };
        ctx.store.put_artifact(row.clone()).await?;
        Ok(row)
    }

    /// A file below `mlflow-artifacts:/`; the error says whether there is a folder of that name.
    pub async fn find(&self, path: &ArtifactPath) -> OpResult<Found> {
        let ctx = self.ctx();
        if let Some(row) = ctx.store.artifact(path.as_str()).await? {
            let place = Place::Blob(ctx.clone(), row.digest);
            return Ok(Found { path: path.clone(), bytes: row.bytes, tag: row.digest.hex(), place });
        }
        if path.is_root() || !ctx.store.list_artifacts(path.as_str(), None, 1).await?.entries.is_empty() {
            return Err(is_folder(path));
        }
        match self.destination() {
            Some(tree) => Found::plain(tree, path).await,
            None => Err(missing(path)),
        }
    }

    /// What lies directly in a folder below `mlflow-artifacts:/`, by name; empty where there is no such folder.
    pub async fn list(&self, folder: &ArtifactPath) -> OpResult<Vec<Entry>> {
        let page = self.ctx().store.list_artifacts(folder.as_str(), None, ENTRIES_MAX).await?;
        if page.next.is_some() {
            let message =
                format!("'{folder}' holds more than {ENTRIES_MAX} files and folders: list its folders one by one");
            return Err(OpError::Limit(message));
        }
        let ours = page.entries.into_iter().map(Entry::from);
        let Some(tree) = self.destination() else { return Ok(ours.collect()) };
        // A file of ours stands before one of the same name that was there before.
        let theirs = tree.list(folder.as_str()).await.map_err(refused)?.into_iter().map(Entry::from);
        let all: BTreeMap<_, _> = theirs.chain(ours).map(|entry| (entry.name.clone(), entry)).collect();
        Ok(all.into_values().collect())
    }

    /// Removes a file, or a folder with all that it holds. What is not there is gone already.
    #[tracing::instrument(name = "artifacts.delete", skip_all, fields(%path))]
    pub async fn delete(&self, path: &ArtifactPath) -> OpResult<()> {
        crate::remove_tree(self.ctx(), path).await?;
        if let Some(tree) = self.destination() {
            tree.remove(path.as_str()).await.map_err(refused)?;
        }
        Ok(())
    }
}

impl Found {
    /// A file that others wrote.
    pub(crate) async fn plain(tree: &Tree, path: &ArtifactPath) -> OpResult<Self> {
        if let Some(file) = tree.find(path.as_str()).await.map_err(refused)? {
            let place = Place::Plain(tree.clone());
            return Ok(Self { path: path.clone(), bytes: file.bytes, tag: file.tag, place });
        }
        let is_there = path.is_root() || !tree.list(path.as_str()).await.map_err(refused)?.is_empty();
        Err(if is_there { is_folder(path) } else { missing(path) })
    }

    /// Its bytes, checked as they pass; or some of them, which must lie within it.
    pub async fn read(&self, range: Option<Range<u64>>) -> OpResult<ByteStream> {
        let stream = match (&self.place, range) {
            (Place::Blob(ctx, digest), None) => ctx.blobs.get_stream(digest).await,
            (Place::Blob(ctx, digest), Some(range)) => ctx.blobs.get_range(digest, range).await,
            (Place::Plain(tree), range) => tree.read(self.path.as_str(), range.unwrap_or(0..self.bytes)).await,
        };
        stream.map_err(|error| match error {
            BlobError::NotFound(digest) => {
                tracing::error!(path = %self.path, %digest, "an artifact's blob is missing");
                OpError::NotFound(format!("the bytes of '{}' ({digest}) are missing from the blob store", self.path))
            }
            other => refused(other),
        })
    }

    /// None where the file's store has no such URLs.
    pub async fn signed_url(&self, valid: Duration) -> OpResult<Option<SignedUrl>> {
        let url = match &self.place {
            Place::Blob(ctx, digest) => ctx.blobs.signed_url(digest, valid).await,
            Place::Plain(tree) => tree.signed_url(Access::Read, self.path.as_str(), valid).await,
        };
        Ok(url.map_err(refused)?.map(|url| SignedUrl { url, bytes: self.bytes }))
    }
}

impl From<ArtifactEntry> for Entry {
    fn from(entry: ArtifactEntry) -> Self {
        Self { name: entry.name, bytes: entry.bytes }
    }
}

impl From<TreeEntry> for Entry {
    fn from(entry: TreeEntry) -> Self {
        Self { name: entry.name, bytes: entry.bytes }
    }
}

fn is_folder(path: &ArtifactPath) -> OpError {
    OpError::invalid("is_folder", format!("Artifact path refers to a directory, not a file: '{path}'"))
}

fn missing(path: &ArtifactPath) -> OpError {
    OpError::NotFound(format!("No such artifact: '{path}'"))
}

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::Method;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use tempfile::TempDir;
use tiegel_types::{Digest, limits};
use tokio::sync::RwLock;
use url::Url;

use crate::folder::Folder;
use crate::location::{Location, Options, Remote, check_options};
use crate::{BlobError, Result};

/// As many uploads to a remote store may wait for one removal as have digests that share a lock.
const GROUP_LOCKS_LEN: usize = 64;

/// The blob store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Blobs(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    objects: Arc<dyn ObjectStore>,
    /// Where the store is a folder of this machine; then writes go around `objects`, which does not sync to disk.
    folder: Option<Folder>,
    remote: Option<Remote>,
    scratch: PathBuf,
    options: Options,
    /// How long a blob stays that nothing refers to.
    pub grace: Duration,
    /// Locks between writers and sweeps of a remote store, by the first byte of a digest.
    pub groups: [RwLock<()>; GROUP_LOCKS_LEN],
    _own_scratch: Option<TempDir>,
}

impl Blobs {
    /// Opens a folder, made where it is missing, or a URL: `file://`, `s3://bucket/prefix`, `gs://`, `az://`,
    /// `memory:///`. Credentials come from `options`, in object_store's names, and nowhere else; they also serve
    /// [`Blobs::import_url`].
    pub fn open(url_or_path: &str, options: Vec<(String, String)>) -> Result<Blobs> {
        Self::open_with(url_or_path, options, Duration::from_secs(limits::BLOB_GRACE_SECONDS))
    }

    /// As [`Blobs::open`]; `grace` is how long a blob stays that nothing refers to.
    pub fn open_with(url_or_path: &str, options: Vec<(String, String)>, grace: Duration) -> Result<Blobs> {
        check_options(&options)?;
        let (objects, folder, remote, scratch, own): (Arc<dyn ObjectStore>, _, _, _, _) =
            match Location::parse(url_or_path)? {
                Location::Folder(path) => {
                    let folder = Folder::open(&path)?;
                    let objects = Arc::new(LocalFileSystem::new_with_prefix(folder.root())?);
                    let scratch = folder.scratch();
                    (objects, Some(folder), None, scratch, None)
                }
                Location::Remote(url) => {
                    let remote = Remote::connect(&url, &options)?;
                    let objects: Arc<dyn ObjectStore> = if remote.prefix.as_ref().is_empty() {
                        remote.objects.clone()
                    } else {
                        Arc::new(PrefixStore::new(remote.objects.clone(), remote.prefix.clone()))
                    };
                    let own = tempfile::Builder::new().prefix("tiegel-").tempdir();
                    let own = own.map_err(BlobError::io(std::path::Path::new("a folder for scratch files")))?;
                    let scratch = own.path().to_owned();
                    (objects, None, Some(remote), scratch, Some(own))
                }
            };
        let groups = std::array::from_fn(|_| RwLock::default());
        let inner = Inner { objects, folder, remote, scratch, options, grace, groups, _own_scratch: own };
        Ok(Self(Arc::new(inner)))
    }

    /// The objects, whose root is the blobs' root: a blob is at its [`Digest::blob_path`].
    pub fn object_store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.0.objects)
    }

    pub fn can_sign(&self) -> bool {
        self.0.remote.as_ref().is_some_and(|remote| remote.signer.is_some())
    }

    /// A URL that lets anybody read a blob for a while; none where the store has no such URLs.
    pub async fn signed_url(&self, digest: &Digest, valid: Duration) -> Result<Option<Url>> {
        let Some(Remote { signer: Some(signer), prefix, .. }) = &self.0.remote else { return Ok(None) };
        let path: Path = prefix.parts().chain(Self::object_path(digest).parts()).collect();
        Ok(Some(signer.signed_url(Method::GET, &path, valid).await?))
    }

    /// A new folder for an operation's files, removed when dropped; beside the blobs where they are in a folder, so
    /// that [`Blobs::put_file`] need not copy.
    pub fn scratch_dir(&self) -> Result<TempDir> {
        tempfile::Builder::new().prefix("op-").tempdir_in(&self.0.scratch).map_err(BlobError::io(&self.0.scratch))
    }

    /// Removes the scratch files that a killed process left. For start-up, before any other use.
    pub fn clear_scratch(&self) -> Result<()> {
        let entries = std::fs::read_dir(&self.0.scratch).map_err(BlobError::io(&self.0.scratch))?;
        for entry in entries {
            let path = entry.map_err(BlobError::io(&self.0.scratch))?.path();
            let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            removed.map_err(BlobError::io(&path))?;
        }
        Ok(())
    }

    pub(crate) fn folder(&self) -> Option<&Folder> {
        self.0.folder.as_ref()
    }

    pub(crate) fn objects(&self) -> &dyn ObjectStore {
        self.0.objects.as_ref()
    }

    pub(crate) fn scratch(&self) -> &std::path::Path {
        &self.0.scratch
    }

    pub(crate) fn options(&self) -> &Options {
        &self.0.options
    }

    pub(crate) fn object_path(digest: &Digest) -> Path {
        Path::from(digest.blob_path())
    }
}

//! Blobs in a folder of this machine, synced to disk before they are acknowledged. All of it blocks.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use tiegel_types::Digest;

use crate::{BlobError, Result};

mod stale;

/// Parts of uploads, a folder for each upload.
const PARTS: &str = "parts";
/// Beside the blobs, so that a finished file can be renamed into place.
const SCRATCH: &str = ".scratch";
/// Beside the blobs: those that are being removed.
const REMOVED: &str = ".removed";
/// Read-only: a blob never changes.
const BLOB_MODE: u32 = 0o444;

#[derive(Clone, Debug)]
pub(crate) struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Makes the folder and, once for all, its 256 subfolders, so that a write has one parent to sync.
    pub fn open(root: &Path) -> Result<Self> {
        let make = |path: &Path| std::fs::create_dir_all(path).map_err(BlobError::io(path));
        make(root)?;
        let root = root.canonicalize().map_err(BlobError::io(root))?;
        make(&root.join(SCRATCH))?;
        make(&root.join(REMOVED))?;
        let blobs = root.join("sha256");
        if !blobs.join("ff").exists() {
            for first in 0..=u8::MAX {
                make(&blobs.join(format!("{first:02x}")))?;
            }
            sync_folder(&blobs).and_then(|()| sync_folder(&root)).map_err(BlobError::io(&root))?;
        }
        let folder = Self { root };
        folder.recover_removed()?;
        Ok(folder)
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn scratch(&self) -> PathBuf {
        self.root.join(SCRATCH)
    }

    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.root.join(digest.blob_path())
    }

    /// Whether the blob is there with this length, and then for good: another writer may not have synced its name yet.
    pub fn has(&self, digest: &Digest, bytes: u64) -> Result<bool> {
        self.renew(digest, Some(bytes))
    }

    /// Whether the blob is there, with this length if one is given. It is young again from here on, so that who clears
    /// away old blobs that nothing names leaves it.
    pub fn renew(&self, digest: &Digest, bytes: Option<u64>) -> Result<bool> {
        let path = self.path(digest);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(BlobError::io(&path)(error)),
        };
        let found = file.metadata().map_err(BlobError::io(&path))?.len();
        if bytes.is_some_and(|bytes| bytes != found) {
            return Ok(false);
        }
        make_young(&file, digest);
        sync_parent(&path).map_err(BlobError::io(&path))?;
        // It may have gone before its time was set; if it goes after that, it comes back.
        Ok(path.exists())
    }

    /// Where the parts of an upload are.
    pub fn parts(&self, upload: &str) -> PathBuf {
        self.root.join(PARTS).join(upload)
    }

    /// Makes a finished file in the scratch folder a part of an upload. It is not synced: a part that a power cut takes is
    /// missed when the parts are joined, and most parts are gone before the disk would have them.
    pub fn place_part(&self, file: NamedTempFile, upload: &str, number: u32) -> Result<()> {
        let parts = self.parts(upload);
        let place = || {
            std::fs::create_dir_all(&parts)?;
            file.persist(parts.join(number.to_string())).map_err(|error| error.error).map(drop)
        };
        place().map_err(BlobError::io(&parts))
    }

    /// Makes a finished file in the scratch folder the blob.
    pub fn place(&self, file: NamedTempFile, digest: &Digest) -> Result<()> {
        let path = self.path(digest);
        let place = || {
            file.as_file().set_permissions(Permissions::from_mode(BLOB_MODE))?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|error| error.error)?;
            sync_parent(&path)
        };
        place().map_err(BlobError::io(&path))
    }

    /// Gives a file its blob name as well, without a copy. Answers false where the file is on another file system.
    pub fn link(&self, file: &Path, digest: &Digest) -> Result<bool> {
        let path = self.path(digest);
        let link = || {
            let source = File::open(file)?;
            source.set_permissions(Permissions::from_mode(BLOB_MODE))?;
            make_young(&source, digest);
            source.sync_all()?;
            match std::fs::hard_link(file, &path) {
                Ok(()) => sync_parent(&path).map(|()| true),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    make_young(&File::open(&path)?, digest);
                    sync_parent(&path).map(|()| true)
                }
                Err(error) if error.kind() == io::ErrorKind::CrossesDevices => Ok(false),
                Err(error) => Err(error),
            }
        };
        link().map_err(BlobError::io(&path))
    }
}

/// A folder that another user owns keeps its times, and then nothing there is cleared away either.
fn make_young(file: &File, digest: &Digest) {
    #[expect(clippy::disallowed_methods, reason = "the time of the file system, as if the blob were written now")]
    let now = std::time::SystemTime::now();
    if let Err(error) = file.set_modified(now) {
        tracing::debug!(%digest, %error, "cannot renew a blob's time");
    }
}

/// A new name is on disk once its folder is synced.
fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), sync_folder)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

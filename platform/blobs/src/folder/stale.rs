use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::SystemTime;

use tiegel_types::Digest;

use super::{Folder, PARTS, REMOVED};
use crate::{BlobError, Result, StaleBlob};

impl Folder {
    /// Blobs whose digests begin with this byte and that nobody stored after `until`.
    pub fn stale(&self, group: u8, until: SystemTime) -> Result<Vec<StaleBlob>> {
        let folder = self.root.join("sha256").join(format!("{group:02x}"));
        let mut stale = Vec::new();
        for entry in fs::read_dir(&folder).map_err(BlobError::io(&folder))? {
            let entry = entry.map_err(BlobError::io(&folder))?;
            let name = entry.file_name();
            let Some(digest) = name.to_str().and_then(|name| name.parse::<Digest>().ok()) else { continue };
            // One that goes meanwhile is no longer stale.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.modified().map_err(BlobError::io(&folder))? <= until {
                stale.push(StaleBlob { digest, bytes: metadata.len() });
            }
        }
        Ok(stale)
    }

    /// Removes a blob that nobody stored after `until`.
    ///
    /// It first loses its name, then its age is looked at once more. A writer does the opposite: makes it young, then looks
    /// for the name. So either the writer sees that it is gone and stores it again, or it is seen to be young and comes back.
    pub fn remove_stale(&self, digest: &Digest, until: SystemTime) -> Result<bool> {
        let (path, removed) = (self.path(digest), self.root.join(REMOVED).join(digest.hex()));
        let remove = || {
            if is_young(&path, until)? {
                return Ok(false);
            }
            fs::rename(&path, &removed)?;
            if is_young(&removed, until)? {
                take_back(&removed, &path)?;
                return Ok(false);
            }
            fs::remove_file(&removed).map(|()| true)
        };
        match remove() {
            // Somebody else removed it, or took it back.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            other => other.map_err(BlobError::io(&path)),
        }
    }

    /// Takes back what an interrupted [`Folder::remove_stale`] left.
    pub fn recover_removed(&self) -> Result<()> {
        let folder = self.root.join(REMOVED);
        let recover = || {
            for entry in fs::read_dir(&folder)? {
                let removed = entry?.path();
                let digest = removed.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
                if let Some(digest) = digest {
                    take_back(&removed, &self.path(&digest))?;
                }
            }
            Ok(())
        };
        recover().map_err(BlobError::io(&folder))
    }

    /// Uploads that got no part after `until`.
    pub fn stale_uploads(&self, until: SystemTime) -> Result<Vec<String>> {
        let folder = self.root.join(PARTS);
        let list = || -> io::Result<Vec<String>> {
            let mut uploads = Vec::new();
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                if !is_young(&entry.path(), until)? {
                    uploads.extend(entry.file_name().into_string());
                }
            }
            Ok(uploads)
        };
        match list() {
            // No upload came in parts yet, or one ended while we looked.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            other => other.map_err(BlobError::io(&folder)),
        }
    }
}

fn is_young(path: &Path, until: SystemTime) -> io::Result<bool> {
    Ok(fs::metadata(path)?.modified()? > until)
}

/// A blob that was stored again meanwhile is the same.
fn take_back(removed: &Path, path: &Path) -> io::Result<()> {
    match fs::rename(removed, path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::{TreeEntry, TreeFile};
use crate::read::stream_file;
use crate::write::blocking;
use crate::{BlobError, ByteStream, Result};

#[derive(Clone, Debug)]
pub(super) struct FolderTree {
    root: PathBuf,
    /// What no path leaves; the root may be a part of it.
    limit: PathBuf,
}

impl FolderTree {
    pub fn new(root: PathBuf) -> Self {
        Self { limit: root.clone(), root }
    }

    pub fn below(&self, path: &str) -> Self {
        Self { root: self.root.join(path), limit: self.limit.clone() }
    }

    pub async fn list(&self, folder: &str) -> Result<Vec<TreeEntry>> {
        let (tree, folder) = (self.clone(), folder.to_owned());
        blocking(move || {
            let Some(path) = tree.existing(&folder)?.filter(|path| path.is_dir()) else { return Ok(Vec::new()) };
            let mut entries = Vec::new();
            for entry in fs::read_dir(&path).map_err(BlobError::io(&path))? {
                let entry = entry.map_err(BlobError::io(&path))?;
                // A name that is no text has no path here, and a link to nothing is no file.
                let Ok(name) = entry.file_name().into_string() else { continue };
                let Ok(meta) = fs::metadata(entry.path()) else { continue };
                entries.push(TreeEntry { name, bytes: (!meta.is_dir()).then_some(meta.len()) });
            }
            Ok(entries)
        })
        .await
    }

    pub async fn find(&self, path: &str) -> Result<Option<TreeFile>> {
        let (tree, path) = (self.clone(), path.to_owned());
        blocking(move || {
            let Some(path) = tree.existing(&path)? else { return Ok(None) };
            let meta = fs::metadata(&path).map_err(BlobError::io(&path))?;
            if !meta.is_file() {
                return Ok(None);
            }
            let modified = meta.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let nanos = modified.unwrap_or_default().as_nanos();
            Ok(Some(TreeFile { bytes: meta.len(), tag: format!("{nanos:x}-{:x}", meta.len()) }))
        })
        .await
    }

    pub async fn read(&self, path: &str, range: Range<u64>) -> Result<ByteStream> {
        let (tree, name) = (self.clone(), path.to_owned());
        let path = blocking(move || tree.existing(&name)?.ok_or_else(|| missing(&name))).await?;
        stream_file(path, Some(range), None).await
    }

    pub async fn remove(&self, path: &str) -> Result<()> {
        let (tree, path) = (self.clone(), path.to_owned());
        blocking(move || {
            if tree.existing(&path)?.is_none() {
                return Ok(());
            }
            // By its name, so that a link goes and not what it leads to.
            let path = tree.root.join(path);
            let is_folder = fs::symlink_metadata(&path).map_err(BlobError::io(&path))?.is_dir();
            let removed = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(BlobError::io(&path))
        })
        .await
    }

    /// The real path of what is there, links followed, if that is inside; nothing outside is said to exist.
    fn existing(&self, path: &str) -> Result<Option<PathBuf>> {
        let path = self.root.join(path);
        match path.canonicalize() {
            Ok(real) if self.holds(&real)? => Ok(Some(real)),
            Ok(_) => Ok(None),
            Err(error) if is_absence(&error) => Ok(None),
            Err(error) => Err(BlobError::io(&path)(error)),
        }
    }

    fn holds(&self, path: &Path) -> Result<bool> {
        let real = path.canonicalize().map_err(BlobError::io(path))?;
        Ok(self.limit.canonicalize().is_ok_and(|limit| real.starts_with(limit)))
    }
}

fn is_absence(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, InvalidInput, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | InvalidFilename | InvalidInput)
}

fn missing(path: &str) -> BlobError {
    BlobError::Invalid(format!("there is no file '{path}'"))
}

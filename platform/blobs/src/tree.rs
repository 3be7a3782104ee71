//! Plain files that others wrote, by their names: below a folder of this machine or a prefix of a bucket.
//!
//! Invariant: nothing outside the folder is read or removed, whatever a path or a link says.

mod folder;
mod objects;

use std::ops::Range;
use std::time::Duration;

use http::Method;
use url::Url;

use crate::location::{Location, Options, Remote, check_options};
use crate::{ByteStream, Result};
use folder::FolderTree;
use objects::ObjectTree;

/// Names that are not shown: our own blobs beside the files, and what MLflow's server has not finished writing.
const HIDDEN: [&str; 2] = [Tree::BLOBS, ".artifact.uploading."];

/// Paths in it have segments that are neither empty nor `.` nor `..`, parted by `/`; the empty path is the root.
#[derive(Clone, Debug)]
pub struct Tree(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Folder(FolderTree),
    Objects(ObjectTree),
}

/// What a signed URL allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

/// What a folder holds by one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeEntry {
    pub name: String,
    /// None: a folder.
    pub bytes: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeFile {
    pub bytes: u64,
    /// Another one once the file changes.
    pub tag: String,
}

impl Tree {
    /// The folder for blobs in a tree, whose name no path may begin with.
    pub const BLOBS: &'static str = ".tiegel";

    /// An absolute path or a URL, as [`crate::Blobs::open`] takes them. Nothing is made or looked at yet.
    pub fn open(url_or_path: &str, options: &Options) -> Result<Self> {
        check_options(options)?;
        Ok(Self(match Location::parse(url_or_path)? {
            Location::Folder(root) => Kind::Folder(FolderTree::new(root)),
            Location::Remote(url) => Kind::Objects(ObjectTree::new(Remote::connect(&url, options)?)),
        }))
    }

    /// A tree inside this one.
    pub fn below(&self, path: &str) -> Self {
        Self(match &self.0 {
            Kind::Folder(tree) => Kind::Folder(tree.below(path)),
            Kind::Objects(tree) => Kind::Objects(tree.below(path)),
        })
    }

    /// By name; empty where there is no such folder.
    pub async fn list(&self, folder: &str) -> Result<Vec<TreeEntry>> {
        if is_hidden(folder) {
            return Ok(Vec::new());
        }
        let mut entries = match &self.0 {
            Kind::Folder(tree) => tree.list(folder).await?,
            Kind::Objects(tree) => tree.list(folder).await?,
        };
        entries.retain(|entry| !is_hidden(&entry.name));
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// None where there is no such file; a folder is none.
    pub async fn find(&self, path: &str) -> Result<Option<TreeFile>> {
        if is_hidden(path) {
            return Ok(None);
        }
        match &self.0 {
            Kind::Folder(tree) => tree.find(path).await,
            Kind::Objects(tree) => tree.find(path).await,
        }
    }

    /// A file's bytes, or some of them, which must lie within it.
    pub async fn read(&self, path: &str, range: Range<u64>) -> Result<ByteStream> {
        match &self.0 {
            Kind::Folder(tree) => tree.read(path, range).await,
            Kind::Objects(tree) => tree.read(path, range).await,
        }
    }

    /// Removes a file, or a folder with all that it holds.
    pub async fn remove(&self, path: &str) -> Result<()> {
        if is_hidden(path) {
            return Ok(());
        }
        match &self.0 {
            Kind::Folder(tree) => tree.remove(path).await,
            Kind::Objects(tree) => tree.remove(path).await,
        }
    }

    pub fn can_sign(&self) -> bool {
        matches!(&self.0, Kind::Objects(tree) if tree.can_sign())
    }

    /// A URL that lets anybody do this to a file for a while; none where the store has no such URLs.
    pub async fn signed_url(&self, access: Access, path: &str, valid: Duration) -> Result<Option<Url>> {
        let method = match access {
            Access::Read => Method::GET,
            Access::Write => Method::PUT,
        };
        match &self.0 {
            Kind::Folder(_) => Ok(None),
            Kind::Objects(tree) => tree.signed_url(method, path, valid).await,
        }
    }
}

fn is_hidden(path: &str) -> bool {
    let is_own = path.split('/').next() == Some(HIDDEN[0]);
    is_own || path.rsplit('/').next().is_some_and(|name| name.starts_with(HIDDEN[1]))
}

#[cfg(test)]
mod tests;

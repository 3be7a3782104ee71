//! Reading a dataset's source files into blobs.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use futures::TryStreamExt as _;
use glob::{MatchOptions, Pattern};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use tiegel_types::{Digest, limits};
use url::Url;

use crate::{BlobError, Blobs, Result};

/// One source file, now a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedFile {
    /// Its path below the part of the URL that has no wildcard; of a single file its name.
    pub name: String,
    pub digest: Digest,
    pub bytes: u64,
}

const WILDCARDS: [char; 3] = ['*', '?', '['];
/// As in a shell: `*` stays within a folder, `**` does not.
const MATCHING: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

impl Blobs {
    /// Copies what a URL names into the store, sorted by name: `s3://`, `gs://` and `az://` with wildcards, one
    /// `https://` file, or `file://` with wildcards below one of `roots`.
    #[tracing::instrument(name = "blobs.import_url", skip_all, fields(url))]
    pub async fn import_url(&self, url: &str, roots: &[PathBuf]) -> Result<Vec<ImportedFile>> {
        let source = match Url::parse(url) {
            Ok(parsed) if parsed.scheme() == "file" => Source::files(url, roots)?,
            Ok(parsed) => Source::remote(url, &parsed, self).await?,
            Err(error) => return Err(BlobError::Invalid(format!("'{url}' is not a URL: {error}"))),
        };
        let mut imported = Vec::with_capacity(source.objects.len());
        for (name, path) in source.objects {
            let body = source.store.get(&path).await.map_err(|error| unreadable(&name, error))?.into_stream();
            let (digest, bytes) = self.put_stream(body, None, limits::UPLOAD_BYTES_MAX).await?;
            imported.push(ImportedFile { name, digest, bytes });
        }
        imported.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(imported)
    }
}

struct Source {
    store: Arc<dyn ObjectStore>,
    /// Name for people, and place in the store.
    objects: Vec<(String, Path)>,
}

impl Source {
    fn files(url: &str, roots: &[PathBuf]) -> Result<Self> {
        // Not `Url::to_file_path`, which would take `?` for a query.
        let pattern = url.trim_start_matches("file://").replace("%20", " ");
        if !pattern.starts_with('/') {
            return Err(BlobError::Invalid(format!("'{url}' is not an absolute path: write file:///folder/file.csv")));
        }
        let base = FilePath::new(fixed_part(&pattern)).to_owned();
        let paths = glob::glob_with(&pattern, MATCHING)
            .map_err(|error| BlobError::Invalid(format!("'{url}' is not a pattern: {error}")))?;
        let mut objects = Vec::new();
        for path in paths {
            let path = path.map_err(|error| BlobError::Invalid(format!("cannot read a folder of {url}: {error}")))?;
            if path.is_dir() {
                continue;
            }
            let real = allowed(&path, roots)?;
            let name = path.strip_prefix(&base).unwrap_or(&path).display().to_string();
            objects.push((name, Path::from_absolute_path(&real).map_err(object_store::Error::from)?));
            within_limit(url, objects.len())?;
        }
        Ok(Self { store: Arc::new(LocalFileSystem::new()), objects })
    }

    async fn remote(url: &str, parsed: &Url, blobs: &Blobs) -> Result<Self> {
        let lists = matches!(parsed.scheme(), "s3" | "s3a" | "gs" | "az" | "azure" | "adl" | "abfs" | "abfss");
        if !lists && !matches!(parsed.scheme(), "http" | "https") {
            let message = format!("'{url}' cannot be read: use s3://, gs://, az://, https:// or file://");
            return Err(BlobError::Invalid(message));
        }
        if parsed.query().is_some() {
            let message =
                format!("'{url}' has a query, which is not sent: put credentials in the server's blob options");
            return Err(BlobError::Invalid(message));
        }
        if !url.contains(WILDCARDS) {
            let (store, path) = open(parsed, blobs)?;
            let name = path.filename().unwrap_or_default().to_owned();
            return Ok(Self { store, objects: vec![(name, path)] });
        }
        if !lists {
            return Err(BlobError::Invalid(format!(
                "'{url}' has a wildcard, but a web server has no list of its files"
            )));
        }
        let (base, pattern) = url.split_at(fixed_part(url).len());
        let base = Url::parse(base).map_err(|error| BlobError::Invalid(format!("'{base}' is not a URL: {error}")))?;
        let (store, folder) = open(&base, blobs)?;
        let objects = matching(store.as_ref(), &folder, pattern).await?;
        Ok(Self { store, objects })
    }
}

fn open(url: &Url, blobs: &Blobs) -> Result<(Arc<dyn ObjectStore>, Path)> {
    let options = blobs.options().iter().map(|(key, value)| (key, value.clone()));
    let (store, path) = object_store::parse_url_opts(url, options)?;
    Ok((store.into(), path))
}

/// The objects below a folder whose path from there matches.
async fn matching(store: &dyn ObjectStore, folder: &Path, pattern: &str) -> Result<Vec<(String, Path)>> {
    let glob =
        Pattern::new(pattern).map_err(|error| BlobError::Invalid(format!("'{pattern}' is not a pattern: {error}")))?;
    let mut listed = store.list(Some(folder));
    let mut objects = Vec::new();
    while let Some(meta) = listed.try_next().await? {
        let path = meta.location.as_ref();
        let name = path.strip_prefix(folder.as_ref()).unwrap_or(path).trim_start_matches('/');
        if glob.matches_with(name, MATCHING) {
            objects.push((name.to_owned(), meta.location.clone()));
            within_limit(pattern, objects.len())?;
        }
    }
    Ok(objects)
}

/// Up to and with the last `/` before the first wildcard, or before the file's name.
fn fixed_part(pattern: &str) -> &str {
    let literal = pattern.find(WILDCARDS).map_or(pattern, |wildcard| &pattern[..wildcard]);
    &literal[..literal.rfind('/').map_or(0, |slash| slash + 1)]
}

/// The real path of a file, links followed, if it is below one of `roots`.
fn allowed(path: &FilePath, roots: &[PathBuf]) -> Result<PathBuf> {
    let real = path.canonicalize().map_err(BlobError::io(path))?;
    let below = |root: &PathBuf| root.canonicalize().is_ok_and(|root| real.starts_with(root));
    if roots.iter().any(below) {
        return Ok(real);
    }
    Err(BlobError::Invalid(format!(
        "the server may not read {}: its folder is not among the source folders that the server's config allows; \
         add it there, or name the file by `path` and let the client upload it",
        path.display()
    )))
}

fn within_limit(url: &str, files: usize) -> Result<()> {
    if files > limits::SOURCE_FILES_MAX {
        let message = format!("{url} matches more than {} files; narrow the pattern", limits::SOURCE_FILES_MAX);
        return Err(BlobError::Invalid(message));
    }
    Ok(())
}

fn unreadable(name: &str, error: object_store::Error) -> BlobError {
    match error {
        object_store::Error::NotFound { .. } => BlobError::Invalid(format!("there is no file '{name}' at that URL")),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests;

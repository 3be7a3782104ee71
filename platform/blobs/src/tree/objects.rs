use std::ops::Range;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use http::Method;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt as _};
use url::Url;

use super::{TreeEntry, TreeFile};
use crate::location::Remote;
use crate::{BlobError, ByteStream, Result};

#[derive(Clone, Debug)]
pub(super) struct ObjectTree(pub(super) Remote);

impl ObjectTree {
    pub fn new(remote: Remote) -> Self {
        Self(remote)
    }

    pub fn below(&self, path: &str) -> Self {
        let mut remote = self.0.clone();
        // As it is: other clients do not escape what they write.
        if let Ok(prefix) = Path::parse(joined(&remote.prefix, path)) {
            remote.prefix = prefix;
        }
        Self(remote)
    }

    pub async fn list(&self, folder: &str) -> Result<Vec<TreeEntry>> {
        let path = self.path(folder)?;
        let listed = self.0.objects.list_with_delimiter(Some(&path)).await?;
        let name = |path: &Path| path.filename().unwrap_or_default().to_owned();
        let folders = listed.common_prefixes.iter().map(|prefix| TreeEntry { name: name(prefix), bytes: None });
        let files = listed.objects.iter().map(|meta| TreeEntry { name: name(&meta.location), bytes: Some(meta.size) });
        // Some tools make an object of the folder itself.
        Ok(folders.chain(files).filter(|entry| !entry.name.is_empty()).collect())
    }

    pub async fn find(&self, path: &str) -> Result<Option<TreeFile>> {
        match self.0.objects.head(&self.path(path)?).await {
            Ok(meta) => Ok(Some(TreeFile { bytes: meta.size, tag: tag(&meta) })),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub async fn read(&self, path: &str, range: Range<u64>) -> Result<ByteStream> {
        if range.is_empty() {
            return Ok(futures::stream::empty().boxed());
        }
        let options = object_store::GetOptions { range: Some(range.into()), ..Default::default() };
        let object = self.0.objects.get_opts(&self.path(path)?, options).await?;
        Ok(object.into_stream().map_err(BlobError::from).boxed())
    }

    pub async fn remove(&self, path: &str) -> Result<()> {
        let path = self.path(path)?;
        match self.0.objects.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let inside = self.0.objects.list(Some(&path)).map_ok(|meta| meta.location).boxed();
        self.0.objects.delete_stream(inside).try_for_each(|_| async { Ok(()) }).await?;
        Ok(())
    }

    pub fn can_sign(&self) -> bool {
        self.0.signer.is_some()
    }

    pub async fn signed_url(&self, method: Method, path: &str, valid: Duration) -> Result<Option<Url>> {
        match &self.0.signer {
            Some(signer) => Ok(Some(signer.signed_url(method, &self.path(path)?, valid).await?)),
            None => Ok(None),
        }
    }

    fn path(&self, path: &str) -> Result<Path> {
        let joined = joined(&self.0.prefix, path);
        Path::parse(&joined).map_err(|error| BlobError::Invalid(format!("'{path}' is no path in a bucket: {error}")))
    }
}

fn joined(prefix: &Path, path: &str) -> String {
    format!("{prefix}/{path}").trim_matches('/').to_owned()
}

fn tag(meta: &ObjectMeta) -> String {
    match &meta.e_tag {
        Some(tag) => tag.trim_matches('"').to_owned(),
        None => format!("{:x}-{:x}", meta.last_modified.timestamp_millis(), meta.size),
    }
}

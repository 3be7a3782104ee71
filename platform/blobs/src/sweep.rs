//! Clearing away blobs that nothing refers to. Who refers to them is known elsewhere; here is known which are old.
//!
//! A blob that is stored again is young again. A sweep that finds an old one may meet a writer who finds it at the same
//! moment, so the last look at its age and its removal are one step for writers: see [`Folder::remove_stale`] and
//! [`Blobs::writing`].

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt as _};
use tiegel_types::Digest;
use tokio::sync::RwLockReadGuard;

use crate::write::blocking;
use crate::{Blobs, Result};

/// Blobs are listed in this many groups, by the first byte of their digests.
pub const GROUPS: u16 = 256;

/// A blob that nobody stored for the whole grace period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StaleBlob {
    pub digest: Digest,
    pub bytes: u64,
}

impl Blobs {
    /// How long a blob stays that nothing refers to.
    pub fn grace(&self) -> Duration {
        self.0.grace
    }

    /// Whether a blob is stored, and stays for the grace period even if nothing refers to it: as if it were stored now.
    pub async fn renew(&self, digest: &Digest) -> Result<bool> {
        if self.folder().is_some() {
            let (blobs, digest) = (self.clone(), *digest);
            return blocking(move || blobs.folder().map_or(Ok(false), |folder| folder.renew(&digest, None))).await;
        }
        self.is_young(digest).await
    }

    /// The stale blobs whose digests begin with this byte.
    pub async fn stale(&self, group: u8, now: SystemTime) -> Result<Vec<StaleBlob>> {
        let until = self.until(now);
        if self.folder().is_some() {
            let blobs = self.clone();
            return blocking(move || blobs.folder().map_or(Ok(vec![]), |folder| folder.stale(group, until))).await;
        }
        let group = Path::from_iter(["sha256".to_owned(), format!("{group:02x}")]);
        let objects: Vec<ObjectMeta> = self.objects().list(Some(&group)).try_collect().await?;
        let stale = |meta: ObjectMeta| {
            let digest = meta.location.filename()?.parse().ok()?;
            (modified(&meta) <= until).then_some(StaleBlob { digest, bytes: meta.size })
        };
        Ok(objects.into_iter().filter_map(stale).collect())
    }

    /// Removes a blob that is still stale. Answers whether it did.
    pub async fn remove_stale(&self, digest: &Digest, now: SystemTime) -> Result<bool> {
        let until = self.until(now);
        if self.folder().is_some() {
            let (blobs, digest) = (self.clone(), *digest);
            let remove = move || blobs.folder().map_or(Ok(false), |folder| folder.remove_stale(&digest, until));
            return blocking(remove).await;
        }
        // Somebody is storing a blob of this group: another sweep will come.
        let Ok(_alone) = self.group(digest).try_write() else { return Ok(false) };
        let path = Self::object_path(digest);
        match self.objects().head(&path).await {
            Ok(meta) if modified(&meta) <= until => {
                self.objects().delete(&path).await?;
                Ok(true)
            }
            Ok(_) | Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Uploads that have parts and got none for the grace period.
    pub async fn stale_uploads(&self, now: SystemTime) -> Result<Vec<String>> {
        let until = self.until(now);
        if self.folder().is_some() {
            let blobs = self.clone();
            return blocking(move || blobs.folder().map_or(Ok(vec![]), |folder| folder.stale_uploads(until))).await;
        }
        let mut newest = BTreeMap::<String, SystemTime>::new();
        let mut parts = self.objects().list(Some(&Path::from("parts")));
        while let Some(meta) = parts.try_next().await? {
            if let Some(upload) = meta.location.parts().nth(1) {
                let time = newest.entry(upload.as_ref().to_owned()).or_insert(SystemTime::UNIX_EPOCH);
                *time = modified(&meta).max(*time);
            }
        }
        Ok(newest.into_iter().filter(|(_, time)| *time <= until).map(|(upload, _)| upload).collect())
    }

    /// Takes back what an interrupted sweep was removing: it may have been stored again meanwhile.
    pub async fn recover_removed(&self) -> Result<()> {
        let blobs = self.clone();
        blocking(move || blobs.folder().map_or(Ok(()), |folder| folder.recover_removed())).await
    }

    /// Held while a blob is looked up and stored in a remote store, so that no sweep of this process comes between. A
    /// sweep of another process can, in the moment between its look and its removal.
    pub(crate) async fn writing(&self, digest: &Digest) -> RwLockReadGuard<'_, ()> {
        self.group(digest).read().await
    }

    /// Whether a remote store has a blob that no sweep will take soon. An old one is stored again, since an object's time
    /// cannot be set.
    pub(crate) async fn is_young(&self, digest: &Digest) -> Result<bool> {
        match self.objects().head(&Self::object_path(digest)).await {
            Ok(meta) => {
                #[expect(clippy::disallowed_methods, reason = "compared with the time that the store gave the object")]
                let now = SystemTime::now();
                Ok(modified(&meta) + self.grace() / 2 > now)
            }
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn group(&self, digest: &Digest) -> &tokio::sync::RwLock<()> {
        &self.0.groups[usize::from(digest.as_bytes()[0]) % self.0.groups.len()]
    }

    fn until(&self, now: SystemTime) -> SystemTime {
        now.checked_sub(self.grace()).unwrap_or(SystemTime::UNIX_EPOCH)
    }
}

fn modified(meta: &ObjectMeta) -> SystemTime {
    meta.last_modified.into()
}

#[cfg(test)]
mod tests;

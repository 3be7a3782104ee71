//! Mark and sweep: which blobs are old, which of those no row names, and whether they are still old when they go.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use tiegel_blobs::{GROUPS, StaleBlob};
use tiegel_context::{BlobError, OpError, OpResult};
use tiegel_types::Digest;

use crate::kept::{Kept, is_within};
use crate::{Collected, Collector};

/// Blobs that are looked up by digest in one query.
const ASKED_AT_ONCE: usize = 4_096;
/// How often the bundles are read anew because there are more of them.
const ROUNDS_MAX: u32 = 5;

impl Collector {
    /// Parts of uploads that expired, and parts whose upload is gone.
    pub(crate) async fn sweep_uploads(&self, collected: &mut Collected) -> OpResult<()> {
        loop {
            let cleared = self.artifacts.clear_expired_uploads().await?;
            if cleared == 0 {
                break;
            }
            collected.uploads += cleared as u64;
        }
        let ctx = self.artifacts.ctx();
        for upload in ctx.blobs.stale_uploads(self.now()).await? {
            if ctx.store.upload(&upload).await?.is_none() {
                ctx.blobs.drop_parts(&upload).await?;
                collected.uploads += 1;
            }
        }
        Ok(())
    }

    pub(crate) async fn sweep_blobs(&self, collected: &mut Collected) -> OpResult<()> {
        let ctx = self.artifacts.ctx();
        ctx.blobs.recover_removed().await?;
        let candidates = self.candidates(None).await?;
        for (digest, bytes) in self.unnamed(candidates, None).await? {
            if ctx.blobs.remove_stale(&digest, self.now()).await? {
                collected.blobs += 1;
                collected.bytes += bytes;
            }
        }
        Ok(())
    }

    /// As a sweep would, once the files of these folders are gone.
    pub(crate) async fn count_unnamed(&self, going: Going<'_>, collected: &mut Collected) -> OpResult<()> {
        let candidates = self.candidates(Some(going)).await?;
        let unnamed = self.unnamed(candidates, Some(going)).await?;
        collected.blobs = unnamed.len() as u64;
        collected.bytes = unnamed.values().sum();
        let ctx = self.artifacts.ctx();
        collected.uploads = ctx.store.expired_uploads(ctx.now_ms(), u32::MAX).await?.len() as u64;
        Ok(())
    }

    /// Old blobs that are no file, with their sizes. Nearly all blobs are files, so few are left.
    async fn candidates(&self, going: Option<Going<'_>>) -> OpResult<BTreeMap<Digest, u64>> {
        let (blobs, now) = (&self.artifacts.ctx().blobs, self.now());
        let mut candidates = BTreeMap::new();
        for group in 0..GROUPS {
            let group = u8::try_from(group).map_err(|_| OpError::internal("a group is one byte"))?;
            let stale = blobs.stale(group, now).await?;
            for stale in stale.chunks(ASKED_AT_ONCE) {
                let digests = stale.iter().map(|blob| blob.digest).collect();
                let left = self.not_files(digests, going).await?;
                let is_left = |blob: &&StaleBlob| left.contains(&blob.digest);
                candidates.extend(stale.iter().filter(is_left).map(|blob| (blob.digest, blob.bytes)));
            }
        }
        Ok(candidates)
    }

    async fn not_files(&self, digests: Vec<Digest>, going: Option<Going<'_>>) -> OpResult<BTreeSet<Digest>> {
        let store = &self.artifacts.ctx().store;
        let Some((folders, kept)) = going.filter(|(folders, _)| !folders.is_empty()) else {
            return Ok(store.not_files(digests).await?.into_iter().collect());
        };
        let goes = |path: &String| !kept.holds(path) && folders.iter().any(|folder| is_within(path, folder));
        let files = store.paths_of(digests.clone()).await?;
        let stays = |digest: &Digest| files.get(digest).is_some_and(|paths| !paths.iter().all(goes));
        Ok(digests.into_iter().filter(|digest| !stays(digest)).collect())
    }

    /// Those that no row names, nor any bundle that a row names.
    async fn unnamed(
        &self,
        mut candidates: BTreeMap<Digest, u64>,
        going: Option<Going<'_>>,
    ) -> OpResult<BTreeMap<Digest, u64>> {
        let store = &self.artifacts.ctx().store;
        let mut read = BTreeSet::new();
        let mut bundles = store.named_bundles().await?;
        for _ in 0..ROUNDS_MAX {
            if candidates.is_empty() {
                return Ok(candidates);
            }
            for bundle in bundles.difference(&read) {
                for digest in self.named_by(bundle).await? {
                    candidates.remove(&digest);
                }
            }
            read.append(&mut bundles);
            let asked = candidates.keys().copied().collect();
            let referrers = store.referrers(asked, going.is_none()).await?;
            // One that is new since they were read may name what an old one named.
            if referrers.bundles.is_subset(&read) {
                candidates.retain(|digest, _| referrers.unnamed.contains(digest));
                return Ok(candidates);
            }
            bundles = referrers.bundles;
        }
        tracing::info!("bundles are made faster than they are read: blobs are swept in another pass");
        Ok(BTreeMap::new())
    }

    /// What a bundle is made of. One that cannot be read ends the sweep: what it names is not known.
    async fn named_by(&self, bundle: &Digest) -> OpResult<BTreeSet<Digest>> {
        match self.artifacts.ctx().blobs.get(bundle).await {
            Ok(manifest) => Ok(Digest::all_in(&String::from_utf8_lossy(&manifest)).collect()),
            Err(BlobError::NotFound(_)) => Ok(BTreeSet::new()),
            Err(error) => Err(error.into()),
        }
    }

    fn now(&self) -> SystemTime {
        let ms = u64::try_from(self.artifacts.ctx().now_ms()).unwrap_or_default();
        SystemTime::UNIX_EPOCH + Duration::from_millis(ms)
    }
}

/// Folders whose files are about to go, but for those that are kept.
pub(crate) type Going<'a> = (&'a [String], &'a Kept);

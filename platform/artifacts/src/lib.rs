//! Files of runs and models: uploaded by name, kept by content, read back by name.
//!
//! Invariants: what an upload answered is stored whole and under its digest, and the same bytes are stored once; a path
//! has no spelling that leaves its tree; files that others left at the destination are read and deleted, never changed.

mod files;
mod path;
mod places;
mod uploads;

pub use files::{Entry, Found, SignedUrl};
pub use path::ArtifactPath;
pub use places::{Artifacts, Places, Root, proxied_path};
pub use uploads::{GivenPart, Upload};

pub use tiegel_blobs::Access;
use tiegel_blobs::BlobError;
use tiegel_context::{Context, OpError, OpResult};

/// Forgets all files of a tree, such as `1/<run>/artifacts`, and answers how many they were. Their blobs stay until
/// nothing refers to them. Plain files at a destination are not touched: [`Artifacts::delete`] removes both.
pub async fn remove_tree(ctx: &Context, root: &ArtifactPath) -> OpResult<u64> {
    if root.is_root() {
        return Err(OpError::invalid("invalid_path", "Invalid path: the root of all trees is never removed"));
    }
    Ok(ctx.store.delete_artifacts(root.as_str()).await?)
}

/// What the sender can mend is said to the sender.
fn refused(error: BlobError) -> OpError {
    match error {
        BlobError::TooLarge { .. } => OpError::Limit(error.to_string()),
        denied if denied.is_denied() => OpError::invalid(
            "artifact_store_denied",
            format!("the artifacts' store does not let the server in: set blob_options in its config ({denied})"),
        ),
        BlobError::Body(_) | BlobError::Mismatch { .. } | BlobError::Invalid(_) => {
            OpError::invalid("upload_refused", error.to_string())
        }
        other => other.into(),
    }
}

#[cfg(test)]
mod tests;

use std::path::Path;

use tiegel_types::Digest;

#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    #[error("blob {0} does not exist")]
    NotFound(Digest),
    #[error(
        "blob {digest} is damaged: its bytes have the digest {actual}; restore it from a backup, or run what made it again"
    )]
    Damaged { digest: Digest, actual: Digest },
    /// What was sent is not what was announced.
    #[error("the bytes have the digest {actual}, not {expected}; send them again")]
    Mismatch { expected: Digest, actual: Digest },
    #[error("the body has more than {bytes_max} bytes, the most that is taken")]
    TooLarge { bytes_max: u64 },
    /// A URL, an option or a source that cannot be used; the message says why.
    #[error("{0}")]
    Invalid(String),
    /// The sender stopped before the end.
    #[error("the body ended early: {0}")]
    Body(String),
    #[error("{what}: {source}")]
    Io { what: String, source: std::io::Error },
    #[error("blob store: {0}")]
    Store(#[from] object_store::Error),
}

impl BlobError {
    /// Whether the store refused the server's credentials, which no other try will change.
    pub fn is_denied(&self) -> bool {
        use object_store::Error::{PermissionDenied, Unauthenticated};
        matches!(self, Self::Store(PermissionDenied { .. } | Unauthenticated { .. }))
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> BlobError {
        move |source| Self::Io { what: path.display().to_string(), source }
    }
}

use tiegel_context::{BlobError, OpError};
use tiegel_store::StoreError;

pub type RegistryResult<T> = Result<T, RegistryError>;

/// The error codes of the distribution specification, and what it says by a status alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    BlobUnknown,
    BlobUploadInvalid,
    BlobUploadUnknown,
    DigestInvalid,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestUnknown,
    NameInvalid,
    NameUnknown,
    SizeInvalid,
    /// Contradicts what is stored.
    Denied,
    Unsupported,
    TooManyRequests,
    /// A chunk that does not begin where the last one ended.
    OutOfOrder,
    Internal,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RegistryError {
    pub code: Code,
    pub message: String,
}

impl RegistryError {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl From<OpError> for RegistryError {
    fn from(error: OpError) -> Self {
        let code = match &error {
            OpError::Invalid { code: "plugin_signature", .. } => Code::Denied,
            OpError::Invalid { .. } => Code::ManifestInvalid,
            OpError::NotFound(_) => Code::ManifestUnknown,
            OpError::Conflict(_) => Code::Denied,
            OpError::Limit(_) => Code::SizeInvalid,
            OpError::Busy(_) => Code::TooManyRequests,
            OpError::Cancelled | OpError::Internal(_) => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}

impl From<StoreError> for RegistryError {
    fn from(error: StoreError) -> Self {
        OpError::from(error).into()
    }
}

/// Of a blob that is read, or sent.
impl From<BlobError> for RegistryError {
    fn from(error: BlobError) -> Self {
        let code = match &error {
            BlobError::NotFound(_) => Code::BlobUnknown,
            BlobError::Mismatch { .. } => Code::DigestInvalid,
            BlobError::TooLarge { .. } => Code::SizeInvalid,
            BlobError::Body(_) | BlobError::Invalid(_) => Code::BlobUploadInvalid,
            _ => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}

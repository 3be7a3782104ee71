use tiegel_blobs::BlobError;
use tiegel_engine::{ModelError, PluginFailure, TableError};
use tiegel_store::StoreError;

pub type OpResult<T> = Result<T, OpError>;

/// What a domain operation says when it does not succeed. The HTTP edge decides the status.
#[derive(Debug, thiserror::Error)]
pub enum OpError {
    /// The caller's input is wrong; `code` is stable, the message says what and what to do.
    #[error("{message}")]
    Invalid { code: &'static str, message: String },
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    Conflict(String),
    /// A limit was hit.
    #[error("{0}")]
    Limit(String),
    /// Full for the moment; the same call may succeed later.
    #[error("{0}")]
    Busy(String),
    #[error("cancelled")]
    Cancelled,
    /// Ours; the cause is logged and hidden.
    #[error("{0}")]
    Internal(String),
}

impl OpError {
    pub fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { code, message: message.into() }
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::Internal(message.into())
    }

    /// Puts a place in front of the message, such as `step 'joined'`.
    pub fn at(self, place: &str) -> Self {
        match self {
            Self::Invalid { code, message } => Self::Invalid { code, message: format!("{place}: {message}") },
            Self::NotFound(message) => Self::NotFound(format!("{place}: {message}")),
            Self::Conflict(message) => Self::Conflict(format!("{place}: {message}")),
            Self::Limit(message) => Self::Limit(format!("{place}: {message}")),
            Self::Busy(message) => Self::Busy(format!("{place}: {message}")),
            Self::Internal(message) => Self::Internal(format!("{place}: {message}")),
            Self::Cancelled => Self::Cancelled,
        }
    }

    /// Whether another try of the same work may succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Internal(_) | Self::Busy(_))
    }
}

impl From<StoreError> for OpError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(message) | StoreError::Exists(message) => Self::Conflict(message),
            StoreError::NotFound(what) => Self::NotFound(what),
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<BlobError> for OpError {
    fn from(error: BlobError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<TableError> for OpError {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Invalid(message) => Self::invalid("invalid_table", message),
            TableError::Plugin(failure) => failure.into(),
            TableError::Limit(message) => Self::Limit(message),
            TableError::Cancelled => Self::Cancelled,
            TableError::Internal(message) => Self::Internal(message),
        }
    }
}

impl From<PluginFailure> for OpError {
    fn from(failure: PluginFailure) -> Self {
        let code = match &failure {
            PluginFailure::Refused { .. } => "plugin_refused",
            PluginFailure::Fault { kind: tiegel_engine::FaultKind::Host, message, .. } => {
                return Self::Internal(message.clone());
            }
            PluginFailure::Fault { .. } => "plugin_fault",
        };
        Self::invalid(code, failure.to_string())
    }
}

impl From<ModelError> for OpError {
    fn from(error: ModelError) -> Self {
        match error {
            ModelError::Invalid(message) => Self::invalid("invalid_model", message),
            ModelError::Cancelled => Self::Cancelled,
            ModelError::Internal(message) => Self::Internal(message),
        }
    }
}

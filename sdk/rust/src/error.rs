use std::fmt;

use crate::bindings::meta::tiegel::plugin::types;

pub use types::ErrorCode;

pub type Result<T> = std::result::Result<T, PluginError>;

/// A refusal that the user reads: what is wrong, and where.
///
/// ```
/// use tiegel_plugin::PluginError;
///
/// let error = PluginError::invalid_input("the price is negative").column("price").row(3);
/// assert_eq!(error.to_string(), "the price is negative (column 'price', row 3)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginError {
    pub code: ErrorCode,
    pub message: String,
    pub column: Option<String>,
    /// Counted from 0 within the batch.
    pub row: Option<u32>,
}

impl PluginError {
    /// The config asks for something that does not exist or does not fit together.
    pub fn invalid_config(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidConfig, message)
    }

    /// The input columns are not ones that the plugin can read.
    pub fn invalid_schema(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidSchema, message)
    }

    /// A value is not one that the plugin can work with.
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidInput, message)
    }

    /// `transform` was called before a state was there.
    pub fn not_fitted(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::NotFitted, message)
    }

    /// The bytes given to `load` or `merge` are not ones that this plugin wrote.
    pub fn bad_state(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::BadState, message)
    }

    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Unsupported, message)
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Internal, message)
    }

    pub fn column(self, column: impl Into<String>) -> Self {
        Self { column: Some(column.into()), ..self }
    }

    /// Names the column where none is named yet.
    pub fn or_column(self, column: &str) -> Self {
        if self.column.is_some() { self } else { self.column(column) }
    }

    pub fn row(self, row: usize) -> Self {
        Self { row: u32::try_from(row).ok(), ..self }
    }

    fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), column: None, row: None }
    }
}

impl fmt::Display for PluginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match (&self.column, self.row) {
            (Some(column), Some(row)) => write!(f, " (column '{column}', row {row})"),
            (Some(column), None) => write!(f, " (column '{column}')"),
            (None, Some(row)) => write!(f, " (row {row})"),
            (None, None) => Ok(()),
        }
    }
}

impl std::error::Error for PluginError {}

impl From<PluginError> for types::PluginError {
    fn from(error: PluginError) -> Self {
        let PluginError { code, message, column, row } = error;
        Self { code, message, column, row }
    }
}

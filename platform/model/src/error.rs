use tiegel_engine::ModelError;

pub(crate) type Result<T, E = ModelError> = std::result::Result<T, E>;

pub(crate) fn invalid(message: impl Into<String>) -> ModelError {
    ModelError::Invalid(message.into())
}

/// A failure of candle itself: our shapes are checked before, so the user cannot mend it.
pub(crate) fn tensor_error(error: candle_core::Error) -> ModelError {
    ModelError::Internal(format!("tensor operation failed: {error}"))
}

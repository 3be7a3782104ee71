use std::fmt::Display;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The request contradicts what is stored; nothing was changed.
    #[error("{0}")]
    Conflict(String),
    #[error("{0}")]
    NotFound(String),
    /// The name is taken; nothing was changed.
    #[error("{0}")]
    Exists(String),
    /// A value that the database could not give back as it was.
    #[error("{0}")]
    Invalid(String),
    /// The database was made by a newer binary, or its migrations were edited; see the message.
    #[error("{0}")]
    Migration(String),
    #[error("database: {0}")]
    Database(#[source] sqlx::Error),
    /// The database did not do what it should; ours, not the caller's.
    #[error("database: {0}")]
    Engine(String),
}

impl StoreError {
    pub(crate) fn not_found(what: impl Display) -> Self {
        Self::NotFound(format!("{what} does not exist"))
    }

    /// Both databases refuse what one of them cannot hold.
    pub(crate) fn nul(text: &str) -> Self {
        Self::Invalid(format!("{text:?} holds a NUL character, which cannot be stored; remove it"))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let message = match error.as_database_error() {
            Some(db) if db.is_unique_violation() => "it exists already",
            Some(db) if db.is_foreign_key_violation() => "it refers to something that does not exist",
            Some(db) if db.is_check_violation() => "a value is out of its range",
            _ => return Self::Database(error),
        };
        Self::Conflict(format!("{message}: {error}"))
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ffi;
        let message = match error.sqlite_error().map(|cause| cause.extended_code) {
            Some(ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY) => "it exists already",
            Some(ffi::SQLITE_CONSTRAINT_FOREIGNKEY) => "it refers to something that does not exist",
            Some(ffi::SQLITE_CONSTRAINT_CHECK) => "a value is out of its range",
            _ => return Self::Engine(error.to_string()),
        };
        Self::Conflict(format!("{message}: {error}"))
    }
}

/// Names what a foreign key pointed at.
pub(crate) trait Referring<T> {
    fn referring_to(self, what: impl FnOnce() -> String) -> Result<T, StoreError>;
}

impl<T> Referring<T> for Result<T, sqlx::Error> {
    fn referring_to(self, what: impl FnOnce() -> String) -> Result<T, StoreError> {
        self.map_err(|error| match error.as_database_error() {
            Some(db) if db.is_foreign_key_violation() => StoreError::not_found(what()),
            _ => error.into(),
        })
    }
}

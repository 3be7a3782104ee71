//! Content-addressed bytes: a blob is written once under its SHA-256 digest and never changes.
//!
//! Invariants: a blob appears whole or not at all, and on disk before its digest is answered. What is read through this
//! crate is checked against its digest. A refused or interrupted write leaves nothing behind.

mod error;
mod folder;
mod import;
mod location;
mod open;
mod read;
mod write;

pub use error::BlobError;
pub use import::ImportedFile;
pub use open::Blobs;

type Result<T> = std::result::Result<T, BlobError>;

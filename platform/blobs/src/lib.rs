//! Content-addressed bytes: a blob is written once under its SHA-256 digest and never changes.
//!
//! Beside them two other kinds of bytes: the parts of an upload until they are joined, and plain files that others wrote.
//!
//! Invariants: a blob appears whole or not at all, and on disk before its digest is answered. What is read through this
//! crate is checked against its digest. A refused or interrupted write leaves nothing behind.

mod error;
mod folder;
mod import;
mod intake;
mod location;
mod open;
mod parts;
mod read;
mod sweep;
mod tree;
mod write;

pub use error::BlobError;
pub use import::ImportedFile;
pub use open::Blobs;
pub use read::ByteStream;
pub use sweep::{GROUPS, StaleBlob};
pub use tree::{Access, Tree, TreeEntry, TreeFile};

type Result<T> = std::result::Result<T, BlobError>;

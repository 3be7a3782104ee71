//! Extractors whose rejections are problems that name the field and its place.

mod json;
mod path;
mod query;

pub use json::Json;
pub use path::Path;
pub use query::Query;

use std::collections::HashMap;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use tiegel_distribution::Code;
use tiegel_store::{Reference, Repository};
use tiegel_types::{Digest, Name};

use crate::error::{OciError, OciResult};

const TAG_CHARS_MAX: usize = 128;

/// What a path names: a repository, and what of it.
pub(crate) struct Place {
    pub repository: Repository,
    /// A digest, reference or upload; empty where the path has none.
    pub what: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Place {
    type Rejection = OciError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> OciResult<Self> {
        let path = Path::<HashMap<String, String>>::from_request_parts(parts, state).await;
        let Path(mut path) = path.map_err(|_| OciError::no_repository())?;
        let mut take = |key: &str| path.remove(key).unwrap_or_default();
        let repository = repository(&take("project"), &take("name"))?;
        Ok(Self { repository, what: take("what") })
    }
}

fn repository(project: &str, plugin: &str) -> OciResult<Repository> {
    let name = |text: &str| Name::new(text).map_err(|e| OciError::new(Code::NameInvalid, e.to_string()));
    Ok(Repository { project: name(project)?, plugin: name(plugin)? })
}

impl Place {
    pub fn digest(&self) -> OciResult<Digest> {
        digest(&self.what)
    }

    pub fn reference(&self) -> OciResult<Reference> {
        if self.what.contains(':') {
            return Ok(Reference::Digest(digest(&self.what)?));
        }
        let mut chars = self.what.chars();
        let starts_well = chars.next().is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
        let goes_on_well = chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
        if starts_well && goes_on_well && self.what.len() <= TAG_CHARS_MAX {
            return Ok(Reference::Tag(self.what.clone()));
        }
        let message = "a reference is a digest, or a tag of letters, digits, '_', '.' and '-'";
        Err(OciError::new(Code::ManifestInvalid, message))
    }

    /// The path of this repository and something in it.
    pub fn path(&self, rest: &str) -> String {
        let Repository { project, plugin } = &self.repository;
        format!("/v2/plugins/{project}/{plugin}/{rest}")
    }
}

/// Exactly as this server writes it.
pub(crate) fn digest(text: &str) -> OciResult<Digest> {
    let parsed = text.parse::<Digest>().ok().filter(|digest| digest.to_string() == text);
    parsed.ok_or_else(|| OciError::new(Code::DigestInvalid, "a digest here is 'sha256:' and 64 lower-case hex digits"))
}

/// The repository that a mount names; none where it is not one of this server.
pub(crate) fn named(repository_name: &str) -> Option<Repository> {
    let (project, plugin) = repository_name.strip_prefix("plugins/")?.split_once('/')?;
    repository(project, plugin).ok()
}

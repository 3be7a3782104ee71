use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tiegel_artifacts::ArtifactPath;
use tiegel_store::Scope;
use tiegel_types::{Name, uri};

use crate::{Mlflow, MlflowError, MlflowResult};

/// The workspace of clients that name none.
pub(crate) const DEFAULT: &str = "default";
const HEADER: &str = "x-mlflow-workspace";

const NAME_CHARS_MIN: usize = 2;
const NAME_CHARS_MAX: usize = 63;
/// They are parts of paths.
const RESERVED: [&str; 4] = ["workspaces", "api", "ajax-api", "static-files"];
/// The folder of bundles, which are named by what they hold.
const BUNDLES: &str = "bundles";

/// The project that a request is about: what another one has does not exist for it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Workspace {
    pub project: Name,
}

impl Workspace {
    pub fn scope(&self) -> Scope {
        Scope::Project(self.project.clone())
    }

    pub fn is_default(&self) -> bool {
        self.project.as_str() == DEFAULT
    }

    /// Where a path below `mlflow-artifacts:/` is for this workspace. Clients leave out the workspace's own folder, but
    /// what lies in an experiment is found wherever that keeps it.
    pub async fn place(&self, state: &Mlflow, path: ArtifactPath) -> MlflowResult<ArtifactPath> {
        let mut segments = path.as_str().split('/');
        let first = segments.next().unwrap_or_default();
        if first != uri::WORKSPACES {
            let stays = self.is_default() || first == BUNDLES || self.has_experiment(state, first).await?;
            return if stays { Ok(path) } else { Ok(self.folder()?.join(&path)) };
        }
        let named = segments.next().filter(|name| !name.is_empty()).ok_or_else(|| {
            MlflowError::invalid("Artifact paths prefixed with 'workspaces/' must include a workspace name.")
        })?;
        // An experiment takes its files along when its workspace is dissolved.
        if named == self.project.as_str() || self.has_experiment(state, segments.next().unwrap_or_default()).await? {
            return Ok(path);
        }
        Err(MlflowError::invalid(format!(
            "Artifact path targets workspace '{named}' but the workspace specified in the request is '{}'.",
            self.project
        )))
    }

    fn folder(&self) -> MlflowResult<ArtifactPath> {
        Ok(ArtifactPath::decode(&format!("{}/{}", uri::WORKSPACES, self.project))?)
    }

    async fn has_experiment(&self, state: &Mlflow, id: &str) -> MlflowResult<bool> {
        let Ok(id) = id.parse() else { return Ok(false) };
        Ok(state.ctx.store.project_of_experiment(id).await?.as_ref() == Some(&self.project))
    }
}

impl FromRequestParts<Mlflow> for Workspace {
    type Rejection = MlflowError;

    async fn from_request_parts(parts: &mut Parts, state: &Mlflow) -> MlflowResult<Self> {
        let named = match parts.headers.get(HEADER) {
            Some(value) => value.to_str().map_err(|_| MlflowError::invalid("a workspace's name is plain text"))?.trim(),
            None => "",
        };
        let name = if named.is_empty() { DEFAULT } else { named };
        let project = known_name(name)?;
        // Every database has the default one.
        if name != DEFAULT && !state.ctx.store.has_project(&project).await? {
            return Err(unknown(name));
        }
        Ok(Self { project })
    }
}

/// The name of a workspace that is there, perhaps: projects have more names than clients may give to workspaces.
pub(crate) fn known_name(name: &str) -> MlflowResult<Name> {
    name.parse().map_err(|_| unknown(name))
}

/// The name of a workspace that a client makes.
pub(crate) fn new_name(name: &str) -> MlflowResult<Name> {
    let chars = name.chars().count();
    if !(NAME_CHARS_MIN..=NAME_CHARS_MAX).contains(&chars) {
        return Err(MlflowError::invalid(format!(
            "Workspace name '{name}' must be between {NAME_CHARS_MIN} and {NAME_CHARS_MAX} characters."
        )));
    }
    let is_plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !is_plain || name.starts_with('-') || name.ends_with('-') {
        return Err(MlflowError::invalid(format!(
            "Workspace name '{name}' must match the pattern ^[a-z0-9]([-a-z0-9]*[a-z0-9])?$ (lowercase alphanumeric with \
             optional internal hyphens)."
        )));
    }
    if RESERVED.contains(&name) {
        return Err(MlflowError::invalid(format!("Workspace name '{name}' is reserved and cannot be used.")));
    }
    // A project begins with a letter.
    name.parse().map_err(|error: tiegel_types::NameError| MlflowError::invalid(error.to_string()))
}

/// What is not there and could not be made is no name at all.
pub(crate) fn unknown(name: &str) -> MlflowError {
    new_name(name).err().unwrap_or_else(|| MlflowError::not_found(format!("Workspace '{name}' not found")))
}

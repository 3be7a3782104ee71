use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tiegel_store::Scope;
use tiegel_types::Name;

use crate::{Mlflow, MlflowError, MlflowResult};

/// The workspace of clients that name none.
const DEFAULT: &str = "default";
const HEADER: &str = "x-mlflow-workspace";

/// The project that a request is about: what another one has does not exist for it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Workspace {
    pub project: Name,
}

impl Workspace {
    pub fn scope(&self) -> Scope {
        Scope::Project(self.project.clone())
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
        let project: Name = name.parse().map_err(|_| unknown(name))?;
        // Every database has the default one.
        if name != DEFAULT && !state.ctx.store.has_project(&project).await? {
            return Err(unknown(name));
        }
        Ok(Self { project })
    }
}

fn unknown(name: &str) -> MlflowError {
    MlflowError::not_found(format!("Workspace '{name}' not found"))
}

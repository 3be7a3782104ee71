use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tiegel_store::{Change, Scope};
use tiegel_types::Name;

use crate::workspace::Workspace;
use crate::{Mlflow, MlflowError, MlflowResult};

/// Characters of a user's name that the audit keeps.
const USER_CHARS_MAX: usize = 100;

/// Who asks, and for which project.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Caller {
    pub project: Name,
    /// For the audit.
    pub actor: String,
}

impl Caller {
    pub fn scope(&self) -> Scope {
        Scope::Project(self.project.clone())
    }

    pub fn change(&self, state: &Mlflow) -> Change {
        Change { actor: self.actor.clone(), at_ms: state.ctx.now_ms(), project: self.project.clone() }
    }
}

impl FromRequestParts<Mlflow> for Caller {
    type Rejection = MlflowError;

    async fn from_request_parts(parts: &mut Parts, state: &Mlflow) -> MlflowResult<Self> {
        let Workspace { project } = Workspace::from_request_parts(parts, state).await?;
        let Actor(actor) = Actor::of(&parts.headers);
        Ok(Self { project, actor })
    }
}

/// Who asks for what is in no project.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Actor(pub String);

impl Actor {
    fn of(headers: &HeaderMap) -> Self {
        let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        Self(match authorization.and_then(user_of) {
            Some(user) => format!("mlflow client {user}"),
            None => "mlflow client".to_owned(),
        })
    }
}

impl FromRequestParts<Mlflow> for Actor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Mlflow) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

/// The name in basic authentication. It is what the client says: only the token is checked, and that elsewhere.
fn user_of(authorization: &str) -> Option<String> {
    let (scheme, credentials) = authorization.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
    let user: String = decoded.split_once(':')?.0.chars().filter(|c| !c.is_control()).take(USER_CHARS_MAX).collect();
    (!user.is_empty()).then_some(user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_named_by_basic_authentication_alone() {
        let basic = |text: &str| user_of(&format!("Basic {}", STANDARD.encode(text)));
        assert_eq!(basic("ana:secret").as_deref(), Some("ana"));
        assert_eq!(
            (basic(":secret"), basic("ana"), user_of("Bearer YTpi"), user_of("Basic %")),
            (None, None, None, None)
        );
    }
}

//! Registered models, their versions, aliases and tags; logged models; webhooks.
//!
//! Every change of a model locks its row first, so that changes of one model happen in one order. What webhooks tell of is
//! queued in the transaction of the change itself.

mod aliases;
mod deliveries;
mod events;
mod import;
pub(crate) mod loading;
pub(crate) mod logged;
mod models;
mod pairs;
mod tags;
#[cfg(test)]
mod tests;
mod versions;
mod webhooks;

use std::fmt;
use std::str::FromStr;

use tiegel_types::{Digest, JobId, Metrics, Name};

use crate::StoreError;
use pairs::{PairsOf, put_pairs, remove_pair};

pub use deliveries::{Attempt, Delivery, DeliveryRow, DeliveryState, Outcome};
pub(crate) use import::{import_logged_model, import_registered_model};
pub use logged::{LoggedModelMetric, LoggedModelRow, LoggedModelStatus, NewLoggedModel};
pub use models::NewModel;
pub use versions::{NewModelVersion, NewVersion};
pub use webhooks::{NewWebhook, SealedSecret, WebhookChange, WebhookPage, WebhookRow};

/// The tag that makes a model a prompt, if its value is `true`.
pub const PROMPT_TAG: &str = "mlflow.prompt.is_prompt";
/// The tag that holds the text of a prompt's version.
pub const PROMPT_TEXT_TAG: &str = "mlflow.prompt.text";
/// The tag that says whether a prompt is a text or a chat.
pub const PROMPT_TYPE_TAG: &str = "_mlflow_prompt_type";

/// Keys and values, by key.
pub type Tags = Vec<(String, String)>;

/// Who changes the registry, when, and in which project: models of others do not exist for them.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// For the audit.
    pub actor: String,
    pub at_ms: i64,
    /// The project whose models it sees.
    pub project: Name,
}

/// What became of a request for a name.
#[derive(Clone, Debug, PartialEq)]
pub enum Made<T> {
    Made(T),
    /// Something else has the name.
    Taken {
        by_prompt: bool,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct ModelRow {
    pub(crate) id: i64,
    /// Free text, unique in its project.
    pub name: String,
    pub project: Name,
    pub description: String,
    pub created_ms: i64,
    pub updated_ms: i64,
    pub tags: Tags,
    /// By alias.
    pub aliases: Vec<AliasRow>,
    /// The newest version of each stage that has one.
    pub latest: Vec<ModelVersionRow>,
}

impl ModelRow {
    pub fn is_prompt(&self) -> bool {
        is_prompt(&self.tags)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct ModelVersionRow {
    pub(crate) id: i64,
    pub model: String,
    pub project: Name,
    /// From 1; the number of a deleted version is not given again.
    pub version: u32,
    pub description: Option<String>,
    pub user: Option<String>,
    pub stage: Stage,
    /// What the client named: it may refer to a run, a logged model or another version.
    pub source: String,
    /// Where the files are.
    pub storage_location: String,
    /// Empty where no run made it. Not always a run of this server.
    pub run_id: String,
    pub run_link: String,
    pub logged_model_id: Option<String>,
    /// Of a version that a training of this server made; no two versions of a model share it.
    pub bundle: Option<Digest>,
    /// The job of that training.
    pub job_id: Option<JobId>,
    pub metrics: Metrics,
    /// Inputs, outputs and params as MLflow writes them, where they are known.
    pub signature: Option<serde_json::Value>,
    pub created_ms: i64,
    pub updated_ms: i64,
    pub tags: Tags,
    pub aliases: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct AliasRow {
    pub alias: String,
    pub version: u32,
    pub updated_ms: i64,
}

/// Where a version stands, as MLflow had it before aliases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    None,
    Staging,
    Production,
    Archived,
}

impl Stage {
    pub const ALL: [Stage; 4] = [Stage::None, Stage::Staging, Stage::Production, Stage::Archived];

    pub fn as_str(self) -> &'static str {
        match self {
            Stage::None => "None",
            Stage::Staging => "Staging",
            Stage::Production => "Production",
            Stage::Archived => "Archived",
        }
    }

    /// Whether versions in it are in use, so that another may take their place.
    pub fn is_active(self) -> bool {
        matches!(self, Stage::Staging | Stage::Production)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Stage {
    type Err = String;

    /// In any case of letters.
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|stage| stage.as_str().eq_ignore_ascii_case(text)).ok_or_else(|| {
            let all = Self::ALL.map(Stage::as_str).join(", ");
            format!("Invalid Model Version stage: {text}. Value must be one of {all}.")
        })
    }
}

/// Whether the tags are those of a prompt.
pub fn is_prompt(tags: &[(String, String)]) -> bool {
    tags.iter().rfind(|(key, _)| key == PROMPT_TAG).is_some_and(|(_, value)| value.eq_ignore_ascii_case("true"))
}

fn no_model(name: &str) -> StoreError {
    StoreError::not_found(format!("model '{name}'"))
}

fn no_version(name: &str, version: u32) -> StoreError {
    StoreError::not_found(format!("version {version} of model '{name}'"))
}

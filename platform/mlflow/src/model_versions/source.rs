//! What a new version is made of: checked against the run, the logged model or the version that the request names.

use futures::StreamExt as _;
use tiegel_artifacts::{ArtifactPath, Root};
use tiegel_registry::{ModelUri, Uri, check_source};
use tiegel_store::{ModelVersionRow, Stage};

use crate::caller::Caller;
use crate::registry::{no_version, seen_model, seen_version};
use crate::{Mlflow, MlflowError, MlflowResult, logged_models};

/// Bytes of a model's description that are read.
const DESCRIPTION_BYTES_MAX: u64 = 1 << 20;

pub(super) struct Sourced {
    pub source: String,
    pub storage_location: String,
    pub run_id: String,
    pub logged_model_id: Option<String>,
}

impl Sourced {
    pub fn of_prompt(source: &str, run_id: Option<&str>) -> Self {
        Self {
            source: source.to_owned(),
            storage_location: source.to_owned(),
            run_id: run_id.unwrap_or_default().to_owned(),
            logged_model_id: None,
        }
    }
}

/// `run_id` and `model_id` as the request has them.
pub(super) async fn find(
    state: &Mlflow,
    caller: &Caller,
    source: &str,
    (run_id, model_id): (Option<&str>, Option<&str>),
) -> MlflowResult<Sourced> {
    let named = model_id.filter(|id| !id.is_empty());
    match ModelUri::parse(source).map_err(MlflowError::invalid)? {
        Some(ModelUri::Logged(id)) => of_logged(state, caller, (source, &id), (run_id, named)).await,
        Some(uri) => of_version(state, caller, (source, uri), (run_id, model_id)).await,
        None => match named {
            Some(id) => of_model(state, caller, (source, id), run_id).await,
            None => of_run(state, caller, source, run_id.unwrap_or_default()).await,
        },
    }
}

/// A source that is a logged model, which the request must name too.
async fn of_logged(
    state: &Mlflow,
    caller: &Caller,
    (source, id): (&str, &str),
    (run_id, model_id): (Option<&str>, Option<&str>),
) -> MlflowResult<Sourced> {
    if model_id != Some(id) {
        return Err(not_contained(source, "model_id"));
    }
    let model = logged_models::seen(state, caller, id, false).await?;
    Ok(Sourced {
        source: source.to_owned(),
        run_id: run_id.filter(|id| !id.is_empty()).map_or(model.source_run_id, str::to_owned),
        storage_location: model.artifact_location,
        logged_model_id: Some(id.to_owned()),
    })
}

/// A source that is another version: the same files, and the same origin.
async fn of_version(
    state: &Mlflow,
    caller: &Caller,
    (source, uri): (&str, ModelUri),
    (run_id, model_id): (Option<&str>, Option<&str>),
) -> MlflowResult<Sourced> {
    let of = referred(state, caller, uri).await?;
    if seen_model(state, caller, &of.model).await?.is_prompt() {
        return Err(MlflowError::invalid(format!(
            "Invalid model version source: '{source}'. Prompt versions cannot be used as model version sources."
        )));
    }
    let logged_model_id = of.logged_model_id.unwrap_or_default();
    if run_id.is_some_and(|id| id != of.run_id) || model_id.is_some_and(|id| id != logged_model_id) {
        return Err(MlflowError::invalid(format!(
            "Invalid model version source: '{source}'. The run_id and model_id request parameters must match the \
             referenced model version."
        )));
    }
    Ok(Sourced {
        source: format!("models:/{}/{}", of.model, of.version),
        storage_location: of.storage_location,
        run_id: of.run_id,
        logged_model_id: Some(logged_model_id).filter(|id| !id.is_empty()),
    })
}

async fn referred(state: &Mlflow, caller: &Caller, uri: ModelUri) -> MlflowResult<ModelVersionRow> {
    match uri {
        ModelUri::Version(name, version) => {
            seen_model(state, caller, &name).await?;
            let found = seen_version(state, caller, &name, Some(version)).await?;
            found.ok_or_else(|| no_version(&name, &version.to_string()))
        }
        ModelUri::Newest(name, stage) => {
            let stage = stage.map(|stage| stage.parse::<Stage>()).transpose().map_err(MlflowError::invalid)?;
            let latest = seen_model(state, caller, &name).await?.latest.into_iter();
            let newest =
                latest.filter(|row| stage.is_none_or(|stage| row.stage == stage)).max_by_key(|row| row.version);
            newest.ok_or_else(|| MlflowError::not_found(format!("No versions of model with name '{name}' found")))
        }
        ModelUri::Alias(name, alias) => {
            seen_model(state, caller, &name).await?;
            let found = state.ctx.store.version_by_alias(&caller.project, &name, &alias).await?;
            found.ok_or_else(|| MlflowError::invalid(format!("Registered model alias {alias} not found.")))
        }
        ModelUri::Logged(id) => Err(not_contained(&format!("models:/{id}"), "model_id")),
    }
}

/// A source among the files of a logged model.
async fn of_model(
    state: &Mlflow,
    caller: &Caller,
    (source, id): (&str, &str),
    run_id: Option<&str>,
) -> MlflowResult<Sourced> {
    if Uri::parse(source).is("runs") {
        return Err(not_contained(source, "model_id"));
    }
    let model = logged_models::seen(state, caller, id, false).await?;
    check_source(source, "model_id", Some(&model.artifact_location)).map_err(MlflowError::invalid)?;
    Ok(Sourced {
        source: source.to_owned(),
        storage_location: source.to_owned(),
        run_id: run_id.filter(|id| !id.is_empty()).map_or(model.source_run_id, str::to_owned),
        logged_model_id: Some(id.to_owned()),
    })
}

/// A source among the files of a run, or where no server keeps it.
async fn of_run(state: &Mlflow, caller: &Caller, source: &str, run_id: &str) -> MlflowResult<Sourced> {
    let uri = Uri::parse(source);
    if uri.is("runs") && (!uri.authority.is_empty() || uri.parts().next().as_deref() != Some(run_id)) {
        return Err(not_contained(source, "run_id"));
    }
    let place = if run_id.is_empty() || !(uri.is_local() || uri.is("mlflow-artifacts")) {
        None
    } else {
        artifact_uri(state, caller, run_id).await?
    };
    check_source(source, "run_id", place.as_deref()).map_err(MlflowError::invalid)?;
    Ok(Sourced {
        source: source.to_owned(),
        storage_location: source.to_owned(),
        run_id: run_id.to_owned(),
        logged_model_id: None,
    })
}

/// Where a run that the caller can see keeps its files.
async fn artifact_uri(state: &Mlflow, caller: &Caller, run_id: &str) -> MlflowResult<Option<String>> {
    let Ok(id) = run_id.parse() else { return Ok(None) };
    let run = state.ctx.store.run(&id).await?;
    Ok(run.filter(|run| run.project == caller.project).map(|run| run.artifact_uri))
}

/// What the model's own description says of its inputs and outputs. Only our own files are read, and one that cannot be
/// read is no reason to refuse the version.
pub(super) async fn signature(state: &Mlflow, location: &str) -> Option<serde_json::Value> {
    let root = state.artifacts.at(location).ok()?;
    if !matches!(root, Root::Ours(..)) {
        return None;
    }
    let found = root.find(&ArtifactPath::decode("MLmodel").ok()?).await.ok()?;
    if found.bytes > DESCRIPTION_BYTES_MAX {
        return None;
    }
    let mut text = Vec::new();
    let mut chunks = found.read(None).await.ok()?;
    while let Some(chunk) = chunks.next().await {
        text.extend_from_slice(&chunk.ok()?);
    }
    tiegel_registry::signature_of(&String::from_utf8_lossy(&text))
}

fn not_contained(source: &str, id_field: &str) -> MlflowError {
    MlflowError::invalid(tiegel_registry::not_contained(source, id_field))
}

//! Datasets and models that go into a run, and models that come out.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use serde_json::{Map, Value, json};
use tiegel_store::{DatasetInput, DatasetSummary, ModelLink};

use crate::params::Params;
use crate::runs::run_id;
use crate::wire::answer;
use crate::workspace::Workspace;
use crate::{Mlflow, MlflowError, MlflowResult, validate};

const NAME_CHARS_MAX: usize = 500;
const DIGEST_CHARS_MAX: usize = 36;
const SOURCE_CHARS_MAX: usize = 65_535;
const SCHEMA_CHARS_MAX: usize = 1_048_575;
const PROFILE_CHARS_MAX: usize = 16_777_215;
const TAG_KEY_CHARS_MAX: usize = 255;
const TAG_VALUE_CHARS_MAX: usize = 500;
/// Experiments whose datasets one request asks for.
const EXPERIMENTS_MAX: usize = 20;

pub(crate) fn routes() -> Router<Mlflow> {
    Router::new()
        .route("/2.0/mlflow/runs/log-inputs", post(log_inputs))
        .route("/2.0/mlflow/runs/outputs", post(log_outputs))
        .route("/2.0/mlflow/experiments/search-datasets", post(search_datasets))
}

async fn log_inputs(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Response> {
    let run = run_id(&params)?;
    validate::run_id(run)?;
    let datasets = params.messages("datasets")?.iter().map(dataset_input).collect::<MlflowResult<_>>()?;
    let models = params.messages("models")?.iter().map(model).collect::<MlflowResult<_>>()?;
    state.ctx.store.log_inputs(&workspace.scope(), run, datasets, models).await?;
    Ok(answer(&json!({})))
}

async fn log_outputs(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Response> {
    let run = run_id(&params)?;
    params.required_list("models")?;
    let models = params.messages("models")?.iter().map(model).collect::<MlflowResult<_>>()?;
    state.ctx.store.log_outputs(&workspace.scope(), run, models).await?;
    Ok(answer(&json!({})))
}

fn model(params: &Params) -> MlflowResult<ModelLink> {
    let (model_id, step) = (params.required_text("model_id")?, params.int("step")?.unwrap_or(0));
    Ok(ModelLink { model_id: model_id.to_owned(), step })
}

fn dataset_input(params: &Params) -> MlflowResult<DatasetInput> {
    let dataset = params.message("dataset")?.unwrap_or_default();
    let limited = |field: &str, chars_max: usize| {
        let text = dataset.text(field)?;
        text.map_or(Ok(()), |text| validate::length(field, text, chars_max))?;
        Ok::<_, MlflowError>(text.map(str::to_owned))
    };
    let input = DatasetInput {
        name: limited("name", NAME_CHARS_MAX)?.unwrap_or_default(),
        digest: limited("digest", DIGEST_CHARS_MAX)?.unwrap_or_default(),
        source_type: dataset.text("source_type")?.unwrap_or_default().to_owned(),
        source: limited("source", SOURCE_CHARS_MAX)?.unwrap_or_default(),
        schema: limited("schema", SCHEMA_CHARS_MAX)?,
        profile: limited("profile", PROFILE_CHARS_MAX)?,
        tags: params.pairs("tags")?,
    };
    for (key, value) in &input.tags {
        validate::length("key", key, TAG_KEY_CHARS_MAX)?;
        validate::length("value", value, TAG_VALUE_CHARS_MAX)?;
    }
    Ok(input)
}

async fn search_datasets(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Response> {
    let experiments = params.texts("experiment_ids")?;
    if experiments.is_empty() {
        return Err(MlflowError::invalid("SearchDatasets request must specify at least one experiment_id."));
    }
    if experiments.len() > EXPERIMENTS_MAX {
        return Err(MlflowError::invalid(format!(
            "SearchDatasets request cannot specify more than {EXPERIMENTS_MAX} experiment_ids. Received {} experiment_ids.",
            experiments.len()
        )));
    }
    let ids = experiments.into_iter().map(validate::experiment_id).collect::<MlflowResult<_>>()?;
    let summaries = state.ctx.store.dataset_summaries(&workspace.scope(), ids).await?;
    let mut body = Map::new();
    if !summaries.is_empty() {
        body.insert("dataset_summaries".to_owned(), summaries.into_iter().map(summary).collect());
    }
    Ok(answer(&body))
}

fn summary(summary: DatasetSummary) -> Value {
    let DatasetSummary { experiment_id, name, digest, context } = summary;
    let mut json = json!({ "experiment_id": experiment_id.to_string(), "name": name, "digest": digest });
    if let Some(context) = context {
        json["context"] = context.into();
    }
    json
}

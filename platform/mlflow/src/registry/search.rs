//! Searching registered models, their versions and logged models.

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use serde_json::{Map, Value, json};
use tiegel_search::{DatasetFilter, Entity, LoggedModelKey, Order};
use tiegel_store::{SearchLoggedModels, SearchRegistry};

use crate::caller::Caller;
use crate::logged_models::logged_model_json;
use crate::params::{Params, missing};
use crate::registry::{model_json, put_list, version_json};
use crate::search::{filter, page_len, token};
use crate::wire::Answer;
use crate::{Mlflow, MlflowError, MlflowResult, validate};

const MODELS_DEFAULT: i64 = 100;
const MODELS_MAX: i64 = 1_000;
const VERSIONS_MAX: i64 = 200_000;
const LOGGED_MODELS_DEFAULT: i64 = 50;
const LOGGED_MODELS_MAX: i64 = 10_000;

pub(crate) fn routes() -> Router<Mlflow> {
    Router::new()
        .route("/2.0/mlflow/registered-models/search", get(models).post(models))
        .route("/2.0/mlflow/model-versions/search", get(versions))
        .route("/2.0/mlflow/logged-models/search", post(logged_models))
}

async fn models(State(state): State<Mlflow>, caller: Caller, params: Params) -> MlflowResult<Answer> {
    let limit = page_len(params.int("max_results")?.unwrap_or(MODELS_DEFAULT), MODELS_MAX)?;
    let search = registry(&caller, &params, Entity::RegisteredModel, limit)?;
    let page = state.ctx.store.search_models(search).await?;
    Ok(listed("registered_models", page.rows.iter().map(model_json), page.next))
}

async fn versions(State(state): State<Mlflow>, caller: Caller, params: Params) -> MlflowResult<Answer> {
    let limit = page_len(params.int("max_results")?.unwrap_or(VERSIONS_MAX), VERSIONS_MAX)?;
    let search = registry(&caller, &params, Entity::ModelVersion, limit)?;
    let page = state.ctx.store.search_model_versions(search).await?;
    let render = move || listed("model_versions", page.rows.iter().map(version_json), page.next);
    Ok(state.ctx.blocking(render).await?)
}

fn registry(caller: &Caller, params: &Params, entity: Entity, limit: usize) -> MlflowResult<SearchRegistry> {
    Ok(SearchRegistry {
        scope: caller.scope(),
        filter: filter(params, entity)?,
        order: Order::parse(entity, &params.texts("order_by")?)?,
        limit,
        token: token(params)?,
    })
}

async fn logged_models(State(state): State<Mlflow>, caller: Caller, params: Params) -> MlflowResult<Answer> {
    params.required_list("experiment_ids")?;
    let experiments = params.texts("experiment_ids")?.into_iter().map(validate::experiment_id);
    let limit = params.int("max_results")?.filter(|limit| *limit != 0).unwrap_or(LOGGED_MODELS_DEFAULT);
    let search = SearchLoggedModels {
        scope: caller.scope(),
        experiments: experiments.collect::<MlflowResult<_>>()?,
        filter: filter(&params, Entity::LoggedModel)?.on_datasets(datasets(&params)?),
        order: order(&params)?,
        limit: page_len(limit, LOGGED_MODELS_MAX)?,
        token: token(&params)?,
    };
    let page = state.ctx.store.search_logged_models(search).await?;
    Ok(listed("models", page.rows.iter().map(logged_model_json), page.next))
}

fn datasets(params: &Params) -> MlflowResult<Vec<DatasetFilter>> {
    let dataset = |dataset: Params| {
        let given =
            |field| Ok::<_, MlflowError>(dataset.text(field)?.filter(|text| !text.is_empty()).map(str::to_owned));
        let unnamed = || MlflowError::invalid("`dataset_name` in the `datasets` clause must be specified.");
        Ok(DatasetFilter { name: given("dataset_name")?.ok_or_else(unnamed)?, digest: given("dataset_digest")? })
    };
    params.messages("datasets")?.into_iter().map(dataset).collect()
}

/// Each key is an object.
fn order(params: &Params) -> MlflowResult<Order> {
    let keys = params.messages("order_by")?;
    let key = |key| {
        let key: &Params = key;
        Ok(LoggedModelKey {
            field: key.text("field_name")?.filter(|name| !name.is_empty()).ok_or_else(|| missing("field_name"))?,
            ascending: key.flag("ascending")?.unwrap_or(true),
            dataset_name: key.text("dataset_name")?,
            dataset_digest: key.text("dataset_digest")?,
        })
    };
    let keys: Vec<_> = keys.iter().map(key).collect::<MlflowResult<_>>()?;
    Ok(Order::of_logged_models(&keys)?)
}

fn listed(field: &str, rows: impl Iterator<Item = Value>, next: Option<String>) -> Answer {
    let mut fields = Map::new();
    put_list(&mut fields, field, rows);
    if let Some(next) = next {
        fields.insert("next_page_token".to_owned(), json!(next));
    }
    Answer(Value::Object(fields))
}

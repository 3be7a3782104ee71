//! Scorers: what judges traces, in versions. They are kept, and never run here.

use axum::Router;
use axum::extract::State;
use axum::routing::{delete, get, post, put};
use serde_json::{Map, Value, json};
use tiegel_store::StoreError;
use tiegel_store::evaluation::{NewOnlineConfig, NewScorerVersion, OnlineConfigRow, ScorerRow};

use crate::params::{Params, missing};
use crate::traces::{experiment_ids, listed};
use crate::validate::experiment_id;
use crate::wire::Answer;
use crate::workspace::Workspace;
use crate::{Mlflow, MlflowError, MlflowResult};

/// Characters of a name.
const NAME_CHARS_MAX: usize = 256;
/// What a model's address starts with where a gateway serves it.
const GATEWAY: &str = "gateway:/";

pub(crate) fn protocol() -> Router<Mlflow> {
    Router::new()
        .route("/3.0/mlflow/scorers/register", post(register))
        .route("/3.0/mlflow/scorers/list", get(list))
        .route("/3.0/mlflow/scorers/versions", get(versions))
        .route("/3.0/mlflow/scorers/get", get(read))
        .route("/3.0/mlflow/scorers/delete", delete(remove))
        .route("/3.0/mlflow/scorers/online-configs", get(online_configs))
        .route("/3.0/mlflow/scorers/online-config", put(put_online_config))
}

async fn register(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Answer> {
    let experiment = params.required_text("experiment_id")?;
    let name = params.required_text("name")?.to_owned();
    let serialized = params.required_text("serialized_scorer")?.to_owned();
    check(&serialized)?;
    if name.trim().is_empty() {
        return Err(MlflowError::invalid("Scorer name cannot be empty or contain only whitespace."));
    }
    if name.chars().count() > NAME_CHARS_MAX {
        return Err(MlflowError::invalid(format!("a scorer's name has at most {NAME_CHARS_MAX} characters")));
    }
    let new = NewScorerVersion {
        scorer_id: state.ctx.new_uuid().to_string(),
        experiment_id: experiment_id(experiment)?,
        name,
        serialized,
        now_ms: state.ctx.now_ms(),
    };
    let row = state.ctx.store.register_scorer(&workspace.scope(), new).await?;
    Ok(Answer(json!({
        "version": row.version,
        "scorer_id": row.scorer_id,
        "experiment_id": row.experiment_id.to_string(),
        "name": row.name,
        "serialized_scorer": row.serialized,
        "creation_time": row.created_ms,
    })))
}

fn check(serialized: &str) -> MlflowResult<()> {
    let scorer: Value =
        serde_json::from_str(serialized).map_err(|_| MlflowError::invalid("serialized_scorer must be valid JSON"))?;
    if !scorer.is_object() {
        return Err(MlflowError::invalid("serialized_scorer must be a JSON object"));
    }
    if has_source(&scorer) {
        return Err(MlflowError::invalid(
            "Custom scorer registration (using @scorer decorator) is disabled: reading it back would run its code. Use \
             built-in scorers or make_judge() scorers instead.",
        ));
    }
    match model_of(&scorer) {
        None => Ok(()),
        Some(Value::String(model)) if model.trim().is_empty() => {
            Err(MlflowError::invalid("Scorer model cannot be empty or contain only whitespace."))
        }
        Some(Value::String(model)) => match model.strip_prefix(GATEWAY) {
            None => Ok(()),
            Some(endpoint) => Err(MlflowError::not_found(format!("GatewayEndpoint not found (name='{endpoint}')"))),
        },
        Some(other) => Err(MlflowError::invalid(format!("Scorer model must be a string, got {other}"))),
    }
}

/// Whether it, or a scorer inside it, is code.
fn has_source(scorer: &Value) -> bool {
    match scorer {
        Value::Object(fields) => {
            fields.get("call_source").is_some_and(|source| !source.is_null()) || fields.values().any(has_source)
        }
        Value::Array(values) => values.iter().any(has_source),
        _ => false,
    }
}

/// The model that judges, wherever the kind of scorer names it.
fn model_of(scorer: &Value) -> Option<&Value> {
    let data = |key: &str| scorer.get(key).filter(|data| data.as_object().is_some_and(|fields| !fields.is_empty()));
    for key in ["instructions_judge_pydantic_data", "builtin_scorer_pydantic_data"] {
        if let Some(data) = data(key) {
            return data.get("model").filter(|model| !model.is_null());
        }
    }
    if let Some(data) = data("memory_augmented_judge_data") {
        return model_of(data.get("base_judge")?);
    }
    data("third_party_scorer_data")?.get("model").filter(|model| !model.is_null())
}

fn scorer_json(row: &ScorerRow) -> Value {
    json!({
        "experiment_id": row.experiment_id,
        "scorer_name": row.name,
        "scorer_version": row.version,
        "serialized_scorer": row.serialized,
        "creation_time": row.created_ms,
        "scorer_id": row.scorer_id,
    })
}

fn scorers(rows: &[ScorerRow]) -> Answer {
    Answer(listed("scorers", rows.iter().map(scorer_json).collect()))
}

async fn list(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Answer> {
    let one = params.text("experiment_id")?.filter(|id| !id.is_empty());
    let has_many = params.get("experiment_ids")?.is_some();
    let rows = match one {
        Some(_) if has_many => {
            return Err(MlflowError::invalid(
                "Cannot specify both 'experiment_id' and 'experiment_ids'. Use 'experiment_ids' to scope the query to \
                 multiple experiments, or 'experiment_id' to scope it to a single experiment.",
            ));
        }
        Some(id) => state.ctx.store.scorers(&workspace.scope(), experiment_id(id)?).await?,
        None => {
            let ids = has_many.then(|| experiment_ids(&params.texts("experiment_ids")?)).transpose()?;
            state.ctx.store.scorers_of(&workspace.scope(), ids).await?
        }
    };
    Ok(scorers(&rows))
}

async fn versions(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Answer> {
    let (experiment, name) = scorer_of(&params)?;
    Ok(scorers(&state.ctx.store.scorer_versions(&workspace.scope(), (experiment, &name)).await?))
}

async fn read(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Answer> {
    let (experiment, name) = scorer_of(&params)?;
    let row = state.ctx.store.scorer(&workspace.scope(), (experiment, &name), params.int("version")?).await?;
    Ok(Answer(json!({ "scorer": scorer_json(&row) })))
}

async fn remove(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Answer> {
    let (experiment, name) = scorer_of(&params)?;
    state.ctx.store.delete_scorer(&workspace.scope(), (experiment, &name), params.int("version")?).await?;
    Ok(Answer(json!({})))
}

fn scorer_of(params: &Params) -> MlflowResult<(i64, String)> {
    let experiment = experiment_id(params.required_text("experiment_id")?)?;
    Ok((experiment, params.required_text("name")?.to_owned()))
}

async fn online_configs(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Answer> {
    let ids = params.texts("scorer_ids")?;
    if ids.is_empty() {
        return Err(missing("scorer_ids"));
    }
    let ids = ids.into_iter().map(str::to_owned).collect();
    let configs = state.ctx.store.online_configs(&workspace.scope(), ids).await?;
    Ok(Answer(json!({ "configs": configs.iter().map(config_json).collect::<Vec<_>>() })))
}

async fn put_online_config(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Answer> {
    let (experiment, name) = scorer_of(&params)?;
    let sample_rate = params.double("sample_rate")?.ok_or_else(|| missing("sample_rate"))?;
    if !(0.0..=1.0).contains(&sample_rate) {
        let message = format!("sample_rate must be between 0.0 and 1.0, got {sample_rate:?}");
        return Err(MlflowError::invalid(message));
    }
    let filter = params.text("filter_string")?.map(str::to_owned);
    let shown = name.clone();
    let check = move |serialized: &str| {
        let scorer: Value = serde_json::from_str(serialized).unwrap_or_default();
        let is_served = model_of(&scorer).and_then(Value::as_str).is_some_and(|model| model.starts_with(GATEWAY));
        if sample_rate > 0.0 && !is_served {
            return Err(StoreError::Invalid(format!(
                "Scorer '{shown}' does not use a gateway model. Automatic evaluation is only supported for scorers that \
                 use gateway models."
            )));
        }
        Ok(())
    };
    let new = NewOnlineConfig {
        config_id: state.ctx.new_uuid().simple().to_string(),
        experiment_id: experiment,
        name,
        sample_rate,
        filter,
    };
    let row = state.ctx.store.put_online_config(&workspace.scope(), new, check).await?;
    Ok(Answer(json!({ "config": config_json(&row) })))
}

fn config_json(row: &OnlineConfigRow) -> Value {
    let mut fields = Map::from_iter([
        ("online_scoring_config_id".to_owned(), json!(row.config_id)),
        ("scorer_id".to_owned(), json!(row.scorer_id)),
        ("sample_rate".to_owned(), json!(row.sample_rate)),
        ("experiment_id".to_owned(), json!(row.experiment_id.to_string())),
    ]);
    fields.extend(row.filter.as_ref().map(|filter| ("filter_string".to_owned(), json!(filter))));
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Server;

    #[tokio::test]
    async fn a_scorer_is_registered_read_and_deleted() {
        let server = Server::new().await;
        let scorer = json!({ "builtin_scorer_pydantic_data": { "model": "openai:/gpt-4" } }).to_string();
        let body = json!({ "experiment_id": "0", "name": "s", "serialized_scorer": scorer });
        let first = server.post("/api/3.0/mlflow/scorers/register", body.clone()).await.json();
        let second = server.post("/api/3.0/mlflow/scorers/register", body).await.json();
        assert_eq!(
            (&first["version"], &second["version"], &first["scorer_id"]),
            (&json!(1), &json!(2), &second["scorer_id"])
        );
        let list = server.get("/api/3.0/mlflow/scorers/list").await.json();
        assert_eq!(
            (&list["scorers"][0]["scorer_version"], &list["scorers"][0]["experiment_id"]),
            (&json!(2), &json!(0))
        );
        assert_eq!(list, server.get("/api/3.0/mlflow/scorers/list?experiment_ids=0&experiment_ids=9").await.json());
        let one = server.get("/api/3.0/mlflow/scorers/get?experiment_id=0&name=s&version=1").await.json();
        assert_eq!(one["scorer"]["serialized_scorer"], scorer);
        let versions = server.get("/api/3.0/mlflow/scorers/versions?experiment_id=0&name=s").await.json();
        assert_eq!(versions["scorers"].as_array().unwrap().len(), 2);
        let json_body = [("content-type", "application/json")];
        let config = |rate: f64| json!({ "experiment_id": "0", "name": "s", "sample_rate": rate }).to_string();
        let path = "/api/3.0/mlflow/scorers/online-config";
        assert_eq!(server.send("PUT", path, &json_body, config(0.5)).await.refusal().0, 400);
        let put = server.send("PUT", path, &json_body, config(0.0)).await.json();
        let id = first["scorer_id"].as_str().unwrap();
        let read = server.get(&format!("/api/3.0/mlflow/scorers/online-configs?scorer_ids={id}")).await.json();
        assert_eq!(read, json!({ "configs": [put["config"]] }));
        let gone = json!({ "experiment_id": "0", "name": "s" }).to_string();
        let delete = async || server.send("DELETE", "/api/3.0/mlflow/scorers/delete", &json_body, gone.clone()).await;
        assert_eq!(delete().await.json(), json!({}));
        assert_eq!(delete().await.refusal().0, 404);
    }

    #[test]
    fn code_and_models_of_a_gateway_are_refused() {
        let message = |scorer: Value| check(&scorer.to_string()).unwrap_err().message;
        assert!(message(json!({"ensemble": {"scorers": [{"call_source": "x"}]}})).contains("disabled"));
        let judge = |model: Value| json!({"instructions_judge_pydantic_data": {"model": model}});
        assert!(check(&judge(json!("openai:/gpt-4")).to_string()).is_ok());
        assert!(message(judge(json!("gateway:/x"))).contains("name='x'"));
        assert!(message(judge(json!(" "))).contains("whitespace"));
        assert!(
            message(json!({"memory_augmented_judge_data": {"base_judge": judge(json!(5))}}))
                .contains("must be a string")
        );
        assert!(check("{").is_err() && check("5").is_err());
    }
}

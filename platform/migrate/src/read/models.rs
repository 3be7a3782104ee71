use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};
use tiegel_types::Digest;
use tiegel_types::transfer::{LoggedModel, ModelMetric, Record, RegisteredModel, Version};

use super::server::{AT_ONCE, pages};
use super::{Item, Items, PAGE, send};
use crate::fields::{Fields, real};
use crate::http::{MlflowApi, Refused};

/// Logged models that one request asks for.
const LOGGED_MODELS_PAGE: usize = 50;
/// Experiments that one request names.
const EXPERIMENTS_AT_ONCE: usize = 50;
/// Prompts are models that a search leaves out unless it asks for them.
const IS_PROMPT: &str = "tags.`mlflow.prompt.is_prompt` = 'true'";

pub async fn logged_models(api: &MlflowApi, experiments: &[String], items: &Items) -> anyhow::Result<()> {
    let mut models = Vec::new();
    for ids in experiments.chunks(EXPERIMENTS_AT_ONCE) {
        let body = json!({ "experiment_ids": ids, "max_results": LOGGED_MODELS_PAGE });
        let found = pages(api, "api/2.0/mlflow/logged-models/search", body, |page| {
            models.extend(page.list("models").iter().map(logged_model));
            true
        });
        match found.await {
            // Before 3.0.
            Err(error) if Refused::is_missing(&error) => return Ok(()),
            found => found?,
        }
        for model in models.drain(..) {
            let mark = Digest::of_json(&json!(model));
            send(items, Item::LoggedModel { model: Box::new(model), mark }).await?;
        }
    }
    Ok(())
}

fn logged_model(model: &Value) -> LoggedModel {
    let (info, data) = (&model["info"], &model["data"]);
    let status = match info.text("status").as_str() {
        "LOGGED_MODEL_READY" => "READY",
        "LOGGED_MODEL_UPLOAD_FAILED" => "FAILED",
        _ => "PENDING",
    };
    LoggedModel {
        model_id: info.text("model_id"),
        experiment_id: info.int("experiment_id").unwrap_or_default(),
        name: info.text("name"),
        artifact_location: info.text("artifact_uri"),
        model_type: info.text("model_type"),
        source_run_id: info.text("source_run_id"),
        status: status.to_owned(),
        status_message: info.text_opt("status_message"),
        deleted: false,
        created_ms: info.int("creation_timestamp_ms").unwrap_or_default(),
        updated_ms: info.int("last_updated_timestamp_ms").unwrap_or_default(),
        params: data.pairs("params"),
        tags: info.pairs("tags"),
        metrics: data.list("metrics").iter().map(model_metric).collect(),
    }
}

fn model_metric(metric: &Value) -> ModelMetric {
    let value = real(&metric["value"]);
    ModelMetric {
        run_id: metric.text("run_id"),
        key: metric.text("key"),
        timestamp_ms: metric.int("timestamp").unwrap_or_default(),
        step: metric.int("step").unwrap_or_default(),
        value: (!value.is_nan()).then_some(value),
        dataset_name: metric.text_opt("dataset_name"),
        dataset_digest: metric.text_opt("dataset_digest"),
    }
}

/// Models and prompts, by name.
pub async fn registered_models(api: &MlflowApi, items: &Items) -> anyhow::Result<()> {
    let mut names = BTreeMap::<String, (Value, bool)>::new();
    for (filter, is_prompt) in [("", false), (IS_PROMPT, true)] {
        let found = search(api, "registered-models", filter, "registered_models").await?;
        for model in found {
            names.entry(model.text("name")).or_insert((model, is_prompt));
        }
    }
    let read = |(model, is_prompt): (Value, bool)| async move { registered_model(api, &model, is_prompt).await };
    let mut models = futures::stream::iter(names.into_values()).map(read).buffered(AT_ONCE);
    while let Some(model) = models.try_next().await? {
        send(items, Item::Record(Record::RegisteredModel(Box::new(model)))).await?;
    }
    Ok(())
}

/// The numbers of a model's versions.
pub async fn versions_of(api: &MlflowApi, name: &str, is_prompt: bool) -> anyhow::Result<Vec<u32>> {
    let found = search(api, "model-versions", &versions_filter(name, is_prompt), "model_versions").await?;
    Ok(found.iter().map(|version| number(version.int("version"))).collect())
}

pub async fn registered_model_by_name(api: &MlflowApi, name: &str) -> anyhow::Result<RegisteredModel> {
    let answer = api.get("api/2.0/mlflow/registered-models/get", &[("name", name)]).await?;
    let model = &answer["registered_model"];
    let is_prompt = model.pairs("tags").contains(&("mlflow.prompt.is_prompt".to_owned(), "true".to_owned()));
    registered_model(api, model, is_prompt).await
}

pub async fn logged_model_by_id(api: &MlflowApi, id: &str) -> anyhow::Result<LoggedModel> {
    let answer = api.get(&format!("api/2.0/mlflow/logged-models/{id}"), &[]).await?;
    Ok(logged_model(&answer["model"]))
}

async fn search(api: &MlflowApi, kind: &str, filter: &str, field: &str) -> anyhow::Result<Vec<Value>> {
    let (path, max_results) = (format!("api/2.0/mlflow/{kind}/search"), PAGE.to_string());
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let query = [("filter", filter), ("max_results", max_results.as_str()), ("page_token", token.as_str())];
        let query: Vec<_> = query.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let page = api.get(&path, &query).await?;
        found.extend(page.list(field).iter().cloned());
        token = page.text("next_page_token");
        if token.is_empty() {
            return Ok(found);
        }
    }
}

async fn registered_model(api: &MlflowApi, model: &Value, is_prompt: bool) -> anyhow::Result<RegisteredModel> {
    let name = model.text("name");
    let mut versions = Vec::new();
    for found in search(api, "model-versions", &versions_filter(&name, is_prompt), "model_versions").await? {
        versions.push(version(api, &name, &found).await?);
    }
    versions.sort_by_key(|version| version.version);
    let created_ms = model.int("creation_timestamp").unwrap_or_default();
    let alias = |alias: &Value| (alias.text("alias"), number(alias.int("version")));
    Ok(RegisteredModel {
        description: model.text("description"),
        created_ms,
        updated_ms: model.int("last_updated_timestamp").unwrap_or(created_ms),
        tags: model.pairs("tags"),
        aliases: model.list("aliases").iter().map(alias).collect(),
        last_version: versions.iter().map(|version| version.version).max().unwrap_or_default(),
        versions,
        name,
    })
}

fn versions_filter(name: &str, is_prompt: bool) -> String {
    // A name may hold one kind of quotes.
    let quote = if name.contains('\'') { '"' } else { '\'' };
    let of_model = format!("name = {quote}{name}{quote}");
    if is_prompt { format!("{of_model} AND {IS_PROMPT}") } else { of_model }
}

async fn version(api: &MlflowApi, name: &str, found: &Value) -> anyhow::Result<Version> {
    let number_text = found.text("version");
    let query = [("name", name), ("version", number_text.as_str())];
    let location = api.get("api/2.0/mlflow/model-versions/get-download-uri", &query).await?;
    let source = found.text("source");
    let created_ms = found.int("creation_timestamp").unwrap_or_default();
    Ok(Version {
        version: number(found.int("version")),
        description: found.text_opt("description"),
        user_id: found.text_opt("user_id"),
        stage: found.text_opt("current_stage").unwrap_or_else(|| "None".to_owned()),
        storage_location: location.text_opt("artifact_uri").unwrap_or_else(|| source.clone()),
        run_id: found.text("run_id"),
        run_link: found.text("run_link"),
        logged_model_id: found.text_opt("model_id").or_else(|| Version::logged_model_of(&source)),
        source,
        created_ms,
        updated_ms: found.int("last_updated_timestamp").unwrap_or(created_ms),
        tags: found.pairs("tags"),
    })
}

fn number(value: Option<i64>) -> u32 {
    value.and_then(|value| u32::try_from(value).ok()).unwrap_or_default()
}

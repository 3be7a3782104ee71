//! What the routes of the registry share: fields they read, answers they write, errors in the words of the protocol.

pub(crate) mod names;
pub(crate) mod search;

use serde_json::{Map, Value, json};
use tiegel_store::{ModelRow, ModelVersionRow, StoreError, Tags};

use crate::params::Params;
use crate::{Mlflow, MlflowError, MlflowResult};

/// The number of a version in a request; none where no version can have it.
pub(crate) fn version_number(params: &Params) -> MlflowResult<Option<u32>> {
    let text = params.required_text("version")?;
    let number = text.trim().parse::<i128>();
    let number =
        number.map_err(|_| MlflowError::invalid(format!("Parameter 'version' must be an integer, got '{text}'.")))?;
    Ok(u32::try_from(number).ok())
}

/// Tags of a model or a version.
pub(crate) fn tags(params: &Params) -> MlflowResult<Tags> {
    let tags = params.pairs("tags")?;
    for (key, value) in &tags {
        names::tag(key, value)?;
    }
    Ok(tags)
}

pub(crate) fn model_name(params: &Params) -> MlflowResult<&str> {
    let name = params.required_text("name")?;
    names::model_name("name", name)?;
    Ok(name)
}

pub(crate) fn no_model(name: &str) -> MlflowError {
    MlflowError::not_found(format!("Registered Model with name={name} not found"))
}

pub(crate) fn no_version(name: &str, version: &str) -> MlflowError {
    MlflowError::not_found(format!("Model Version (name={name}, version={version}) not found"))
}

/// Says in the protocol's words what was not found.
pub(crate) fn or_missing(missing: impl FnOnce() -> MlflowError) -> impl FnOnce(StoreError) -> MlflowError {
    move |error| match error {
        StoreError::NotFound(_) => missing(),
        other => other.into(),
    }
}

/// A model that the caller can see.
pub(crate) async fn seen_model(state: &Mlflow, caller: &crate::caller::Caller, name: &str) -> MlflowResult<ModelRow> {
    let row = state.ctx.store.model(name).await?;
    row.filter(|row| row.project == caller.project).ok_or_else(|| no_model(name))
}

/// A version that the caller can see.
pub(crate) async fn seen_version(
    state: &Mlflow,
    caller: &crate::caller::Caller,
    name: &str,
    version: Option<u32>,
) -> MlflowResult<Option<ModelVersionRow>> {
    let Some(version) = version else { return Ok(None) };
    let row = state.ctx.store.model_version(name, version).await?;
    Ok(row.filter(|row| row.project == caller.project))
}

pub(crate) fn model_json(row: &ModelRow) -> Value {
    let mut fields = Map::new();
    fields.insert("name".to_owned(), json!(row.name));
    fields.insert("creation_timestamp".to_owned(), json!(row.created_ms));
    fields.insert("last_updated_timestamp".to_owned(), json!(row.updated_ms));
    if !row.description.is_empty() {
        fields.insert("description".to_owned(), json!(row.description));
    }
    put_list(&mut fields, "latest_versions", row.latest.iter().map(version_json));
    put_list(&mut fields, "tags", row.tags.iter().map(pair_json));
    let alias = |alias: &tiegel_store::AliasRow| json!({ "alias": alias.alias, "version": alias.version.to_string() });
    put_list(&mut fields, "aliases", row.aliases.iter().map(alias));
    Value::Object(fields)
}

pub(crate) fn version_json(row: &ModelVersionRow) -> Value {
    let mut fields = Map::new();
    let mut put = |key: &str, value: Value| _ = fields.insert(key.to_owned(), value);
    put("name", json!(row.model));
    put("version", json!(row.version.to_string()));
    put("creation_timestamp", json!(row.created_ms));
    put("last_updated_timestamp", json!(row.updated_ms));
    if let Some(user) = &row.user {
        put("user_id", json!(user));
    }
    put("current_stage", json!(row.stage.as_str()));
    if let Some(description) = &row.description {
        put("description", json!(description));
    }
    put("source", json!(row.source));
    put("run_id", json!(row.run_id));
    put("status", json!("READY"));
    put("run_link", json!(row.run_link));
    if let Some(model_id) = &row.logged_model_id {
        put("model_id", json!(model_id));
    }
    put_list(&mut fields, "tags", row.tags.iter().map(pair_json));
    put_list(&mut fields, "aliases", row.aliases.iter().map(|alias| json!(alias)));
    Value::Object(fields)
}

pub(crate) fn pair_json((key, value): &(String, String)) -> Value {
    json!({ "key": key, "value": value })
}

/// A list that is empty is not written.
pub(crate) fn put_list(fields: &mut Map<String, Value>, key: &str, values: impl Iterator<Item = Value>) {
    let values: Vec<_> = values.collect();
    if !values.is_empty() {
        fields.insert(key.to_owned(), values.into());
    }
}

#[cfg(test)]
mod tests;

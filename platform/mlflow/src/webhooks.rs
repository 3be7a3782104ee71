//! `/2.0/mlflow/webhooks`.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use tiegel_registry::{WebhookSecret, event_of, event_parts, example_of};
use tiegel_store::{NewWebhook, SealedSecret, WebhookChange, WebhookRow};

use crate::caller::Caller;
use crate::params::{Params, missing};
use crate::registry::{or_missing, put_list};
use crate::wire::Answer;
use crate::{Mlflow, MlflowError, MlflowResult, validate};

const NAME_CHARS_MAX: usize = 63;
const DESCRIPTION_CHARS_MAX: usize = 1_000;
const SECRET_CHARS_MAX: usize = 1_000;
const PAGE_LEN: i64 = 100;
const PAGE_LEN_MAX: i64 = 1_000;

pub(crate) fn routes() -> Router<Mlflow> {
    let below = Router::new()
        .route("/", post(create).get(list))
        .route("/{webhook_id}", get(read).patch(update).delete(remove))
        .route("/{webhook_id}/test", post(try_out));
    Router::new().nest("/2.0/mlflow/webhooks", below)
}

async fn create(State(state): State<Mlflow>, caller: Caller, params: Params) -> MlflowResult<Answer> {
    let name = params.required_text("name")?;
    check_name(name)?;
    let url = params.required_text("url")?;
    let events = events(&params)?.ok_or_else(|| missing("events"))?;
    state.registry.sender.check_url(url).await.map_err(MlflowError::invalid)?;
    let webhook_id = state.ctx.new_uuid().to_string();
    let new = NewWebhook {
        secret: secret(&state, &webhook_id, &params)?.filter(|secret| !secret.as_str().is_empty()),
        webhook_id,
        project: caller.project.clone(),
        name: name.to_owned(),
        description: description(&params)?.unwrap_or_default(),
        url: url.to_owned(),
        events,
        active: active(&params)?.unwrap_or(true),
    };
    let row = state.ctx.store.create_webhook(new, state.ctx.now_ms()).await?;
    Ok(Answer(json!({ "webhook": webhook_json(&row) })))
}

async fn list(State(state): State<Mlflow>, caller: Caller, params: Params) -> MlflowResult<Answer> {
    let limit = match params.int("max_results")?.unwrap_or(PAGE_LEN) {
        0 => PAGE_LEN,
        limit => limit,
    };
    if !(1..=PAGE_LEN_MAX).contains(&limit) {
        return Err(MlflowError::invalid(format!("max_results must be between 1 and {PAGE_LEN_MAX}.")));
    }
    let from = params.text("page_token")?.filter(|token| !token.is_empty()).map(read_token).transpose()?;
    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
    let page = state.ctx.store.webhooks(&caller.project, limit, from).await?;
    let mut fields = Map::new();
    put_list(&mut fields, "webhooks", page.webhooks.iter().map(webhook_json));
    if let Some((created_ms, id)) = page.next {
        fields.insert("next_page_token".to_owned(), json!(URL_SAFE_NO_PAD.encode(format!("{created_ms} {id}"))));
    }
    Ok(Answer(Value::Object(fields)))
}

async fn read(State(state): State<Mlflow>, caller: Caller, Path(id): Path<String>) -> MlflowResult<Answer> {
    Ok(Answer(json!({ "webhook": webhook_json(&seen(&state, &caller, &id).await?) })))
}

async fn update(
    State(state): State<Mlflow>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> MlflowResult<Answer> {
    seen(&state, &caller, &id).await?;
    let name = params.text("name")?.filter(|name| !name.is_empty());
    name.map_or(Ok(()), check_name)?;
    let url = params.text("url")?.filter(|url| !url.is_empty());
    if let Some(url) = url {
        state.registry.sender.check_url(url).await.map_err(MlflowError::invalid)?;
    }
    let change = WebhookChange {
        name: name.map(str::to_owned),
        description: description(&params)?,
        url: url.map(str::to_owned),
        events: events(&params)?,
        secret: secret(&state, &id, &params)?,
        active: active(&params)?,
    };
    let row = state.ctx.store.update_webhook(&id, change, state.ctx.now_ms()).await;
    Ok(Answer(json!({ "webhook": webhook_json(&row.map_err(or_missing(|| no_webhook(&id)))?) })))
}

async fn remove(State(state): State<Mlflow>, caller: Caller, Path(id): Path<String>) -> MlflowResult<Answer> {
    seen(&state, &caller, &id).await?;
    state.ctx.store.delete_webhook(&id).await.map_err(or_missing(|| no_webhook(&id)))?;
    Ok(Answer(json!({})))
}

/// Sends an example and answers what came back.
async fn try_out(
    State(state): State<Mlflow>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> MlflowResult<Answer> {
    let row = seen(&state, &caller, &id).await?;
    let event = match params.message("event")? {
        Some(event) => self::event(&event)?,
        None => row.events.first().cloned().unwrap_or_default(),
    };
    let secret = state.ctx.store.webhook_secret(&id).await?;
    let data = example_of(&event);
    let now = (state.ctx.new_uuid(), state.ctx.now_ms());
    let result = match state.registry.sender.try_out((&id, &row.url), secret.as_ref(), (&event, &data), now).await {
        Ok(sent) => {
            json!({ "success": sent.status < 400, "response_status": sent.status, "response_body": sent.body })
        }
        Err(error) => json!({ "success": false, "error_message": format!("Failed to test webhook: {error}") }),
    };
    Ok(Answer(json!({ "result": result })))
}

async fn seen(state: &Mlflow, caller: &Caller, id: &str) -> MlflowResult<WebhookRow> {
    let row = state.ctx.store.webhook(id).await?;
    row.filter(|row| row.project == caller.project).ok_or_else(|| no_webhook(id))
}

fn no_webhook(id: &str) -> MlflowError {
    MlflowError::not_found(format!("Webhook with ID {id} not found."))
}

fn check_name(name: &str) -> MlflowResult<()> {
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    let ends = [name.chars().next(), name.chars().next_back()];
    if is_plain && name.len() <= NAME_CHARS_MAX && ends.iter().flatten().all(char::is_ascii_alphanumeric) {
        return Ok(());
    }
    Err(MlflowError::invalid(format!(
        "Webhook name '{name}' is invalid. It must start and end with a letter or digit, be less than {NAME_CHARS_MAX} \
         characters long, and contain only letters, digits, dots (.), underscores (_), and hyphens (-)."
    )))
}

fn description(params: &Params) -> MlflowResult<Option<String>> {
    limited(params, "description", DESCRIPTION_CHARS_MAX)
}

/// As it is stored: encrypted, or empty where it is taken away.
fn secret(state: &Mlflow, webhook_id: &str, params: &Params) -> MlflowResult<Option<SealedSecret>> {
    let given = limited(params, "secret", SECRET_CHARS_MAX)?.map(WebhookSecret::new);
    Ok(given.map(|secret| {
        if secret.is_empty() {
            return SealedSecret::new("");
        }
        state.registry.sender.key().seal(&secret, webhook_id, state.ctx.new_uuid())
    }))
}

fn limited(params: &Params, field: &str, chars_max: usize) -> MlflowResult<Option<String>> {
    let text = params.text(field)?;
    validate::length(field, text.unwrap_or_default(), chars_max)?;
    Ok(text.map(str::to_owned))
}

/// By name or by number.
fn active(params: &Params) -> MlflowResult<Option<bool>> {
    match params.get("status")? {
        None => Ok(None),
        Some(Value::String(word)) if word == "ACTIVE" => Ok(Some(true)),
        Some(Value::String(word)) if word == "DISABLED" => Ok(Some(false)),
        Some(Value::Number(number)) if number.as_i64() == Some(1) => Ok(Some(true)),
        Some(Value::Number(number)) if number.as_i64() == Some(2) => Ok(Some(false)),
        Some(other) => Err(MlflowError::invalid(format!("Unknown webhook status: {other}; use ACTIVE or DISABLED"))),
    }
}

/// None where the request names none.
fn events(params: &Params) -> MlflowResult<Option<Vec<String>>> {
    let events: Vec<_> = params.messages("events")?.iter().map(event).collect::<MlflowResult<_>>()?;
    Ok((!events.is_empty()).then_some(events))
}

fn event(params: &Params) -> MlflowResult<String> {
    let part = |field| Ok::<_, MlflowError>(params.get(field)?.cloned().unwrap_or_default());
    event_of(&part("entity")?, &part("action")?).map_err(MlflowError::invalid)
}

fn webhook_json(row: &WebhookRow) -> Value {
    let event = |event: &String| {
        let (entity, action) = event_parts(event);
        json!({ "entity": entity, "action": action })
    };
    let mut fields = Map::new();
    fields.insert("webhook_id".to_owned(), json!(row.webhook_id));
    fields.insert("name".to_owned(), json!(row.name));
    if !row.description.is_empty() {
        fields.insert("description".to_owned(), json!(row.description));
    }
    fields.insert("url".to_owned(), json!(row.url));
    put_list(&mut fields, "events", row.events.iter().map(event));
    fields.insert("status".to_owned(), json!(if row.active { "ACTIVE" } else { "DISABLED" }));
    fields.insert("creation_timestamp".to_owned(), json!(row.created_ms));
    fields.insert("last_updated_timestamp".to_owned(), json!(row.updated_ms));
    Value::Object(fields)
}

fn read_token(token: &str) -> MlflowResult<(i64, i64)> {
    let read = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let (created_ms, id) = text.split_once(' ')?;
        Some((created_ms.parse().ok()?, id.parse().ok()?))
    };
    read().ok_or_else(|| MlflowError::invalid("Invalid page token: use the one that the last page came with"))
}

#[cfg(test)]
mod tests;

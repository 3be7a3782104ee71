//! Many metrics, params and tags at once, all or none.

mod fast;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use axum::routing::post;
use serde_json::json;
use tiegel_store::{Batch, ParamConflict, StoreError};

use crate::logging::metric;
use crate::params::{Params, missing};
use crate::runs::run_id;
use crate::wire::{answer, body, check_content_type, of_body};
use crate::workspace::Workspace;
use crate::{Mlflow, MlflowError, MlflowResult, validate};

const METRICS_MAX: usize = 1_000;
const PARAMS_MAX: usize = 100;
const TAGS_MAX: usize = 100;
const ENTITIES_MAX: usize = 1_000;

pub(crate) fn routes() -> Router<Mlflow> {
    Router::new().route("/2.0/mlflow/runs/log-batch", post(log_batch))
}

async fn log_batch(State(state): State<Mlflow>, workspace: Workspace, request: Request) -> MlflowResult<Response> {
    check_content_type(request.headers().get(CONTENT_TYPE))?;
    let body = body(request, &state).await?;
    let (run, batch) = read(&body)?;
    let refusal = {
        let run = run.clone();
        move |conflicts: Vec<ParamConflict>| refusal(&run, &conflicts)
    };
    state.ctx.store.log_batch(&workspace.scope(), &run, batch, refusal).await?;
    Ok(answer(&json!({})))
}

/// Bodies as clients write them are read in one go; all others field by field, for the message about what is wrong.
fn read(body: &Bytes) -> MlflowResult<(String, Batch)> {
    let (run, batch) = match fast::read(body) {
        Some(read) => read?,
        None => slow(&of_body(body)?)?,
    };
    validate::run_id(&run)?;
    check_limits(&batch)?;
    check_keys(&batch.params)?;
    Ok((run, batch))
}

fn slow(params: &Params) -> MlflowResult<(String, Batch)> {
    let run = run_id(params)?.to_owned();
    let metrics = params.messages("metrics")?;
    let (given_params, tags) = (params.messages("params")?, params.messages("tags")?);
    check_fields("metrics", &metrics, &["key", "value", "timestamp"])?;
    check_fields("params", &given_params, &["key"])?;
    check_fields("tags", &tags, &["key"])?;
    let batch = Batch {
        metrics: metrics
            .iter()
            .enumerate()
            .map(|(at, fields)| metric(fields, format_args!("metrics[{at}].")))
            .collect::<MlflowResult<_>>()?,
        params: given_params
            .iter()
            .enumerate()
            .map(|(at, fields)| {
                let (key, value) = pair(fields)?;
                validate::param(format_args!("params[{at}].key"), key, value)
            })
            .collect::<MlflowResult<_>>()?,
        tags: tags
            .iter()
            .enumerate()
            .map(|(at, fields)| {
                let (key, value) = pair(fields)?;
                validate::tag(format_args!("tags[{at}].key"), key, value)
            })
            .collect::<MlflowResult<_>>()?,
    };
    Ok((run, batch))
}

fn pair(fields: &Params) -> MlflowResult<(&str, &str)> {
    Ok((fields.required_text("key")?, fields.text("value")?.unwrap_or_default()))
}

fn check_fields(list: &str, items: &[Params], fields: &[&str]) -> MlflowResult<()> {
    for (at, item) in items.iter().enumerate() {
        for field in fields {
            if item.get(field)?.is_none_or(|value| value.as_str().is_some_and(str::is_empty)) {
                return Err(missing(&format!("{list}[{at}].{field}")));
            }
        }
    }
    Ok(())
}

fn check_limits(batch: &Batch) -> MlflowResult<()> {
    let (metrics, params, tags) = (batch.metrics.len(), batch.params.len(), batch.tags.len());
    let limits = [
        ("metrics", metrics, METRICS_MAX),
        ("params", params, PARAMS_MAX),
        ("tags", tags, TAGS_MAX),
        ("metrics, params, and tags", metrics + params + tags, ENTITIES_MAX),
    ];
    match limits.iter().find(|(_, count, max)| count > max) {
        Some((what, count, max)) => Err(MlflowError::invalid(format!(
            "A batch logging request can contain at most {max} {what}. Got {count} {what}. Please split up {what} across \
             multiple requests and try again."
        ))),
        None => Ok(()),
    }
}

fn check_keys(params: &[(String, String)]) -> MlflowResult<()> {
    let is_repeated = |at: usize| params[..at].iter().any(|(earlier, _)| *earlier == params[at].0);
    let repeated: Vec<_> =
        (0..params.len()).filter(|at| is_repeated(*at)).map(|at| validate::quoted(&params[at].0)).collect();
    if repeated.is_empty() {
        return Ok(());
    }
    Err(MlflowError::invalid(format!(
        "Duplicate parameter keys have been submitted: [{}]. Please ensure the request contains only one param value per \
         param key.",
        repeated.join(", ")
    )))
}

fn refusal(run: &str, conflicts: &[ParamConflict]) -> StoreError {
    let shown = |c: &ParamConflict| {
        let [key, old, new] = [&c.key, &c.old_value, &c.new_value].map(|text| validate::quoted(text));
        format!("{{'key': {key}, 'old_value': {old}, 'new_value': {new}}}")
    };
    let shown: Vec<_> = conflicts.iter().map(shown).collect();
    StoreError::Conflict(format!(
        "Changing param values is not allowed. Params were already logged='[{}]' for run ID='{run}'.",
        shown.join(", ")
    ))
}

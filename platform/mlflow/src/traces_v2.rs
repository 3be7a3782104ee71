//! Traces, as clients of the second generation start, end, read and search them.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, patch, post};
use serde_json::{Value, json};
use tiegel_store::traces::{EndTrace, IN_PROGRESS, NewTrace, TraceInfo};

use crate::params::{Params, invalid_because, missing};
use crate::traces::info::{cut, execution_ms, metadata, tags};
use crate::traces::{Search, experiment_ids, listed, search};
use crate::validate::experiment_id;
use crate::wire::Answer;
use crate::workspace::Workspace;
use crate::{Mlflow, MlflowResult};

/// Characters of metadata and of tags that are shown.
const METADATA_CHARS_MAX: usize = 250;
const TAG_CHARS_MAX: usize = 4_096;

const UNSPECIFIED: &str = "TRACE_STATUS_UNSPECIFIED";
const STATUSES: [&str; 4] = [UNSPECIFIED, "OK", "ERROR", IN_PROGRESS];

pub(crate) fn protocol() -> Router<Mlflow> {
    Router::new()
        .route("/2.0/mlflow/traces", post(start).get(search_traces))
        .route("/2.0/mlflow/traces/{request_id}", patch(end))
        .route("/2.0/mlflow/traces/{request_id}/info", get(info))
}

async fn start(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Answer> {
    let new = NewTrace {
        trace_id: state.ctx.new_uuid().simple().to_string(),
        experiment_id: experiment_id(params.text("experiment_id")?.unwrap_or_default())?,
        timestamp_ms: params.int("timestamp_ms")?.unwrap_or(0),
        end_ms: None,
        state: IN_PROGRESS.to_owned(),
        client_request_id: None,
        request_preview: None,
        response_preview: None,
        tags: pairs(&params, "tags")?,
        metadata: pairs(&params, "request_metadata")?,
        assessments: Vec::new(),
        is_final: false,
    };
    let info = state.ctx.store.start_trace(&workspace.scope(), new).await?;
    Ok(answer(&info))
}

async fn end(
    State(state): State<Mlflow>,
    workspace: Workspace,
    Path(trace_id): Path<String>,
    params: Params,
) -> MlflowResult<Answer> {
    let end = EndTrace {
        trace_id,
        end_ms: params.int("timestamp_ms")?.unwrap_or(0),
        state: status(&params)?.to_owned(),
        tags: pairs(&params, "tags")?,
        metadata: pairs(&params, "request_metadata")?,
    };
    let info = state.ctx.store.end_trace(&workspace.scope(), end).await?;
    Ok(answer(&info))
}

async fn info(State(state): State<Mlflow>, workspace: Workspace, Path(trace_id): Path<String>) -> MlflowResult<Answer> {
    let info = state.ctx.store.trace_info(&workspace.scope(), &trace_id).await?;
    Ok(answer(&info))
}

async fn search_traces(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Answer> {
    let ids = params.texts("experiment_ids")?;
    if ids.is_empty() {
        return Err(missing("experiment_ids"));
    }
    let page = search(&state, &workspace, Search::read(&params, experiment_ids(&ids)?)?).await?;
    let mut answer = listed("traces", page.rows.iter().map(info_json).collect());
    if let Some(next) = page.next {
        answer["next_page_token"] = Value::String(next);
    }
    Ok(Answer(answer))
}

fn answer(info: &TraceInfo) -> Answer {
    Answer(json!({ "trace_info": info_json(info) }))
}

fn info_json(info: &TraceInfo) -> Value {
    let row = &info.row;
    let status = if row.state == "STATE_UNSPECIFIED" { UNSPECIFIED } else { &row.state };
    let mut json = json!({
        "request_id": row.trace_id,
        "experiment_id": row.experiment_id.to_string(),
        "timestamp_ms": row.timestamp_ms,
        "execution_time_ms": execution_ms(info).unwrap_or(0),
        "status": status,
    });
    for (name, pairs, chars_max) in
        [("request_metadata", metadata(info), METADATA_CHARS_MAX), ("tags", tags(info), TAG_CHARS_MAX)]
    {
        if !pairs.is_empty() {
            json[name] =
                pairs.into_iter().map(|(key, value)| json!({ "key": key, "value": cut(value, chars_max) })).collect();
        }
    }
    json
}

fn pairs(params: &Params, name: &str) -> MlflowResult<Vec<(String, String)>> {
    let pair = |fields: &Params| -> MlflowResult<(String, String)> {
        Ok((fields.required_text("key")?.to_owned(), fields.text("value")?.unwrap_or_default().to_owned()))
    };
    let mut pairs: Vec<(String, String)> = Vec::new();
    for (key, value) in params.messages(name)?.iter().map(pair).collect::<MlflowResult<Vec<_>>>()? {
        pairs.retain(|(known, _)| *known != key);
        pairs.push((key, value));
    }
    Ok(pairs)
}

fn status(params: &Params) -> MlflowResult<&'static str> {
    let Some(value) = params.get("status")? else { return Ok("STATE_UNSPECIFIED") };
    let known = match value {
        Value::Number(number) => number.as_u64().and_then(|at| STATUSES.get(usize::try_from(at).ok()?)),
        value => STATUSES.iter().find(|status| value == **status),
    };
    let known = known.ok_or_else(|| invalid_because("status", value, "there is no such status"))?;
    Ok(if *known == UNSPECIFIED { "STATE_UNSPECIFIED" } else { known })
}

//! Traces, as the third version of the protocol has them.

mod artifact;
mod correlation;
pub(crate) mod info;
mod metrics;
mod search;
pub(crate) mod spans;
#[cfg(test)]
mod tests;

use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, patch, post};
use serde_json::{Map, Value, json};
use tiegel_store::traces::{DeleteTraces, TraceSpans};

pub(crate) use search::{Search, search};

use crate::params::{Params, missing};
use crate::validate::{self, experiment_id};
use crate::wire::Answer;
use crate::workspace::Workspace;
use crate::{Mlflow, MlflowError, MlflowResult};
use info::{IN_DATABASE, SPANS_LOCATION, info_json, read_info};
use spans::span_json;

/// Traces that one request links to a run.
const LINKS_MAX: usize = 100;
/// Traces that one request reads by their ids.
const TRACES_MAX: usize = 1_000;
/// How long a trace is waited for whose spans are still on their way, and how often it is looked at.
const WAIT_MS: u64 = 3_000;
const LOOK_MS: u64 = 100;

pub(crate) fn protocol() -> Router<Mlflow> {
    Router::new()
        .route("/3.0/mlflow/traces", post(start))
        .route("/3.0/mlflow/traces/get", get(get_trace))
        .route("/3.0/mlflow/traces/batchGet", get(get_traces))
        .route("/3.0/mlflow/traces/batchGetInfos", post(get_infos))
        .route("/3.0/mlflow/traces/search", post(search_traces))
        .route("/3.0/mlflow/traces/delete-traces", post(delete))
        .route("/3.0/mlflow/traces/{trace_id}", get(get_info))
        .route("/3.0/mlflow/traces/{trace_id}/tags", patch(set_tag).delete(delete_tag))
        .route("/3.0/mlflow/traces/metrics", post(metrics::metrics))
        .route("/3.0/mlflow/traces/calculate-filter-correlation", post(correlation::correlation))
        .route("/2.0/mlflow/get-trace-artifact", get(artifact::artifact))
        .route("/3.0/mlflow/get-trace-artifact", get(artifact::artifact))
        .route("/2.0/mlflow/traces/delete-traces", post(delete))
        .route("/2.0/mlflow/traces/link-to-run", post(link_to_run))
        .route("/2.0/mlflow/traces/link-prompts", post(link_prompts))
        .route("/2.0/mlflow/traces/{trace_id}/tags", patch(set_tag).delete(delete_tag))
}

async fn start(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Answer> {
    let trace = params.message("trace")?.ok_or_else(|| missing("trace"))?;
    let fields = trace.message("trace_info")?.ok_or_else(|| missing("trace.trace_info"))?;
    let info = state.ctx.store.start_trace(&workspace.scope(), read_info(&state, &fields)?).await?;
    Ok(Answer(json!({ "trace": { "trace_info": info_json(&info) } })))
}

async fn get_info(
    State(state): State<Mlflow>,
    workspace: Workspace,
    Path(trace_id): Path<String>,
) -> MlflowResult<Answer> {
    let info = state.ctx.store.trace_info(&workspace.scope(), &trace_id).await?;
    Ok(Answer(json!({ "trace": { "trace_info": info_json(&info) } })))
}

async fn get_trace(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Answer> {
    let trace_id = params.required_text("trace_id")?;
    let is_part_enough = params.flag("allow_partial")?.unwrap_or(false);
    let mut trace = read_trace(&state, &workspace, trace_id).await?;
    let mut waited_ms = 0;
    while !is_part_enough && !is_whole(&trace) {
        if waited_ms >= WAIT_MS {
            let message = format!("Trace with ID {trace_id} is not fully exported yet, please try again later.");
            return Err(MlflowError::not_found(message));
        }
        tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
        waited_ms += LOOK_MS;
        trace = read_trace(&state, &workspace, trace_id).await?;
    }
    if !is_here(&trace) {
        return Err(MlflowError::invalid(format!(
            "the spans of trace {trace_id} are an artifact: read them at its artifact location"
        )));
    }
    Ok(Answer(json!({ "trace": trace_json(&trace) })))
}

async fn read_trace(state: &Mlflow, workspace: &Workspace, trace_id: &str) -> MlflowResult<TraceSpans> {
    let trace = state.ctx.store.traces_with_spans(&workspace.scope(), vec![trace_id.to_owned()]).await?.pop();
    trace.ok_or_else(|| MlflowError::not_found(format!("Trace with ID {trace_id} is not found.")))
}

/// Whether the spans are in the database.
fn is_here(trace: &TraceSpans) -> bool {
    let tags = info::tags(&trace.info);
    tags.iter().any(|(key, value)| key == SPANS_LOCATION && value == IN_DATABASE)
}

/// The client says in the metadata how many spans there are.
fn is_whole(trace: &TraceSpans) -> bool {
    let stats = trace.info.metadata.iter().find(|(key, _)| key == "mlflow.trace.sizeStats");
    let fields: Map<String, Value> = stats.and_then(|(_, stats)| serde_json::from_str(stats).ok()).unwrap_or_default();
    let expected = fields.get("num_spans").and_then(Value::as_u64).unwrap_or(0);
    !trace.info.row.has_spans || trace.spans.len() as u64 >= expected
}

fn trace_json(trace: &TraceSpans) -> Value {
    let mut fields = Map::from_iter([("trace_info".to_owned(), info_json(&trace.info))]);
    if !trace.spans.is_empty() {
        fields.insert("spans".to_owned(), trace.spans.iter().map(|content| span_json(content)).collect());
    }
    Value::Object(fields)
}

/// Whole traces with spans; others are left out.
async fn get_traces(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Answer> {
    let ids = trace_ids(&params)?;
    let scope = scope(&params)?;
    let traces = state.ctx.store.traces_with_spans(&workspace.scope(), ids).await?;
    let is_wanted = |trace: &&TraceSpans| {
        scope.as_ref().is_none_or(|scope| scope.contains(&trace.info.row.experiment_id))
            && !trace.spans.is_empty()
            && is_whole(trace)
    };
    let traces: Vec<_> = traces.iter().filter(is_wanted).map(trace_json).collect();
    Ok(Answer(listed("traces", traces)))
}

async fn get_infos(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Answer> {
    let ids = trace_ids(&params)?;
    let scope = scope(&params)?;
    let mut infos = state.ctx.store.trace_infos(&workspace.scope(), ids).await?;
    infos.retain(|info| scope.as_ref().is_none_or(|scope| scope.contains(&info.row.experiment_id)));
    Ok(Answer(listed("trace_infos", infos.iter().map(info_json).collect())))
}

fn trace_ids(params: &Params) -> MlflowResult<Vec<String>> {
    let ids = params.texts("trace_ids")?;
    if ids.is_empty() {
        return Err(missing("trace_ids"));
    }
    if ids.len() > TRACES_MAX {
        return Err(MlflowError::invalid(format!("at most {TRACES_MAX} traces are read at once, not {}", ids.len())));
    }
    Ok(ids.into_iter().map(str::to_owned).collect())
}

/// The experiments that the answer is restricted to, if the request names any or an empty list of them.
fn scope(params: &Params) -> MlflowResult<Option<Vec<i64>>> {
    if params.get("experiment_ids")?.is_none() {
        return Ok(None);
    }
    experiment_ids(&params.texts("experiment_ids")?).map(Some)
}

/// An empty list is left out.
pub(crate) fn listed(name: &str, values: Vec<Value>) -> Value {
    let mut fields = Map::new();
    if !values.is_empty() {
        fields.insert(name.to_owned(), Value::Array(values));
    }
    Value::Object(fields)
}

pub(crate) fn experiment_ids(ids: &[&str]) -> MlflowResult<Vec<i64>> {
    ids.iter().map(|id| experiment_id(id)).collect()
}

async fn search_traces(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Answer> {
    if params.get("locations")?.is_none() {
        return Err(missing("locations"));
    }
    let mut ids = Vec::new();
    for location in params.messages("locations")? {
        if let Some(experiment) = location.message("mlflow_experiment")? {
            ids.push(experiment_id(experiment.text("experiment_id")?.unwrap_or_default())?);
        }
    }
    let page = search(&state, &workspace, Search::read(&params, ids)?).await?;
    let mut answer = listed("traces", page.rows.iter().map(info_json).collect());
    if let Some(next) = page.next {
        answer["next_page_token"] = Value::String(next);
    }
    Ok(Answer(answer))
}

async fn delete(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Answer> {
    let experiment_id = experiment_id(params.required_text("experiment_id")?)?;
    let until = params.int("max_timestamp_millis")?;
    let traces_max = params.int("max_traces")?;
    let ids = params.texts("request_ids")?;
    let refused = |message: &str| Err(MlflowError::invalid(message));
    let delete = match (until, ids.is_empty(), traces_max) {
        (None, true, _) => return refused("Either `max_timestamp_millis` or `trace_ids` must be specified."),
        (Some(_), false, _) => return refused("Only one of `max_timestamp_millis` and `trace_ids` can be specified."),
        (None, false, Some(_)) => return refused("`max_traces` can't be specified if `trace_ids` is specified."),
        (_, _, Some(traces_max)) if traces_max <= 0 => {
            return refused(&format!("`max_traces` must be a positive integer, received {traces_max}."));
        }
        (None, false, None) => DeleteTraces::Ids(ids.into_iter().map(str::to_owned).collect()),
        (Some(ms), true, traces_max) => DeleteTraces::Until { ms, traces_max },
    };
    let gone = state.ctx.store.delete_traces(&workspace.scope(), experiment_id, delete).await?;
    Ok(Answer(json!({ "traces_deleted": gone })))
}

async fn set_tag(
    State(state): State<Mlflow>,
    workspace: Workspace,
    Path(trace_id): Path<String>,
    params: Params,
) -> MlflowResult<Answer> {
    let key = params.required_text("key")?;
    let value = params.text("value")?.unwrap_or_default();
    check_mutable(key, "set")?;
    let tag = validate::tag("key", key, value)?;
    state.ctx.store.set_trace_tag(&workspace.scope(), &trace_id, tag).await?;
    Ok(Answer(json!({})))
}

async fn delete_tag(
    State(state): State<Mlflow>,
    workspace: Workspace,
    Path(trace_id): Path<String>,
    params: Params,
) -> MlflowResult<Answer> {
    let key = params.required_text("key")?;
    check_mutable(key, "deleted")?;
    state.ctx.store.delete_trace_tag(&workspace.scope(), &trace_id, key).await?;
    Ok(Answer(json!({})))
}

/// The server itself says where the spans are.
fn check_mutable(key: &str, done: &str) -> MlflowResult<()> {
    const OURS: [&str; 3] = [SPANS_LOCATION, "mlflow.trace.archiveLocation", "mlflow.trace.archivalFailure"];
    if OURS.contains(&key) && !(done == "deleted" && key == OURS[2]) {
        return Err(MlflowError::invalid(format!("Tag '{key}' is immutable and cannot be {done} on a trace.")));
    }
    Ok(())
}

async fn link_to_run(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Answer> {
    let run_id = params.required_text("run_id")?;
    let ids = params.texts("trace_ids")?;
    if ids.is_empty() {
        return Err(missing("trace_ids"));
    }
    if ids.len() > LINKS_MAX {
        return Err(MlflowError::invalid(format!(
            "Cannot link more than {LINKS_MAX} traces to a run in a single request. Provided {} traces.",
            ids.len()
        )));
    }
    let ids = ids.into_iter().map(str::to_owned).collect();
    state.ctx.store.link_traces_to_run(&workspace.scope(), ids, run_id).await?;
    Ok(Answer(json!({})))
}

async fn link_prompts(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Answer> {
    let trace_id = params.required_text("trace_id")?;
    let prompts = params.messages("prompt_versions")?;
    if prompts.is_empty() {
        return Err(missing("prompt_versions"));
    }
    if prompts.len() > LINKS_MAX {
        return Err(MlflowError::invalid(format!("at most {LINKS_MAX} prompts are linked at once")));
    }
    let name = |prompt: &Params| -> MlflowResult<String> {
        Ok(format!("{}/{}", prompt.required_text("name")?, prompt.required_int("version")?))
    };
    let names = prompts.iter().map(name).collect::<MlflowResult<_>>()?;
    state.ctx.store.link_prompts_to_trace(&workspace.scope(), trace_id, names).await?;
    Ok(Answer(json!({})))
}

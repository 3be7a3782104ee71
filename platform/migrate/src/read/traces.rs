use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};

use super::server::AT_ONCE;
use super::{Item, Items, send};
use crate::fields::Fields;
use crate::http::{MlflowApi, Refused};
use crate::trace::Trace;

/// Traces that one request asks for.
const TRACES_PAGE: usize = 100;

pub async fn read(api: &MlflowApi, experiment: &str, items: &Items) -> anyhow::Result<()> {
    let location = json!({ "type": "MLFLOW_EXPERIMENT", "mlflow_experiment": { "experiment_id": experiment } });
    let mut body = json!({ "locations": [location], "max_results": TRACES_PAGE });
    loop {
        let page = match api.post("api/3.0/mlflow/traces/search", &body).await {
            // Before 3.0.
            Err(error) if Refused::is_missing(&error) => return Ok(()),
            page => page?,
        };
        let infos = page.list("traces").to_vec();
        let read = |info: Value| async move { trace(api, info).await };
        let mut traces = futures::stream::iter(infos).map(read).buffered(AT_ONCE);
        while let Some(trace) = traces.try_next().await? {
            let mark = trace.mark();
            send(items, Item::Trace { trace: Box::new(trace), mark }).await?;
        }
        let token = page.text("next_page_token");
        if token.is_empty() {
            return Ok(());
        }
        body["page_token"] = json!(token);
    }
}

pub async fn by_id(api: &MlflowApi, id: &str) -> anyhow::Result<Trace> {
    let answer = api.get(&format!("api/3.0/mlflow/traces/{id}"), &[]).await?;
    trace(api, answer["trace"]["trace_info"].clone()).await
}

/// With its spans, where they are not in a file.
async fn trace(api: &MlflowApi, info: Value) -> anyhow::Result<Trace> {
    let trace_id = info.text("trace_id");
    let mut spans = Vec::new();
    if info["tags"].text("mlflow.trace.spansLocation") == "TRACKING_STORE" {
        let query = [("trace_id", trace_id.as_str()), ("allow_partial", "true")];
        let answer = api.get("api/3.0/mlflow/traces/get", &query).await?;
        spans = answer["trace"].list("spans").to_vec();
    }
    Ok(Trace::of_answer(info, &spans))
}

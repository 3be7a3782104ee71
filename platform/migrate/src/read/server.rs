//! Reads through MLflow's protocol.

use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};
use tiegel_types::transfer::{Experiment, Record};

use super::{IsDone, Item, Items, PAGE, models, runs, send, traces};
use crate::fields::Fields;
use crate::http::MlflowApi;

/// Requests that are sent at once.
pub const AT_ONCE: usize = 8;

pub async fn read(api: &MlflowApi, is_done: &IsDone, items: &Items) -> anyhow::Result<()> {
    let experiments = experiments(api).await?;
    for experiment in &experiments {
        send(items, Item::Record(Record::Experiment(experiment.clone()))).await?;
    }
    for experiment in &experiments {
        read_runs(api, experiment.id, is_done, items).await?;
    }
    let ids: Vec<_> = experiments.iter().map(|experiment| experiment.id.to_string()).collect();
    models::logged_models(api, &ids, items).await?;
    models::registered_models(api, items).await?;
    for id in &ids {
        traces::read(api, id, items).await?;
    }
    Ok(())
}

/// By id, deleted ones too.
async fn experiments(api: &MlflowApi) -> anyhow::Result<Vec<Experiment>> {
    let mut experiments = Vec::new();
    let body = json!({ "view_type": "ALL", "max_results": PAGE });
    pages(api, "api/2.0/mlflow/experiments/search", body, |page| {
        experiments.extend(page.list("experiments").iter().map(experiment));
        true
    })
    .await?;
    experiments.sort_by_key(|experiment| experiment.id);
    Ok(experiments)
}

fn experiment(answer: &Value) -> Experiment {
    let created_ms = answer.int("creation_time").unwrap_or_default();
    Experiment {
        id: answer.int("experiment_id").unwrap_or_default(),
        name: answer.text("name"),
        artifact_location: answer.text("artifact_location"),
        deleted: answer.text("lifecycle_stage") == "deleted",
        created_ms,
        updated_ms: answer.int("last_update_time").unwrap_or(created_ms),
        tags: answer.pairs("tags"),
    }
}

async fn read_runs(api: &MlflowApi, experiment: i64, is_done: &IsDone, items: &Items) -> anyhow::Result<()> {
    let mut token = String::new();
    loop {
        let body = json!({
            "experiment_ids": [experiment.to_string()],
            "run_view_type": "ALL",
            "max_results": PAGE,
            "order_by": ["attributes.start_time ASC"],
            "page_token": token,
        });
        let page = api.post("api/2.0/mlflow/runs/search", &body).await?;
        let ids: Vec<String> = page.list("runs").iter().map(|run| run["info"].text("run_id")).collect();
        let read = |id: String| async move { runs::read(api, &id, is_done).await };
        let mut runs = futures::stream::iter(ids).map(read).buffered(AT_ONCE);
        while let Some(found) = runs.try_next().await? {
            for item in found {
                send(items, item).await?;
            }
        }
        token = page.text("next_page_token");
        if token.is_empty() {
            return Ok(());
        }
    }
}

/// Asks for page after page, as long as `each` wants more.
pub async fn pages(
    api: &MlflowApi,
    path: &str,
    mut body: Value,
    mut each: impl FnMut(&Value) -> bool,
) -> anyhow::Result<()> {
    loop {
        let page = api.post(path, &body).await?;
        let token = page.text("next_page_token");
        if !each(&page) || token.is_empty() {
            return Ok(());
        }
        body["page_token"] = json!(token);
    }
}

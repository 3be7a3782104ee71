use serde_json::{Value, json};
use tiegel_types::transfer::{Dataset, Direction, ModelLink, Points, Record, Run, Series};
use tiegel_types::{Digest, RunStatus};

use super::{IsDone, Item, SERIES_POINTS_MAX, run_unit};
use crate::fields::{Fields, real};
use crate::http::MlflowApi;

/// All items of one run.
pub async fn read(api: &MlflowApi, run_id: &str, is_done: &IsDone) -> anyhow::Result<Vec<Item>> {
    let answer = api.get("api/2.0/mlflow/runs/get", &[("run_id", run_id)]).await?;
    let run = run_of(&answer["run"]);
    let metrics = answer["run"]["data"].list("metrics");
    let mark = Digest::of_json(&json!([run, metrics]));
    if is_done(&run_unit(run_id), &mark) {
        return Ok(vec![Item::RunUnchanged { run: Box::new(run) }]);
    }
    let mut items = vec![Item::Record(Record::Run(Box::new(run)))];
    for metric in metrics {
        history(api, run_id, &metric.text("key"), &mut items).await?;
    }
    items.push(Item::RunEnd { run_id: run_id.to_owned(), mark });
    Ok(items)
}

async fn history(api: &MlflowApi, run_id: &str, key: &str, items: &mut Vec<Item>) -> anyhow::Result<()> {
    let max_results = SERIES_POINTS_MAX.to_string();
    let mut token = String::new();
    loop {
        let mut query = vec![("run_id", run_id), ("metric_key", key), ("max_results", max_results.as_str())];
        if !token.is_empty() {
            query.push(("page_token", &token));
        }
        let page = api.get("api/2.0/mlflow/metrics/get-history", &query).await?;
        let mut points = Points::default();
        for metric in page.list("metrics") {
            let time = metric.int("timestamp").unwrap_or_default();
            points.push(time, metric.int("step").unwrap_or_default(), real(&metric["value"]));
        }
        if !points.is_empty() {
            let series = Series { run_id: run_id.to_owned(), key: key.to_owned(), points };
            items.push(Item::Record(Record::Series(series)));
        }
        token = page.text("next_page_token");
        if token.is_empty() {
            return Ok(());
        }
    }
}

fn run_of(run: &Value) -> Run {
    let (info, data) = (&run["info"], &run["data"]);
    Run {
        run_id: info.text("run_id"),
        experiment_id: info.int("experiment_id").unwrap_or_default(),
        name: info.text("run_name"),
        user_id: info.text("user_id"),
        status: info.text("status").parse().unwrap_or(RunStatus::Running),
        start_ms: info.int("start_time").unwrap_or_default(),
        end_ms: info.int("end_time").filter(|end| *end != 0),
        deleted: info.text("lifecycle_stage") == "deleted",
        deleted_ms: None,
        artifact_uri: info.text("artifact_uri"),
        params: data.pairs("params"),
        tags: data.pairs("tags"),
        datasets: run["inputs"].list("dataset_inputs").iter().map(dataset).collect(),
        models: links(run),
    }
}

fn dataset(input: &Value) -> Dataset {
    let dataset = &input["dataset"];
    Dataset {
        name: dataset.text("name"),
        digest: dataset.text("digest"),
        source_type: dataset.text("source_type"),
        source: dataset.text("source"),
        schema: dataset.text_opt("schema"),
        profile: dataset.text_opt("profile"),
        tags: input.pairs("tags"),
    }
}

fn links(run: &Value) -> Vec<ModelLink> {
    let link = |direction| {
        move |link: &Value| ModelLink {
            model_id: link.text("model_id"),
            direction,
            step: link.int("step").unwrap_or_default(),
        }
    };
    let inputs = run["inputs"].list("model_inputs").iter().map(link(Direction::Input));
    inputs.chain(run["outputs"].list("model_outputs").iter().map(link(Direction::Output))).collect()
}

//! Reads MLflow's own tables.

use tiegel_store::foreign::{MlflowDatabase, RunHead};
use tiegel_types::Digest;
use tiegel_types::transfer::{Record, Series};

use super::{IsDone, Item, Items, PAGE, SERIES_POINTS_MAX, run_unit, send};
use crate::trace::Trace;

pub async fn read(database: &MlflowDatabase, is_done: &IsDone, items: &Items) -> anyhow::Result<()> {
    let experiments = database.experiments().await?;
    for experiment in &experiments {
        send(items, Item::Record(Record::Experiment(experiment.clone()))).await?;
    }
    for experiment in &experiments {
        runs(database, experiment.id, is_done, items).await?;
    }
    for experiment in &experiments {
        logged_models(database, experiment.id, items).await?;
    }
    for model in database.registered_models().await? {
        send(items, Item::Record(Record::RegisteredModel(Box::new(model)))).await?;
    }
    for experiment in &experiments {
        traces(database, experiment.id, items).await?;
    }
    Ok(())
}

async fn runs(database: &MlflowDatabase, experiment: i64, is_done: &IsDone, items: &Items) -> anyhow::Result<()> {
    let mut after = String::new();
    loop {
        let page = database.runs(experiment, &after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after.clone_from(&last.run.run_id);
        let mut few = Vec::<RunHead>::new();
        let mut waiting = 0;
        for head in page {
            if is_done(&run_unit(&head.run.run_id), &head.mark) {
                send(items, Item::RunUnchanged { run: Box::new(head.run) }).await?;
            } else if head.points > SERIES_POINTS_MAX as u64 {
                long_run(database, head, items).await?;
            } else {
                // Runs with few points are read together.
                waiting += head.points;
                few.push(head);
                if waiting > SERIES_POINTS_MAX as u64 {
                    short_runs(database, std::mem::take(&mut few), items).await?;
                    waiting = 0;
                }
            }
        }
        short_runs(database, few, items).await?;
    }
}

async fn short_runs(database: &MlflowDatabase, heads: Vec<RunHead>, items: &Items) -> anyhow::Result<()> {
    let with_points: Vec<_> = heads.iter().filter(|head| head.points > 0).map(|head| head.run.run_id.clone()).collect();
    let series = if with_points.is_empty() { Vec::new() } else { database.points_of(with_points).await? };
    let mut series = series.into_iter().peekable();
    // Both are in order of the runs' ids.
    for head in heads {
        let run_id = head.run.run_id.clone();
        send(items, Item::Record(Record::Run(Box::new(head.run)))).await?;
        while let Some(own) = series.next_if(|series| series.run_id == run_id) {
            send(items, Item::Record(Record::Series(own))).await?;
        }
        send(items, Item::RunEnd { run_id, mark: head.mark }).await?;
    }
    Ok(())
}

async fn long_run(database: &MlflowDatabase, head: RunHead, items: &Items) -> anyhow::Result<()> {
    let run_id = head.run.run_id.clone();
    send(items, Item::Record(Record::Run(Box::new(head.run)))).await?;
    let mut after = None;
    loop {
        let (page, more): (Vec<Series>, _) = database.points_after(&run_id, after, SERIES_POINTS_MAX).await?;
        for series in page {
            send(items, Item::Record(Record::Series(series))).await?;
        }
        after = more;
        if after.is_none() {
            return send(items, Item::RunEnd { run_id, mark: head.mark }).await;
        }
    }
}

async fn logged_models(database: &MlflowDatabase, experiment: i64, items: &Items) -> anyhow::Result<()> {
    let mut after = String::new();
    loop {
        let page = database.logged_models(experiment, &after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after.clone_from(&last.model_id);
        for model in page {
            let mark = Digest::of_json(&serde_json::json!(model));
            send(items, Item::LoggedModel { model: Box::new(model), mark }).await?;
        }
    }
}

async fn traces(database: &MlflowDatabase, experiment: i64, items: &Items) -> anyhow::Result<()> {
    let mut after = String::new();
    loop {
        let page = database.traces(experiment, &after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after.clone_from(&last.trace_id);
        for trace in page {
            let trace = Trace::of_rows(trace)?;
            let mark = trace.mark();
            send(items, Item::Trace { trace: Box::new(trace), mark }).await?;
        }
    }
}

use anyhow::Context as _;
use serde_json::{Value, json};
use tiegel_types::Digest;
use tiegel_types::transfer::{Counts, Dataset, Direction, ModelLink, Pairs, Record, Run, Series};

use super::{Exporter, PARENT_TAG, SOURCE_RUN_TAG, keyed, with_tag};
use crate::fields::Fields;
use crate::journal::Entry;
use crate::read::run_unit;

/// What one request may log.
const POINTS_MAX: usize = 1_000;
const PARAMS_MAX: usize = 100;
const TAGS_MAX: usize = 100;

/// A run that is being filled.
pub struct OpenRun {
    run: Run,
    /// Its id there.
    new_id: String,
    new_uri: String,
    counts: Counts,
}

impl Exporter {
    pub(super) async fn begin_run(&mut self, run: Run) -> anyhow::Result<()> {
        let experiment = self.experiment(run.experiment_id)?.to_owned();
        let there = match self.find_run(&experiment, &run.run_id).await? {
            Some(info) => info,
            None => self.create_run(&experiment, &run).await?,
        };
        let (new_id, new_uri) = (there.text("run_id"), there.text("artifact_uri"));
        if there.text("lifecycle_stage") == "deleted" {
            self.target.post("api/2.0/mlflow/runs/restore", &json!({ "run_id": new_id })).await?;
        }
        let mut tags = with_tag(&run.tags, SOURCE_RUN_TAG, &run.run_id);
        self.move_parent(&new_id, &mut tags);
        for tags in tags.chunks(TAGS_MAX) {
            self.log(&new_id, json!({ "tags": keyed(tags) })).await?;
        }
        for params in run.params.chunks(PARAMS_MAX) {
            self.log(&new_id, json!({ "params": keyed(params) })).await?;
        }
        if !run.datasets.is_empty() {
            let datasets: Vec<_> = run.datasets.iter().map(dataset_input).collect();
            let body = json!({ "run_id": new_id, "datasets": datasets });
            self.target.post("api/2.0/mlflow/runs/log-inputs", &body).await?;
        }
        let counts = Counts::of(&Record::Run(Box::new(run.clone())));
        self.runs.insert(run.run_id.clone(), new_id.clone());
        self.links.push((new_id.clone(), run.models.clone()));
        self.open = Some(OpenRun { run, new_id, new_uri, counts });
        Ok(())
    }

    /// Runs come by their start, so most come after the one that they are a part of.
    fn move_parent(&mut self, new_id: &str, tags: &mut Pairs) {
        for (_, parent) in tags.iter_mut().filter(|(key, _)| key == PARENT_TAG) {
            match self.runs.get(parent) {
                Some(new) => parent.clone_from(new),
                None => self.parents.push((new_id.to_owned(), parent.clone())),
            }
        }
    }

    pub(super) async fn write_parents(&mut self) -> anyhow::Result<()> {
        for (run_id, parent) in std::mem::take(&mut self.parents) {
            if let Some(new) = self.runs.get(&parent) {
                let body = json!({ "run_id": run_id, "key": PARENT_TAG, "value": new });
                self.target.post("api/2.0/mlflow/runs/set-tag", &body).await?;
            }
        }
        Ok(())
    }

    async fn log(&self, run_id: &str, mut body: Value) -> anyhow::Result<()> {
        body["run_id"] = json!(run_id);
        self.target.post("api/2.0/mlflow/runs/log-batch", &body).await?;
        Ok(())
    }

    /// A run that an export made before, by the tag with its old id.
    async fn find_run(&self, experiment: &str, run_id: &str) -> anyhow::Result<Option<Value>> {
        let body = json!({
            "experiment_ids": [experiment],
            "filter": format!("tags.`{SOURCE_RUN_TAG}` = '{run_id}'"),
            "run_view_type": "ALL",
            "max_results": 1,
        });
        let found = self.target.post("api/2.0/mlflow/runs/search", &body).await?;
        Ok(found.list("runs").first().map(|run| run["info"].clone()))
    }

    async fn create_run(&self, experiment: &str, run: &Run) -> anyhow::Result<Value> {
        let body = json!({
            "experiment_id": experiment,
            "user_id": run.user_id,
            "run_name": run.name,
            "start_time": run.start_ms,
            // With the run, so that it is found again where the answer is lost.
            "tags": keyed(&[(SOURCE_RUN_TAG.to_owned(), run.run_id.clone())]),
        });
        let made = self.target.create("api/2.0/mlflow/runs/create", &body).await?;
        Ok(made["run"]["info"].clone())
    }

    pub(super) async fn write_points(&mut self, series: &Series) -> anyhow::Result<()> {
        let open = self.open.as_mut().context("points came without their run")?;
        open.counts.points += series.points.len() as u64;
        let new_id = open.new_id.clone();
        let metric = |(timestamp, step, value): (i64, i64, f64)| {
            let value = if value.is_nan() { json!("NaN") } else { json!(value) };
            json!({ "key": series.key, "value": value, "timestamp": timestamp, "step": step })
        };
        let metrics: Vec<_> = series.points.iter().map(metric).collect();
        for metrics in metrics.chunks(POINTS_MAX) {
            self.log(&new_id, json!({ "metrics": metrics })).await?;
        }
        Ok(())
    }

    pub(super) async fn end_run(&mut self, run_id: &str, mark: Digest) -> anyhow::Result<()> {
        let open = self.open.take().filter(|open| open.run.run_id == run_id);
        let OpenRun { run, new_id, new_uri, mut counts } = open.context("a run ended that had not begun")?;
        let mut update = json!({ "run_id": new_id, "status": run.status.as_str() });
        if let Some(end) = run.end_ms {
            update["end_time"] = json!(end);
        }
        self.target.post("api/2.0/mlflow/runs/update", &update).await?;
        let place = self.copy(&run.artifact_uri, &new_uri, &mut counts).await?;
        if run.deleted {
            self.deleted_runs.push(new_id.clone());
        }
        self.counts += counts;
        // A run that goes on is looked at again each time.
        let mark = if run.end_ms.is_none() { Digest::of_json(&json!([mark, "goes on"])) } else { mark };
        self.journal.write(Entry { unit: run_unit(run_id), mark, counts, place, name: Some(new_id) })
    }

    pub(super) async fn know_run(&mut self, run: Run) -> anyhow::Result<()> {
        let entry = self.journal.last(&run_unit(&run.run_id)).context("the journal knows the run")?;
        let new_id = entry.name.clone().context("the journal knows the run's new id")?;
        let there = self.target.get("api/2.0/mlflow/runs/get", &[("run_id", &new_id)]).await?;
        self.uris.insert(run.artifact_uri, there["run"]["info"].text("artifact_uri"));
        self.links.push((new_id.clone(), run.models));
        self.runs.insert(run.run_id, new_id);
        self.counts += entry.counts;
        Ok(())
    }

    /// Logs what runs read and made, now that all logged models are there. What is logged already is not again.
    pub(super) async fn write_links(&mut self) -> anyhow::Result<()> {
        for (run_id, links) in std::mem::take(&mut self.links) {
            if links.is_empty() {
                continue;
            }
            let there = self.target.get("api/2.0/mlflow/runs/get", &[("run_id", &run_id)]).await?;
            let is_deleted = there["run"]["info"].text("lifecycle_stage") == "deleted";
            let known = linked_models(&there["run"]);
            for link in links {
                let Some(new) = self.models.get(&link.model_id) else {
                    self.notes.add("models of runs that are not there", &link.model_id);
                    continue;
                };
                if !known.contains(new) && !is_deleted {
                    self.write_link(&run_id, new, &link).await?;
                }
            }
        }
        Ok(())
    }

    async fn write_link(&self, run_id: &str, model_id: &str, link: &ModelLink) -> anyhow::Result<()> {
        let (path, model) = match link.direction {
            Direction::Input => ("log-inputs", json!({ "model_id": model_id })),
            Direction::Output => ("outputs", json!({ "model_id": model_id, "step": link.step })),
        };
        let body = json!({ "run_id": run_id, "models": [model] });
        self.target.post(&format!("api/2.0/mlflow/runs/{path}"), &body).await?;
        Ok(())
    }
}

fn linked_models(run: &Value) -> Vec<String> {
    let sides = [("inputs", "model_inputs"), ("outputs", "model_outputs")];
    sides.iter().flat_map(|(side, list)| run[side].list(list).iter().map(|link| link.text("model_id"))).collect()
}

fn dataset_input(dataset: &Dataset) -> Value {
    let mut body = json!({
        "name": dataset.name,
        "digest": dataset.digest,
        "source_type": dataset.source_type,
        "source": dataset.source,
    });
    for (name, text) in [("schema", &dataset.schema), ("profile", &dataset.profile)] {
        if let Some(text) = text {
            body[name] = json!(text);
        }
    }
    json!({ "tags": keyed(&dataset.tags), "dataset": body })
}

//! Moves what Tiegel tracks to an MLflow server, through the protocol that its clients speak.
//!
//! Ids of runs and logged models, and times of creation but for those of runs, cannot be kept there: a run carries its old
//! id in the tag `tiegel.source_run_id`, a logged model in `tiegel.source_model_id`.

mod models;
mod registry;
mod runs;
mod verify;

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use reqwest::Method;
use serde_json::{Value, json};
use tiegel_types::Digest;
use tiegel_types::transfer::{Counts, Experiment, ModelLink, Pairs, Record};

use crate::artifacts::{Trees, proxied_place};
use crate::copy::copy_tree;
use crate::fields::Fields;
use crate::http::{Access, MlflowApi, Refused};
use crate::journal::{Entry, Journal};
use crate::read::{Item, Source, channel, trace_unit};
use crate::report::{Notes, Report};
use crate::trace::Trace;

const SOURCE_RUN_TAG: &str = "tiegel.source_run_id";
const SOURCE_MODEL_TAG: &str = "tiegel.source_model_id";
/// The tag of a run that names the run which it is a part of.
const PARENT_TAG: &str = "mlflow.parentRunId";
/// A tag that a server writes itself when a model is registered.
const VERSIONS_TAG: &str = "mlflow.modelVersions";
/// Metadata of a trace that names a run, and the one that names a logged model.
const TRACE_RUN: &str = "mlflow.sourceRun";
const TRACE_MODEL: &str = "mlflow.modelId";

pub struct Export {
    pub from: Access,
    pub to: Access,
    pub copies_artifacts: bool,
    pub journal: Journal,
}

/// Moves what was not moved before, and counts both sides. Calls `progress` with what the source said so far.
pub async fn export(export: Export, mut progress: impl FnMut(&Counts)) -> anyhow::Result<Report> {
    let api = MlflowApi::new(export.from.clone())?;
    let journal = export.journal.clone();
    let source = Source::Server(api.clone());
    let (sender, mut items) = channel();
    let reading = source.read(Arc::new(move |unit, mark| journal.find(unit, mark).is_some()), sender);
    let writing = async {
        let mut exporter = Exporter::new(export, api)?;
        while let Some(item) = items.recv().await {
            exporter.take(item).await?;
            progress(&exporter.counts);
        }
        Ok(exporter)
    };
    let ((), exporter) = tokio::try_join!(reading, writing)?;
    exporter.finish().await
}

struct Exporter {
    target: MlflowApi,
    trees: Trees,
    journal: Journal,
    copies_artifacts: bool,
    notes: Notes,
    /// The id there, by the number here.
    experiments: BTreeMap<i64, String>,
    /// Experiments to delete at the end.
    deleted: Vec<String>,
    /// New ids by old ones.
    runs: BTreeMap<String, String>,
    models: BTreeMap<String, String>,
    /// What runs read and made, by new run id, to be logged once the models are there.
    links: Vec<(String, Vec<ModelLink>)>,
    /// The run that is being filled.
    open: Option<runs::OpenRun>,
    deleted_runs: Vec<String>,
    /// New ids of runs, and the old ones of the runs that they are parts of, which came later.
    parents: Vec<(String, String)>,
    /// New artifact URIs by old ones.
    uris: BTreeMap<String, String>,
    registered: Vec<String>,
    traces: Vec<String>,
    counts: Counts,
}

impl Exporter {
    fn new(export: Export, source: MlflowApi) -> anyhow::Result<Self> {
        Ok(Self {
            target: MlflowApi::new(export.to)?,
            trees: Trees::new(Some(source), None),
            journal: export.journal,
            copies_artifacts: export.copies_artifacts,
            notes: Notes::default(),
            experiments: BTreeMap::new(),
            deleted: Vec::new(),
            runs: BTreeMap::new(),
            models: BTreeMap::new(),
            links: Vec::new(),
            open: None,
            deleted_runs: Vec::new(),
            parents: Vec::new(),
            uris: BTreeMap::new(),
            registered: Vec::new(),
            traces: Vec::new(),
            counts: Counts::default(),
        })
    }

    async fn take(&mut self, item: Item) -> anyhow::Result<()> {
        match item {
            Item::Record(Record::Experiment(experiment)) => self.write_experiment(&experiment).await,
            Item::Record(Record::Run(run)) => self.begin_run(*run).await,
            Item::Record(Record::Series(series)) => self.write_points(&series).await,
            Item::RunEnd { run_id, mark } => self.end_run(&run_id, mark).await,
            Item::RunUnchanged { run } => self.know_run(*run).await,
            Item::LoggedModel { model, mark } => self.write_logged_model(&model, mark).await,
            Item::Record(Record::RegisteredModel(model)) => {
                self.write_links().await?;
                self.write_registered_model(&model).await
            }
            Item::Trace { trace, mark } => {
                self.write_links().await?;
                self.write_trace(*trace, mark).await
            }
            // Logged models come with a mark.
            Item::Record(Record::LoggedModel(_)) => Ok(()),
        }
    }

    async fn write_experiment(&mut self, experiment: &Experiment) -> anyhow::Result<()> {
        self.counts += Counts::of(&Record::Experiment(experiment.clone()));
        let id = match self.find_experiment(&experiment.name).await? {
            Some(found) => {
                let id = found.text("experiment_id");
                if found.text("lifecycle_stage") == "deleted" {
                    self.target.post("api/2.0/mlflow/experiments/restore", &json!({ "experiment_id": id })).await?;
                }
                id
            }
            None => {
                let mut body = json!({ "name": experiment.name });
                // Where clients write themselves, such as in an object store, they go on to.
                if proxied_place(&experiment.artifact_location).is_none() && !experiment.artifact_location.is_empty() {
                    body["artifact_location"] = json!(experiment.artifact_location);
                }
                self.target.create("api/2.0/mlflow/experiments/create", &body).await?.text("experiment_id")
            }
        };
        for (key, value) in &experiment.tags {
            let body = json!({ "experiment_id": id, "key": key, "value": value });
            self.target.post("api/2.0/mlflow/experiments/set-experiment-tag", &body).await?;
        }
        if experiment.deleted {
            self.deleted.push(id.clone());
        }
        self.experiments.insert(experiment.id, id);
        Ok(())
    }

    async fn find_experiment(&self, name: &str) -> anyhow::Result<Option<Value>> {
        let found = self.target.get("api/2.0/mlflow/experiments/get-by-name", &[("experiment_name", name)]).await;
        match found {
            Ok(answer) => Ok(Some(answer["experiment"].clone())),
            Err(error) if Refused::is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn experiment(&self, number: i64) -> anyhow::Result<&str> {
        self.experiments.get(&number).map(String::as_str).with_context(|| format!("there was no experiment {number}"))
    }

    /// Copies files from their old URI to their new one, and counts them.
    async fn copy(&mut self, old: &str, new: &str, counts: &mut Counts) -> anyhow::Result<Option<String>> {
        if old != new {
            self.uris.insert(old.to_owned(), new.to_owned());
        }
        let (Some(tree), Some(place)) = (self.trees.find(old, None)?, proxied_place(new)) else {
            self.notes.add("artifact folders that stay where they are", old);
            return Ok(None);
        };
        if !self.copies_artifacts {
            return Ok(None);
        }
        let copied = copy_tree(&self.trees, &tree, &self.target, &place).await?;
        counts.artifacts += copied.files;
        counts.artifact_bytes += copied.bytes;
        Ok((copied.files > 0).then_some(place))
    }

    /// What a URI inside a moved tree is there, and what a URI that names a run or a logged model is.
    fn moved_uri(&self, uri: &str) -> String {
        for (scheme, ids) in [("runs:/", &self.runs), ("models:/", &self.models)] {
            if let Some(rest) = uri.strip_prefix(scheme) {
                let (id, path) = rest.split_once('/').map_or((rest, ""), |(id, _)| (id, &rest[id.len()..]));
                return ids.get(id).map_or_else(|| uri.to_owned(), |new| format!("{scheme}{new}{path}"));
            }
        }
        let tree = self
            .uris
            .iter()
            .find(|(old, _)| uri.strip_prefix(*old).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
        tree.map_or_else(|| uri.to_owned(), |(old, new)| format!("{new}{}", &uri[old.len()..]))
    }

    async fn write_trace(&mut self, mut trace: Trace, mark: Digest) -> anyhow::Result<()> {
        let (id, unit) = (trace.id(), trace_unit(&trace.id()));
        self.traces.push(id.clone());
        if let Some(entry) = self.journal.find(&unit, &mark) {
            self.counts += entry.counts;
            return Ok(());
        }
        let number = trace.experiment().context("a trace without an experiment")?;
        let experiment = self.experiment(number)?.to_owned();
        trace.place_in(experiment.parse().context("an experiment's id is a number")?);
        for (key, ids) in [(TRACE_RUN, &self.runs), (TRACE_MODEL, &self.models)] {
            if let Some(new) = trace.info["trace_metadata"].text_opt(key).and_then(|old| ids.get(&old)) {
                trace.info["trace_metadata"][key] = json!(new);
            }
        }
        let old_place = trace.artifact_location();
        trace.forget_artifact_location();
        // Before the trace: a server reckons its duration from spans that come after it.
        if let Some(spans) = trace.otlp() {
            self.target.send_spans(&experiment, &spans).await.with_context(|| format!("the spans of trace {id}"))?;
        }
        let body = json!({ "trace": { "trace_info": trace.info } });
        let answer = self.target.post("api/3.0/mlflow/traces", &body).await;
        let answer = answer.with_context(|| format!("trace {id} was not taken"))?;
        let mut counts = Counts {
            traces: 1,
            spans: trace.spans.len() as u64,
            assessments: trace.assessments() as u64,
            ..Counts::default()
        };
        let new = answer["trace"]["trace_info"]["tags"].text_opt("mlflow.artifactLocation");
        let mut place = None;
        if let (Some(old), Some(new)) = (old_place, new) {
            place = self.copy(&old, &new, &mut counts).await?;
        }
        self.counts += counts;
        self.journal.write(Entry { unit, mark, counts, place, name: None })
    }

    async fn finish(mut self) -> anyhow::Result<Report> {
        self.write_links().await?;
        self.write_parents().await?;
        let target = self.count_target().await?;
        for run in &self.deleted_runs {
            self.target.post("api/2.0/mlflow/runs/delete", &json!({ "run_id": run })).await?;
        }
        for experiment in &self.deleted {
            self.target
                .call(Method::POST, "api/2.0/mlflow/experiments/delete", &json!({ "experiment_id": experiment }))
                .await?;
        }
        Ok(Report::of(&self.counts, &target, self.notes))
    }
}

fn keyed(pairs: &[(String, String)]) -> Vec<Value> {
    pairs.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect()
}

fn with_tag(tags: &Pairs, key: &str, value: &str) -> Pairs {
    let own = (key.to_owned(), value.to_owned());
    tags.iter().filter(|(other, _)| other != key).cloned().chain([own]).collect()
}

//! Moves a tracking store into Tiegel. Ids, times and version numbers stay; an experiment whose number is taken gets
//! another one.

mod batch;
mod models;
mod places;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use tiegel_types::Digest;
use tiegel_types::transfer::{Counts, Experiment, Record, Run};

use crate::artifacts::Trees;
use crate::copy::copy_tree;
use crate::journal::{Entry, Journal};
use crate::read::{Item, Source, channel, model_unit, run_unit, trace_unit};
use crate::report::{Notes, Report};
use crate::trace::Trace;
use crate::write::{Moved, Target};
use batch::{Batch, Ended};
use places::Places;

/// The tag that a run's name is kept in as well.
const NAME_TAG: &str = "mlflow.runName";

pub struct Import {
    pub source: Source,
    /// The folder that the source's server keeps `mlflow-artifacts:` in, where it is at hand.
    pub artifact_root: Option<PathBuf>,
    /// Whether files are copied; otherwise they stay, and so do the URIs that name them.
    pub copies_artifacts: bool,
    pub to: String,
    pub token: Option<String>,
    pub project: String,
    pub journal: Journal,
}

/// Moves what was not moved before, and counts both sides. Calls `progress` with what the source said so far.
pub async fn import(import: Import, mut progress: impl FnMut(&Counts)) -> anyhow::Result<Report> {
    let journal = import.journal.clone();
    let (sender, mut items) = channel();
    let reading = import.source.read(Arc::new(move |unit, mark| journal.find(unit, mark).is_some()), sender);
    let writing = async {
        let mut importer = Importer::new(&import)?;
        while let Some(item) = items.recv().await {
            importer.take(item).await?;
            progress(&importer.counts);
        }
        Ok(importer)
    };
    let ((), importer) = tokio::try_join!(reading, writing)?;
    importer.finish().await
}

struct Importer {
    target: Target,
    trees: Trees,
    journal: Journal,
    copies_artifacts: bool,
    notes: Notes,
    /// As the source has them, until the first other thing comes.
    experiments: Vec<Experiment>,
    /// The number here, by the number there.
    numbers: BTreeMap<i64, i64>,
    batch: Batch,
    /// The run whose series are coming.
    run: Option<Current>,
    places: Places,
    /// What the source has.
    counts: Counts,
    moved: Moved,
}

struct Current {
    run_id: String,
    uri: String,
    counts: Counts,
    goes_on: bool,
}

impl Importer {
    fn new(import: &Import) -> anyhow::Result<Self> {
        Ok(Self {
            target: Target::new(&import.to, import.token.clone(), &import.project)?,
            trees: import.source.trees(import.artifact_root.clone()),
            journal: import.journal.clone(),
            copies_artifacts: import.copies_artifacts,
            notes: Notes::default(),
            experiments: Vec::new(),
            numbers: BTreeMap::new(),
            batch: Batch::default(),
            run: None,
            places: Places::default(),
            counts: Counts::default(),
            moved: Moved::default(),
        })
    }

    async fn take(&mut self, item: Item) -> anyhow::Result<()> {
        if let Item::Record(Record::Experiment(experiment)) = item {
            self.experiments.push(experiment);
            return Ok(());
        }
        if self.numbers.is_empty() {
            self.write_experiments().await?;
        }
        match item {
            Item::Record(Record::Run(run)) => self.begin_run(*run)?,
            Item::Record(Record::RegisteredModel(model)) => self.take_registered_model(*model).await?,
            Item::Record(record) => {
                if let Some(run) = &mut self.run {
                    run.counts += Counts::of(&record);
                }
                self.batch.push(record);
            }
            Item::RunEnd { run_id, mark } => self.end_run(&run_id, mark)?,
            Item::RunUnchanged { run } => self.know_run(&run)?,
            Item::LoggedModel { model, mark } => self.take_logged_model(*model, mark)?,
            Item::Trace { trace, mark } => self.take_trace(*trace, mark).await?,
        }
        if self.batch.is_full() { self.flush().await } else { Ok(()) }
    }

    /// Deleted experiments are made active for as long as they are filled, and deleted at the end.
    async fn write_experiments(&mut self) -> anyhow::Result<()> {
        let mut records = Vec::new();
        for experiment in &self.experiments {
            self.counts += Counts::of(&Record::Experiment(experiment.clone()));
            let place = self.places.of_experiment(&experiment.artifact_location, self.copies_artifacts);
            let active = Experiment { deleted: false, artifact_location: place, ..experiment.clone() };
            records.push(Record::Experiment(active));
        }
        self.numbers = self.target.write(&records).await?;
        for experiment in &self.experiments {
            let number = self.number(experiment.id)?;
            if number != experiment.id {
                self.notes
                    .add("experiments that got another number", &format!("'{}' is {number} now", experiment.name));
            }
            self.moved.experiments.push(number);
        }
        Ok(())
    }

    fn number(&self, experiment: i64) -> anyhow::Result<i64> {
        self.numbers.get(&experiment).copied().with_context(|| format!("the source named no experiment {experiment}"))
    }

    fn begin_run(&mut self, mut run: Run) -> anyhow::Result<()> {
        let uri = run.artifact_uri.clone();
        self.place_run(&mut run)?;
        if !run.name.is_empty() && run.tags.iter().all(|(key, _)| key != NAME_TAG) {
            // Old versions kept the name in its column alone; searches look at the tag.
            run.tags.push((NAME_TAG.to_owned(), run.name.clone()));
        }
        let (run_id, goes_on) = (run.run_id.clone(), run.end_ms.is_none());
        let record = Record::Run(Box::new(run));
        self.run = Some(Current { run_id, uri, counts: Counts::of(&record), goes_on });
        self.batch.push(record);
        Ok(())
    }

    fn place_run(&mut self, run: &mut Run) -> anyhow::Result<()> {
        run.experiment_id = self.number(run.experiment_id)?;
        if self.copies_artifacts {
            let place = format!("{}/{}/artifacts", run.experiment_id, run.run_id);
            run.artifact_uri = self.places.of_tree(&run.artifact_uri, &place);
        }
        Ok(())
    }

    fn end_run(&mut self, run_id: &str, mark: Digest) -> anyhow::Result<()> {
        let run = self.run.take().filter(|run| run.run_id == run_id).context("a run ended that had not begun")?;
        // A run that goes on is looked at again each time: it may get files that nothing else tells of.
        let mark = if run.goes_on { Digest::of_json(&serde_json::json!([mark, "goes on"])) } else { mark };
        let ended =
            Ended { unit: run_unit(run_id), mark, counts: run.counts, uri: run.uri, run: Some(run.run_id.clone()) };
        self.batch.end(ended);
        self.moved.runs.push(run.run_id);
        Ok(())
    }

    fn know_run(&mut self, run: &Run) -> anyhow::Result<()> {
        // What refers to its files is to be moved yet.
        self.place_run(&mut run.clone())?;
        if let Some(entry) = self.journal.last(&run_unit(&run.run_id)) {
            self.count(&entry);
        }
        self.moved.runs.push(run.run_id.clone());
        Ok(())
    }

    fn count(&mut self, entry: &Entry) {
        self.counts += entry.counts;
        self.moved.places.extend(entry.place.clone());
        if let Some(place) = &entry.place {
            self.places.know(place);
        }
    }

    /// Writes what waits; then the files of what ended with it, and then it counts as moved.
    async fn flush(&mut self) -> anyhow::Result<()> {
        let (records, ended) = self.batch.take();
        if !records.is_empty() {
            self.target.write(&records).await?;
        }
        for Ended { unit, mark, mut counts, uri, run } in ended {
            let place = self.copy(&uri, run.as_deref(), &mut counts).await?;
            let entry = Entry { unit, mark, counts, place, name: None };
            self.count(&entry);
            self.journal.write(entry)?;
        }
        Ok(())
    }

    /// Copies the files of a tree to where they belong; answers their place, where there are any.
    async fn copy(&mut self, uri: &str, run: Option<&str>, counts: &mut Counts) -> anyhow::Result<Option<String>> {
        if !self.copies_artifacts || uri.is_empty() {
            return Ok(None);
        }
        let Some(tree) = self.trees.find(uri, run)? else {
            self.notes.add("artifact folders that stay where they are", uri);
            return Ok(None);
        };
        let place = self.places.place_of(uri).with_context(|| format!("{uri} has no place"))?;
        let copied = copy_tree(&self.trees, &tree, &self.target.api, &place).await?;
        counts.artifacts += copied.files;
        counts.artifact_bytes += copied.bytes;
        Ok((copied.files > 0).then_some(place))
    }

    async fn take_trace(&mut self, mut trace: Trace, mark: Digest) -> anyhow::Result<()> {
        self.flush().await?;
        let (id, unit) = (trace.id(), trace_unit(&trace.id()));
        self.moved.traces.push(id);
        if let Some(entry) = self.journal.find(&unit, &mark) {
            self.count(&entry);
            return Ok(());
        }
        let number = self.number(trace.experiment().context("a trace without an experiment")?)?;
        trace.place_in(number);
        let mut counts = Counts {
            traces: 1,
            spans: trace.spans.len() as u64,
            assessments: trace.assessments() as u64,
            ..Counts::default()
        };
        let source = trace.artifact_location().unwrap_or_default();
        let target = self.target.write_trace(&trace).await?;
        if let Some(target) = target {
            self.places.set(&source, &target);
        }
        let place = self.copy(&source, None, &mut counts).await?;
        let entry = Entry { unit, mark, counts, place, name: None };
        self.count(&entry);
        self.journal.write(entry)
    }

    async fn finish(mut self) -> anyhow::Result<Report> {
        if self.numbers.is_empty() {
            self.write_experiments().await?;
        }
        self.flush().await?;
        let deleted = self.experiments.iter().filter(|experiment| experiment.deleted);
        let deleted: Vec<_> = deleted.map(|experiment| Record::Experiment(experiment.clone())).collect();
        if !deleted.is_empty() {
            self.target.write(&deleted).await?;
        }
        let target = self.target.count(&self.moved).await?;
        Ok(Report::of(&self.counts, &target, self.notes))
    }
}

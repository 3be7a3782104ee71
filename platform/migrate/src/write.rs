//! Tiegel as the side that is written to: its own import, and MLflow's protocol for files and traces.

use std::collections::BTreeMap;

use anyhow::Context as _;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tiegel_types::transfer::{Counts, Record};

use crate::fields::Fields;
use crate::http::{Access, MlflowApi};
use crate::trace::Trace;

/// Names of things that one request counts.
const COUNTED_AT_ONCE: usize = 500;
/// The project that clients are in unless they name one.
const DEFAULT_PROJECT: &str = "default";

#[derive(Clone, Debug)]
pub struct Target {
    pub api: MlflowApi,
    project: String,
}

/// What was moved, by name.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Moved {
    pub experiments: Vec<i64>,
    pub runs: Vec<String>,
    pub logged_models: Vec<String>,
    pub registered_models: Vec<String>,
    pub traces: Vec<String>,
    /// Folders below the artifact folder.
    pub places: Vec<String>,
}

#[derive(Deserialize)]
struct Written {
    /// The number that each experiment has there, by the one that it has at the source.
    experiments: BTreeMap<i64, i64>,
}

impl Target {
    pub fn new(url: &str, token: Option<String>, project: &str) -> anyhow::Result<Self> {
        let workspace = (project != DEFAULT_PROJECT).then(|| project.to_owned());
        let api = MlflowApi::new(Access { url: url.to_owned(), token, workspace })?;
        Ok(Self { api, project: project.to_owned() })
    }

    /// Writes records, all or none. Answers the numbers of experiments among them.
    pub async fn write(&self, records: &[Record]) -> anyhow::Result<BTreeMap<i64, i64>> {
        let path = format!("api/v1/projects/{}/import", self.project);
        let answer = self.api.call(Method::POST, &path, &json!({ "records": records })).await;
        let written: Written = serde_json::from_value(answer.context("the server did not take a batch")?)?;
        Ok(written.experiments)
    }

    /// Counts what is there of what was moved.
    pub async fn count(&self, moved: &Moved) -> anyhow::Result<Counts> {
        let path = format!("api/v1/projects/{}/import/counts", self.project);
        let mut counts = Counts::default();
        for part in moved.parts() {
            let answer = self.api.post(&path, &json!(part)).await?;
            counts += serde_json::from_value(answer)?;
        }
        Ok(counts)
    }

    /// Answers where the trace's files belong.
    pub async fn write_trace(&self, trace: &Trace) -> anyhow::Result<Option<String>> {
        let id = trace.id();
        let body = json!({ "trace": { "trace_info": trace.info } });
        let answer = self.api.post("api/3.0/mlflow/traces", &body).await;
        let answer: Value = answer.with_context(|| format!("the server did not take trace {id}"))?;
        if let (Some(spans), Some(experiment)) = (trace.otlp(), trace.experiment()) {
            let sent = self.api.send_spans(&experiment.to_string(), &spans).await;
            sent.with_context(|| format!("the server did not take the spans of trace {id}"))?;
        }
        Ok(answer["trace"]["trace_info"]["tags"].text_opt("mlflow.artifactLocation"))
    }
}

impl Moved {
    /// Pieces that one request can name.
    fn parts(&self) -> Vec<Moved> {
        let mut parts = vec![Moved { experiments: self.experiments.clone(), ..Moved::default() }];
        let chunks = |names: &[String], part: fn(Vec<String>) -> Moved| -> Vec<Moved> {
            names.chunks(COUNTED_AT_ONCE).map(|names| part(names.to_vec())).collect()
        };
        parts.extend(chunks(&self.runs, |runs| Moved { runs, ..Moved::default() }));
        parts.extend(chunks(&self.logged_models, |logged_models| Moved { logged_models, ..Moved::default() }));
        parts.extend(chunks(&self.registered_models, |registered_models| Moved {
            registered_models,
            ..Moved::default()
        }));
        parts.extend(chunks(&self.traces, |traces| Moved { traces, ..Moved::default() }));
        parts.extend(chunks(&self.places, |places| Moved { places, ..Moved::default() }));
        parts
    }
}

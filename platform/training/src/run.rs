//! What a training tells of itself in its run.

use std::collections::BTreeSet;

use serde_json::json;
use tiegel_context::{Ctx, OpResult};
use tiegel_pipeline::InputRef;
use tiegel_tracking::{DatasetInput, StartRun};
use tiegel_types::{Name, RunId, Schema, Table};

use crate::Training;

/// Hex digits of a digest: MLflow's clients take at most 36 characters.
const DIGEST_CHARS: usize = 32;

pub(crate) async fn start_run(ctx: &Ctx, training: &Training<'_>, run: &RunId, features: &Schema) -> OpResult<()> {
    let spec = training.spec;
    let mut params = vec![
        ("family".to_owned(), text(&json!(spec.model.family))),
        ("task".to_owned(), text(&json!(spec.task))),
        ("target".to_owned(), spec.target.clone()),
        ("features".to_owned(), features.fields.len().to_string()),
    ];
    for (prefix, value) in [("model.", json!(spec.model)), ("train.", json!(spec.train))] {
        for (key, value) in value.as_object().into_iter().flatten() {
            params.push((format!("{prefix}{key}"), text(value)));
        }
    }
    let start = StartRun {
        project: training.project.clone(),
        experiment: spec.experiment.clone().unwrap_or_else(|| training.name.to_string()),
        run: run.clone(),
        name: format!("{}-{}", training.name, &run.as_str()[..6]),
        job: training.job,
        source: json!({ "kind": "training", "name": training.name }),
        params,
        datasets: datasets(training),
    };
    tiegel_tracking::start_run(ctx, start).await
}

fn text(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The datasets that the pipeline starts from, as MLflow's clients know data.
fn datasets(training: &Training<'_>) -> Vec<DatasetInput> {
    let inputs = training.pipeline.steps.iter().flat_map(|step| &step.inputs);
    let names: BTreeSet<&Name> =
        inputs.filter(|input| matches!(input, InputRef::Dataset(_))).map(InputRef::name).collect();
    names.into_iter().filter_map(|name| Some(dataset(name, training.tables.get(name)?))).collect()
}

fn dataset(name: &Name, table: &Table) -> DatasetInput {
    let digest = table.digest();
    DatasetInput {
        name: name.to_string(),
        digest: digest.hex()[..DIGEST_CHARS].to_owned(),
        source_type: "tiegel".to_owned(),
        source: json!({ "dataset": name, "digest": digest }).to_string(),
        schema: Some(json!({ "mlflow_colspec": tiegel_registry::columns(&table.schema) }).to_string()),
        profile: Some(json!({ "num_rows": table.rows }).to_string()),
        tags: vec![("mlflow.data.context".to_owned(), "training".to_owned())],
    }
}

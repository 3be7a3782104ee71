use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tiegel_engine::ModelArtifact;
use tiegel_types::{Family, ModelSpec, Schema, Task};

use crate::error::{Result, invalid};
use crate::forward::Forward;
use crate::layout::{InputLayout, check};
use crate::loss::TargetScale;
use crate::vocabulary::Values;
use crate::weights::{Weights, from_bytes, to_bytes};

/// The version of what follows; a reader refuses every other.
const FORMAT: u32 = 1;

/// All of a model but its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Config {
    format: u32,
    family: Family,
    pub(crate) task: Task,
    model: ModelSpec,
    pub(crate) features: Schema,
    pub(crate) target: TargetScale,
    /// By column.
    vocabularies: BTreeMap<String, Values>,
}

/// A model read back from its artifact.
pub(crate) struct LoadedModel {
    pub(crate) config: Config,
    pub(crate) layout: InputLayout,
    pub(crate) forward: Forward,
}

/// A fitted model before it is written.
pub(crate) struct FittedModel<'a> {
    pub(crate) task: Task,
    pub(crate) spec: &'a ModelSpec,
    pub(crate) layout: &'a InputLayout,
    pub(crate) target: TargetScale,
    /// In the order of the layout's embeddings.
    pub(crate) vocabularies: &'a [Values],
    pub(crate) weights: &'a Weights,
}

impl FittedModel<'_> {
    pub(crate) fn artifact(&self) -> Result<ModelArtifact> {
        let columns = self.layout.categories.iter().map(|c| self.layout.field(c.column).name.clone());
        let config = Config {
            format: FORMAT,
            family: self.spec.family,
            task: self.task,
            model: self.spec.clone(),
            features: self.layout.features.clone(),
            target: self.target,
            vocabularies: columns.zip(self.vocabularies.iter().cloned()).collect(),
        };
        let config = serde_json::to_value(config)
            .map_err(|e| tiegel_engine::ModelError::Internal(format!("model config cannot be written: {e}")))?;
        Ok(ModelArtifact { weights: to_bytes(self.weights, None)?, config })
    }
}

/// Reads a model and refuses one whose parts do not fit together.
pub(crate) fn load(artifact: &ModelArtifact) -> Result<LoadedModel> {
    let format = artifact.config.get("format").and_then(serde_json::Value::as_u64);
    if format != Some(u64::from(FORMAT)) {
        let found = format.map_or("no format".to_owned(), |format| format!("format {format}"));
        return Err(invalid(format!(
            "the model's config has {found} and this version of tiegel reads format {FORMAT}: train again, or use the version \
             that trained it"
        )));
    }
    let config: Config = serde_json::from_value(artifact.config.clone())
        .map_err(|e| invalid(format!("the model's config cannot be read: {e}")))?;
    let layout = check(config.task, &config.model, &config.features)?;
    if !(config.target.mean.is_finite() && config.target.deviation.is_finite() && config.target.deviation > 0.0) {
        return Err(invalid(format!("the model's config has target scale {:?}, which is no scale", config.target)));
    }
    let vocabularies = layout
        .categories
        .iter()
        .map(|c| {
            let name = &layout.field(c.column).name;
            let values = config.vocabularies.get(name);
            values.cloned().ok_or_else(|| invalid(format!("the model's config has no vocabulary of column '{name}'")))
        })
        .collect::<Result<Vec<_>>>()?;
    let (weights, _) =
        from_bytes(&artifact.weights).map_err(|problem| invalid(format!("the model's weights {problem}")))?;
    check_weights(&layout, &config.model, &vocabularies, &weights)?;
    let forward = Forward::new(&layout, &config.model, &vocabularies, &weights);
    Ok(LoadedModel { config, layout, forward })
}

fn check_weights(layout: &InputLayout, spec: &ModelSpec, vocabularies: &[Values], weights: &Weights) -> Result<()> {
    let lens: Vec<_> = vocabularies.iter().map(Values::table_len).collect();
    layout.parameters(spec, &lens)?;
    let expected: BTreeMap<_, _> = layout.tensors(spec, &lens).into_iter().collect();
    for (name, shape) in &expected {
        let Some(tensor) = weights.get(name) else {
            return Err(invalid(format!("the model's weights have no tensor '{name}', which its config calls for")));
        };
        if tensor.shape != *shape {
            let found = &tensor.shape;
            return Err(invalid(format!(
                "tensor '{name}' has shape {found:?} and the model's config calls for {shape:?}"
            )));
        }
        if let Some(value) = tensor.data.iter().find(|value| !value.is_finite()) {
            return Err(invalid(format!("tensor '{name}' of the model's weights holds {value}")));
        }
    }
    match weights.keys().find(|name| !expected.contains_key(*name)) {
        Some(name) => Err(invalid(format!("the model's weights have tensor '{name}', which its config does not know"))),
        None => Ok(()),
    }
}

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tiegel_engine::ModelError;
use tiegel_types::Metrics;

use crate::error::{Result, invalid};
use crate::survey::Survey;
use crate::weights::{Weights, from_bytes, to_bytes};

const FORMAT: u32 = 1;

/// A training between two epochs. It has no generator's position: see `randomness::stream`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Checkpoint {
    pub(crate) header: Header,
    pub(crate) weights: Weights,
    pub(crate) first_moments: Weights,
    pub(crate) second_moments: Weights,
    /// Those of the best epoch, where there is a validation split.
    pub(crate) best: Option<Weights>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Header {
    format: u32,
    /// Of the request and the engine: a checkpoint goes on only with its own training.
    pub(crate) fingerprint: String,
    pub(crate) refit: bool,
    /// Epochs done.
    pub(crate) epoch: u32,
    /// Optimizer steps done.
    pub(crate) step: u64,
    pub(crate) survey: Survey,
    /// The measures of every epoch so far, where there is a validation split.
    pub(crate) history: Vec<Metrics>,
    /// What the first fit found, in a refit.
    pub(crate) fitted: Option<BestEpoch>,
}

/// The epoch whose weights are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct BestEpoch {
    /// From 1.
    pub(crate) epoch: u32,
    pub(crate) validation: Metrics,
}

impl Header {
    pub(crate) fn new(fingerprint: &str, refit: bool, survey: &Survey, fitted: Option<&BestEpoch>) -> Self {
        Self {
            format: FORMAT,
            fingerprint: fingerprint.to_owned(),
            refit,
            epoch: 0,
            step: 0,
            survey: survey.clone(),
            history: Vec::new(),
            fitted: fitted.cloned(),
        }
    }
}

impl Checkpoint {
    /// Safetensors with the header as their metadata.
    pub(crate) fn to_bytes(&self) -> Result<Arc<[u8]>> {
        let header = serde_json::to_string(&self.header)
            .map_err(|e| ModelError::Internal(format!("checkpoint cannot be written: {e}")))?;
        let parts = [
            ("weights", Some(&self.weights)),
            ("first", Some(&self.first_moments)),
            ("second", Some(&self.second_moments)),
            ("best", self.best.as_ref()),
        ];
        let mut all = Weights::new();
        for (part, weights) in parts {
            for (name, tensor) in weights.into_iter().flatten() {
                all.insert(format!("{part}/{name}"), tensor.clone());
            }
        }
        to_bytes(&all, Some(header))
    }

    /// Reads a checkpoint of the training with this fingerprint.
    pub(crate) fn read(bytes: &[u8], fingerprint: &str) -> Result<Self> {
        let unreadable =
            |problem: String| invalid(format!("the checkpoint cannot be read ({problem}): train from the start"));
        let (all, header) = from_bytes(bytes).map_err(|problem| unreadable(format!("its bytes {problem}")))?;
        let header = header.ok_or_else(|| unreadable("it has no header".to_owned()))?;
        let header: Header = serde_json::from_str(&header).map_err(|e| unreadable(e.to_string()))?;
        if header.format != FORMAT {
            return Err(unreadable(format!("it has format {} and not {FORMAT}", header.format)));
        }
        if header.fingerprint != fingerprint {
            return Err(invalid(
                "the checkpoint is of another training (its spec, features, rows or engine version differ): train from the start",
            ));
        }
        let mut parts = [Weights::new(), Weights::new(), Weights::new(), Weights::new()];
        for (name, tensor) in all {
            let (part, name) = name.split_once('/').unwrap_or_default();
            let index = ["weights", "first", "second", "best"].iter().position(|known| *known == part);
            let index = index.ok_or_else(|| unreadable(format!("it holds a part '{part}'")))?;
            parts[index].insert(name.to_owned(), tensor);
        }
        let [weights, first_moments, second_moments, best] = parts;
        let best = (!best.is_empty()).then_some(best);
        Ok(Self { header, weights, first_moments, second_moments, best })
    }

    /// Refuses tensors that are not those of the model.
    pub(crate) fn check_tensors(&self, tensors: &[(String, Vec<usize>)]) -> Result<()> {
        let parts = [Some(&self.weights), Some(&self.first_moments), Some(&self.second_moments), self.best.as_ref()];
        for part in parts.into_iter().flatten() {
            let fits =
                |(name, shape): &(String, Vec<usize>)| part.get(name).is_some_and(|tensor| tensor.shape == *shape);
            if part.len() != tensors.len() || !tensors.iter().all(fits) {
                return Err(invalid("the checkpoint's tensors do not fit the model: train from the start"));
            }
        }
        Ok(())
    }
}

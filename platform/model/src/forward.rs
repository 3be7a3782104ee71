use std::ops::Range;

use tiegel_types::ModelSpec;

use crate::columns::Columns;
use crate::dense::{Output, Stack};
use crate::error::Result;
use crate::layout::InputLayout;
use crate::panels::Panels;
use crate::vocabulary::{Values, Vocabulary};
use crate::weights::Weights;

/// Rows that pass through the layers together: their activations stay in the cache.
const BLOCK_ROWS: usize = 64;

/// A model at inference, used alike for validation and for serving, so that the measures of a training are those of
/// the endpoint. Dropout does not exist here.
pub(crate) struct Forward {
    inputs: usize,
    numeric_len: usize,
    vocabularies: Vec<Vocabulary>,
    /// Of each embedding, the table and the length of its vectors.
    tables: Vec<(Vec<f32>, usize)>,
    stack: Stack,
}

impl Forward {
    /// `weights` holds the tensors of `layout`, in their shapes.
    pub(crate) fn new(layout: &InputLayout, spec: &ModelSpec, vocabularies: &[Values], weights: &Weights) -> Self {
        let table = |column: usize| weights[&format!("embedding.{}", layout.field(column).name)].data.clone();
        let last = layout.dense_shapes(spec).len() - 1;
        let dense = |layer: usize| {
            (&weights[&format!("dense.{layer}.weight")].data, &weights[&format!("dense.{layer}.bias")].data)
        };
        let hidden = (0..last).map(|layer| {
            let (weights, bias) = dense(layer);
            Panels::new(weights, bias.len(), bias)
        });
        let (output, bias) = dense(last);
        Self {
            inputs: layout.inputs(),
            numeric_len: layout.numeric_len,
            vocabularies: vocabularies.iter().map(Vocabulary::new).collect(),
            tables: layout.categories.iter().map(|c| (table(c.column), c.len)).collect(),
            stack: Stack { hidden: hidden.collect(), output: Output { weights: output.clone(), bias: bias[0] } },
        }
    }

    /// The network's raw output for `rows`, one for each element of `out`.
    pub(crate) fn outputs(&self, columns: &Columns<'_>, rows: Range<usize>, out: &mut [f32]) -> Result<()> {
        let block = BLOCK_ROWS.min(rows.len());
        let mut x = vec![0.0; block * self.inputs];
        let mut indices = vec![0; block * self.tables.len()];
        let mut room = self.stack.activations(block);
        for (out, start) in out.chunks_mut(BLOCK_ROWS).zip(rows.step_by(BLOCK_ROWS)) {
            let part = start..start + out.len();
            let x = &mut x[..out.len() * self.inputs];
            columns.fill_numbers(part.clone(), x, self.inputs)?;
            if !self.tables.is_empty() {
                let indices = &mut indices[..out.len() * self.tables.len()];
                columns.fill_categories(part, &self.vocabularies, indices);
                self.embed(indices, x);
            }
            self.stack.run(x, &mut room, out);
        }
        Ok(())
    }

    fn embed(&self, indices: &[u32], x: &mut [f32]) {
        for (indices, x) in indices.chunks_exact(self.tables.len()).zip(x.chunks_exact_mut(self.inputs)) {
            let mut at = self.numeric_len;
            for (index, (table, len)) in indices.iter().zip(&self.tables) {
                let start = *index as usize * len;
                x[at..at + len].copy_from_slice(&table[start..start + len]);
                at += len;
            }
        }
    }
}

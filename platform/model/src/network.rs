use candle_core::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use tiegel_types::{Family, ModelSpec};

use crate::error::{Result, tensor_error};
use crate::examples::Examples;
use crate::layout::InputLayout;
use crate::ops;
use crate::randomness::{Purpose, dropout_mask, stream, uniform};
use crate::survey::Survey;
use crate::weights::{Tensor32, Weights};

/// Embedding vectors start within this distance of 0; the vector of unknown values starts at 0 and stays there unless
/// the column has nulls.
const EMBEDDING_START: f32 = 0.05;

/// The trainable network: candle tensors on one device, with its gradient written out. The tape of candle's autodiff
/// would also compute the gradient of the inputs, and pass over each activation several times.
pub(crate) struct Network {
    pub(crate) names: Vec<String>,
    /// In the order of `InputLayout::tensors`.
    pub(crate) parameters: Vec<Tensor>,
    embedding_lens: Vec<usize>,
    numeric_len: usize,
    device: Device,
}

/// What the forward pass leaves for the backward pass.
pub(crate) struct Trace {
    /// Of each embedding, the table row of every example.
    indices: Vec<Tensor>,
    /// The input of each dense layer, `[rows, inputs]`.
    inputs: Vec<Tensor>,
    /// What dropout multiplied the units with that it kept; 1 without dropout.
    kept_factor: f32,
    /// `[rows, 1]`
    output: Tensor,
}

impl Trace {
    /// The network's raw output for each row.
    pub(crate) fn output(&self) -> Result<Vec<f32>> {
        self.output.flatten_all().and_then(|output| output.to_vec1()).map_err(tensor_error)
    }
}

/// Dropout of one step.
pub(crate) struct Dropout<'a> {
    pub(crate) rate: f64,
    pub(crate) rng: &'a mut ChaCha8Rng,
}

impl Network {
    pub(crate) fn new(layout: &InputLayout, spec: &ModelSpec, weights: &Weights, device: &Device) -> Result<Self> {
        let lens: Vec<_> = layout.categories.iter().map(|c| c.len).collect();
        let mut names = Vec::new();
        let mut parameters = Vec::new();
        for (name, _) in layout.tensors(spec, &vec![0; lens.len()]) {
            let tensor = &weights[&name];
            let tensor = Tensor::from_slice(&tensor.data, &tensor.shape[..], device).map_err(tensor_error)?;
            names.push(name);
            parameters.push(tensor);
        }
        Ok(Self { names, parameters, embedding_lens: lens, numeric_len: layout.numeric_len, device: device.clone() })
    }

    pub(crate) fn weights(&self) -> Result<Weights> {
        let read = |(name, tensor): (&String, &Tensor)| {
            let data = tensor.flatten_all().and_then(|flat| flat.to_vec1()).map_err(tensor_error)?;
            Ok((name.clone(), Tensor32 { shape: tensor.dims().to_vec(), data }))
        };
        self.names.iter().zip(&self.parameters).map(read).collect()
    }

    fn layers(&self) -> usize {
        (self.parameters.len() - self.embedding_lens.len()) / 2
    }

    fn weight(&self, layer: usize) -> &Tensor {
        &self.parameters[self.embedding_lens.len() + 2 * layer]
    }

    fn bias(&self, layer: usize) -> &Tensor {
        &self.parameters[self.embedding_lens.len() + 2 * layer + 1]
    }

    /// Runs the examples through the network, keeping what [`Network::backward`] needs.
    pub(crate) fn forward(&self, examples: &mut Examples, dropout: Option<Dropout<'_>>) -> Result<Trace> {
        self.run(examples, dropout).map_err(tensor_error)
    }

    /// The gradient of each parameter, given the loss's derivative by each row's output.
    pub(crate) fn backward(&self, trace: &Trace, derivative: Vec<f32>) -> Result<Vec<Tensor>> {
        self.gradients(trace, derivative).map_err(tensor_error)
    }

    fn run(&self, examples: &mut Examples, mut dropout: Option<Dropout<'_>>) -> candle_core::Result<Trace> {
        let (input, indices) = self.input(examples)?;
        let last = self.layers() - 1;
        let (mut inputs, mut kept_factor) = (vec![input], 1.0);
        for layer in 0..last {
            let sums = ops::dense(&inputs[layer], self.weight(layer), self.bias(layer))?;
            let mask = match dropout.as_mut().filter(|dropout| dropout.rate > 0.0) {
                Some(Dropout { rate, rng }) => {
                    let (mask, factor) = dropout_mask(*rng, sums.elem_count(), *rate);
                    kept_factor = factor;
                    Some(Tensor::from_vec(mask, sums.shape(), &self.device)?)
                }
                None => None,
            };
            inputs.push(ops::activate(sums, mask.as_ref())?);
        }
        let output = ops::dense(&inputs[last], self.weight(last), self.bias(last))?;
        Ok(Trace { indices, inputs, kept_factor, output })
    }

    /// `[rows, inputs]` and the table rows of each embedding. Takes the numbers out of `examples`, which saves a copy.
    fn input(&self, examples: &mut Examples) -> candle_core::Result<(Tensor, Vec<Tensor>)> {
        let rows = examples.len();
        let numeric = std::mem::take(&mut examples.numeric);
        let numeric = Tensor::from_vec(numeric, (rows, self.numeric_len), &self.device);
        if self.embedding_lens.is_empty() {
            return Ok((numeric?, Vec::new()));
        }
        let count = self.embedding_lens.len();
        let mut parts = if self.numeric_len > 0 { vec![numeric?] } else { Vec::new() };
        let mut indices = Vec::with_capacity(count);
        for (embedding, table) in self.parameters[..count].iter().enumerate() {
            let column: Vec<u32> = examples.categories.iter().skip(embedding).step_by(count).copied().collect();
            let column = Tensor::from_vec(column, rows, &self.device)?;
            parts.push(table.index_select(&column, 0)?);
            indices.push(column);
        }
        Ok((Tensor::cat(&parts, 1)?, indices))
    }

    fn gradients(&self, trace: &Trace, derivative: Vec<f32>) -> candle_core::Result<Vec<Tensor>> {
        let rows = derivative.len();
        let mut delta = Tensor::from_vec(derivative, (rows, 1), &self.device)?;
        let mut dense = Vec::with_capacity(2 * self.layers());
        for layer in (0..self.layers()).rev() {
            dense.push(ops::bias_gradient(&delta)?);
            dense.push(ops::weight_gradient(&trace.inputs[layer], &delta)?);
            if layer > 0 {
                let before = ops::input_gradient(&delta, self.weight(layer))?;
                delta = ops::gate(before, &trace.inputs[layer], trace.kept_factor)?;
            }
        }
        dense.reverse();
        let mut gradients = self.table_gradients(trace, &delta)?;
        gradients.append(&mut dense);
        Ok(gradients)
    }

    /// `delta` is the gradient of the first layer's sums.
    fn table_gradients(&self, trace: &Trace, delta: &Tensor) -> candle_core::Result<Vec<Tensor>> {
        let mut offset = self.numeric_len;
        let mut gradients = Vec::with_capacity(self.parameters.len());
        for ((len, table), indices) in self.embedding_lens.iter().zip(&self.parameters).zip(&trace.indices) {
            let vectors = ops::input_gradient(delta, &self.weight(0).narrow(0, offset, *len)?)?;
            gradients.push(table.zeros_like()?.index_add(indices, &vectors, 0)?);
            offset += len;
        }
        Ok(gradients)
    }
}

/// The weights before the first step. Hidden layers: evenly within `sqrt(6 / inputs)` (He et al. 2015); the output of an
/// `mlp`: within `sqrt(1 / inputs)`; a `linear` model, whose loss has one minimum: 0. Biases are 0 but the output's.
pub(crate) fn start_weights(
    layout: &InputLayout,
    spec: &ModelSpec,
    survey: &Survey,
    seed: u64,
    refit: bool,
) -> Weights {
    let mut rng = stream(seed, refit, 0, Purpose::Weights);
    let lens: Vec<_> = survey.vocabularies.iter().map(|values| values.table_len()).collect();
    let tensors = layout.tensors(spec, &lens);
    let last = tensors.len() - 2;
    let start = |(index, (name, shape)): (usize, (String, Vec<usize>))| {
        let len: usize = shape.iter().product();
        let data = if index < lens.len() {
            let mut table = uniform(&mut rng, len, EMBEDDING_START);
            table[..shape[1]].fill(0.0);
            table
        } else if shape.len() == 1 {
            vec![if index > last { survey.output_start as f32 } else { 0.0 }; len]
        } else if spec.family == Family::Linear {
            vec![0.0; len]
        } else {
            let gain = if index == last { 1.0f32 } else { 6.0 };
            uniform(&mut rng, len, (gain / shape[0] as f32).sqrt())
        };
        (name, Tensor32 { shape, data })
    };
    tensors.into_iter().enumerate().map(start).collect()
}

#[cfg(test)]
mod tests;

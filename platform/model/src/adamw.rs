use std::cell::RefCell;

use candle_core::{CpuStorage, InplaceOp2, Layout, Tensor};
use rayon::prelude::*;
use tiegel_types::Optimizer;

use crate::error::{Result, tensor_error};
use crate::network::Network;
use crate::ops::{values, values_mut};
use crate::weights::{Tensor32, Weights};

/// Elements that one thread updates at a time; below it a second thread costs more than it saves.
const CHUNK_ELEMENTS: usize = 32_768;

/// AdamW with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2), in the form `w -= rate * decay * w`.
/// Biases do not decay. On the CPU one pass reads gradient, moments and weight and writes the last three;
/// `candle_nn::AdamW` makes about a dozen whole-tensor temporaries for the same step.
pub(crate) struct AdamW {
    options: Optimizer,
    /// Steps taken.
    pub(crate) step: u64,
    moments: Vec<Moments>,
}

enum Moments {
    Host { first: Vec<f32>, second: Vec<f32> },
    Device { first: Tensor, second: Tensor },
}

/// The factors of one step, each computed in float64.
#[derive(Clone, Copy)]
struct Factors {
    beta1: f32,
    beta2: f32,
    /// Multiplies the weight first: `1 - rate * decay`.
    keep: f32,
    /// `rate / (1 - beta1^t)`
    rate: f32,
    /// `1 / sqrt(1 - beta2^t)`
    second: f32,
    epsilon: f32,
}

impl AdamW {
    pub(crate) fn new(options: &Optimizer, network: &Network) -> Result<Self> {
        let zero = |parameter: &Tensor| {
            Ok(if parameter.device().is_cpu() {
                let zeros = vec![0.0; parameter.elem_count()];
                Moments::Host { first: zeros.clone(), second: zeros }
            } else {
                Moments::Device { first: parameter.zeros_like()?, second: parameter.zeros_like()? }
            })
        };
        let moments = network.parameters.iter().map(zero).collect::<candle_core::Result<_>>().map_err(tensor_error)?;
        Ok(Self { options: options.clone(), step: 0, moments })
    }

    /// Updates every parameter of the network by its gradient.
    pub(crate) fn update(&mut self, network: &mut Network, gradients: &[Tensor], rate: f64) -> Result<()> {
        self.step += 1;
        for ((parameter, gradient), moments) in network.parameters.iter_mut().zip(gradients).zip(&mut self.moments) {
            let decay = if parameter.rank() > 1 { self.options.weight_decay } else { 0.0 };
            let factors = factors(&self.options, self.step, rate, decay);
            match moments {
                Moments::Host { first, second } => {
                    let op = Fused { factors, first: RefCell::new(first), second: RefCell::new(second) };
                    gradient.contiguous().and_then(|gradient| parameter.inplace_op2(&gradient, &op))
                }
                Moments::Device { first, second } => device_step(parameter, gradient, (first, second), factors),
            }
            .map_err(tensor_error)?;
        }
        Ok(())
    }

    /// First and second moments by parameter name.
    pub(crate) fn moments(&self, network: &Network) -> Result<(Weights, Weights)> {
        let mut all = (Weights::new(), Weights::new());
        for ((name, parameter), moments) in network.names.iter().zip(&network.parameters).zip(&self.moments) {
            let (first, second) = match moments {
                Moments::Host { first, second } => (first.clone(), second.clone()),
                Moments::Device { first, second } => (read(first)?, read(second)?),
            };
            let shape = parameter.dims().to_vec();
            all.0.insert(name.clone(), Tensor32 { shape: shape.clone(), data: first });
            all.1.insert(name.clone(), Tensor32 { shape, data: second });
        }
        Ok(all)
    }

    /// Goes on from a checkpoint.
    pub(crate) fn restore(&mut self, network: &Network, step: u64, moments: (&Weights, &Weights)) -> Result<()> {
        self.step = step;
        for ((name, parameter), own) in network.names.iter().zip(&network.parameters).zip(&mut self.moments) {
            let (from_first, from_second) = (&moments.0[name].data, &moments.1[name].data);
            match own {
                Moments::Host { first, second } => {
                    first.copy_from_slice(from_first);
                    second.copy_from_slice(from_second);
                }
                Moments::Device { first, second } => {
                    let to_device = |data: &[f32]| Tensor::from_slice(data, parameter.shape(), parameter.device());
                    *first = to_device(from_first).map_err(tensor_error)?;
                    *second = to_device(from_second).map_err(tensor_error)?;
                }
            }
        }
        Ok(())
    }
}

fn read(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.flatten_all().and_then(|flat| flat.to_vec1()).map_err(tensor_error)
}

fn factors(options: &Optimizer, step: u64, rate: f64, decay: f64) -> Factors {
    let power = |beta: f64| 1.0 - beta.powf(step as f64);
    Factors {
        beta1: options.beta1 as f32,
        beta2: options.beta2 as f32,
        keep: (1.0 - rate * decay) as f32,
        rate: (rate / power(options.beta1)) as f32,
        second: (1.0 / power(options.beta2).sqrt()) as f32,
        epsilon: options.epsilon as f32,
    }
}

/// The same step as tensor operations, for a device that has no fused kernel of ours.
fn device_step(
    parameter: &mut Tensor,
    gradient: &Tensor,
    (first, second): (&mut Tensor, &mut Tensor),
    f: Factors,
) -> candle_core::Result<()> {
    *first = (first.affine(f64::from(f.beta1), 0.0)? + gradient.affine(1.0 - f64::from(f.beta1), 0.0)?)?;
    *second = (second.affine(f64::from(f.beta2), 0.0)? + gradient.sqr()?.affine(1.0 - f64::from(f.beta2), 0.0)?)?;
    let size = second.sqrt()?.affine(f64::from(f.second), f64::from(f.epsilon))?;
    *parameter = (parameter.affine(f64::from(f.keep), 0.0)? - (&*first / size)?.affine(f64::from(f.rate), 0.0)?)?;
    Ok(())
}

/// The step in one pass over memory. Candle hands operations over by shared reference, hence the cells.
struct Fused<'a> {
    factors: Factors,
    first: RefCell<&'a mut Vec<f32>>,
    second: RefCell<&'a mut Vec<f32>>,
}

impl InplaceOp2 for Fused<'_> {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(
        &self,
        parameter: &mut CpuStorage,
        parameter_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> candle_core::Result<()> {
        let (weights, gradient) = (values_mut(parameter, parameter_layout)?, values(gradient, gradient_layout)?);
        let (first, second) = (&mut self.first.borrow_mut()[..], &mut self.second.borrow_mut()[..]);
        let factors = self.factors;
        if weights.len() <= CHUNK_ELEMENTS {
            fused_step(weights, gradient, (first, second), factors);
        } else {
            // Elements do not meet each other, so the split changes no bit.
            (weights.par_chunks_mut(CHUNK_ELEMENTS), gradient.par_chunks(CHUNK_ELEMENTS))
                .into_par_iter()
                .zip((first.par_chunks_mut(CHUNK_ELEMENTS), second.par_chunks_mut(CHUNK_ELEMENTS)))
                .for_each(|((weights, gradient), moments)| fused_step(weights, gradient, moments, factors));
        }
        Ok(())
    }
}

fn fused_step(weights: &mut [f32], gradient: &[f32], (first, second): (&mut [f32], &mut [f32]), f: Factors) {
    let (fresh1, fresh2) = (1.0 - f.beta1, 1.0 - f.beta2);
    for (((w, g), m), v) in weights.iter_mut().zip(gradient).zip(first).zip(second) {
        *m = f.beta1 * *m + fresh1 * g;
        *v = f.beta2 * *v + fresh2 * g * g;
        *w = f.keep * *w - f.rate * *m / (v.sqrt() * f.second + f.epsilon);
    }
}

#[cfg(test)]
mod tests;

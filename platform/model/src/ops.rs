//! The tensor operations of training: our own kernels where the tensor is on the CPU, candle's elsewhere.

use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, DType, InplaceOp1, InplaceOp2, Layout, Result, Shape, Tensor, bail,
};

use crate::panels::{Left, Panels, parallel_product};

/// `x[rows, inputs] w[inputs, outputs] + b[outputs]`
pub(crate) fn dense(x: &Tensor, w: &Tensor, b: &Tensor) -> Result<Tensor> {
    if x.device().is_cpu() { x.apply_op3_no_bwd(w, b, &Dense) } else { x.matmul(w)?.broadcast_add(b) }
}

/// `relu(sums)`, times the mask where there is one. Uses up `sums`.
pub(crate) fn activate(sums: Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
    if !sums.device().is_cpu() {
        let active = sums.relu()?;
        return mask.map_or(Ok(active.clone()), |mask| active.mul(mask));
    }
    match mask {
        Some(mask) => sums.inplace_op2(mask, &Activate)?,
        None => sums.inplace_op1(&Activate)?,
    }
    Ok(sums)
}

/// What is left of `delta` before the activation whose output was `active`: each unit that was on passes it on, times
/// the factor that the mask gave to kept units. Uses up `delta`.
pub(crate) fn gate(delta: Tensor, active: &Tensor, factor: f32) -> Result<Tensor> {
    if !delta.device().is_cpu() {
        return delta.mul(&active.sign()?)?.affine(f64::from(factor), 0.0);
    }
    delta.inplace_op2(active, &Gate { factor })?;
    Ok(delta)
}

/// `xᵀ delta`: the gradient of a layer's weights.
pub(crate) fn weight_gradient(x: &Tensor, delta: &Tensor) -> Result<Tensor> {
    if x.device().is_cpu() { x.apply_op2_no_bwd(delta, &WeightGradient) } else { x.t()?.matmul(delta) }
}

/// `delta wᵀ`: the gradient of a layer's inputs.
pub(crate) fn input_gradient(delta: &Tensor, w: &Tensor) -> Result<Tensor> {
    if delta.device().is_cpu() { delta.apply_op2_no_bwd(w, &InputGradient) } else { delta.matmul(&w.t()?) }
}

/// The sum of the rows of `delta`: the gradient of a layer's biases.
pub(crate) fn bias_gradient(delta: &Tensor) -> Result<Tensor> {
    if delta.device().is_cpu() {
        return delta.apply_op1_no_bwd(&BiasGradient);
    }
    // A product with ones is several times faster than candle's strided reduction.
    Tensor::ones((1, delta.dim(0)?), DType::F32, delta.device())?.matmul(delta)?.flatten_all()
}

struct Dense;
struct Activate;
struct Gate {
    factor: f32,
}
struct WeightGradient;
struct InputGradient;
struct BiasGradient;

/// The elements of a contiguous float32 tensor.
pub(crate) fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&values[start..end]),
        _ => bail!("wants contiguous float32 tensors"),
    }
}

pub(crate) fn values_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&mut values[start..end]),
        _ => bail!("wants contiguous float32 tensors"),
    }
}

/// A row-major matrix as candle wants it back.
fn matrix(values: Vec<f32>, rows: usize) -> (CpuStorage, Shape) {
    let columns = values.len() / rows.max(1);
    (CpuStorage::F32(values), Shape::from((rows, columns)))
}

impl CustomOp3 for Dense {
    fn name(&self) -> &'static str {
        "dense"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (rows, _) = x_layout.shape().dims2()?;
        let bias = values(b, b_layout)?;
        let right = Panels::new(values(w, w_layout)?, bias.len(), bias);
        Ok(matrix(parallel_product(Left::Rows(values(x, x_layout)?), &right, rows), rows))
    }
}

impl CustomOp2 for WeightGradient {
    fn name(&self) -> &'static str {
        "weight-gradient"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        delta: &CpuStorage,
        delta_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let ((_, inputs), (_, outputs)) = (x_layout.shape().dims2()?, delta_layout.shape().dims2()?);
        let left = Left::Columns { values: values(x, x_layout)?, stride: inputs, first: 0 };
        let right = Panels::new(values(delta, delta_layout)?, outputs, &[]);
        Ok(matrix(parallel_product(left, &right, inputs), inputs))
    }
}

impl CustomOp2 for InputGradient {
    fn name(&self) -> &'static str {
        "input-gradient"
    }

    fn cpu_fwd(
        &self,
        delta: &CpuStorage,
        delta_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (rows, outputs) = delta_layout.shape().dims2()?;
        let right = Panels::transposed(values(w, w_layout)?, outputs);
        Ok(matrix(parallel_product(Left::Rows(values(delta, delta_layout)?), &right, rows), rows))
    }
}

impl CustomOp1 for BiasGradient {
    fn name(&self) -> &'static str {
        "bias-gradient"
    }

    fn cpu_fwd(&self, delta: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, outputs) = layout.shape().dims2()?;
        let mut sums = vec![0.0f32; outputs];
        for row in values(delta, layout)?.chunks_exact(outputs) {
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
        Ok((CpuStorage::F32(sums), Shape::from(outputs)))
    }
}

impl InplaceOp1 for Activate {
    fn name(&self) -> &'static str {
        "activate"
    }

    fn cpu_fwd(&self, sums: &mut CpuStorage, layout: &Layout) -> Result<()> {
        for sum in values_mut(sums, layout)? {
            *sum = if *sum > 0.0 { *sum } else { 0.0 };
        }
        Ok(())
    }
}

impl InplaceOp2 for Activate {
    fn name(&self) -> &'static str {
        "activate"
    }

    fn cpu_fwd(&self, sums: &mut CpuStorage, layout: &Layout, mask: &CpuStorage, mask_layout: &Layout) -> Result<()> {
        for (sum, factor) in values_mut(sums, layout)?.iter_mut().zip(values(mask, mask_layout)?) {
            *sum = if *sum > 0.0 { *sum * factor } else { 0.0 };
        }
        Ok(())
    }
}

impl InplaceOp2 for Gate {
    fn name(&self) -> &'static str {
        "gate"
    }

    fn cpu_fwd(
        &self,
        delta: &mut CpuStorage,
        layout: &Layout,
        active: &CpuStorage,
        active_layout: &Layout,
    ) -> Result<()> {
        for (delta, active) in values_mut(delta, layout)?.iter_mut().zip(values(active, active_layout)?) {
            *delta = if *active > 0.0 { *delta * self.factor } else { 0.0 };
        }
        Ok(())
    }
}

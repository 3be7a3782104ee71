//! The forward pass of dense layers in plain Rust.
//!
//! Invariant: each element is summed in one order, with separate multiplications and additions, whatever the number of
//! rows and the processor: a row gives the same bits alone, in any batch and on any machine. That is why it is not
//! candle's `matmul`, which picks other kernels (and other roundings) for other batch sizes; `examples/bench_train.rs`
//! measures both, and this one is also the faster for one row.

/// Outputs that are computed together; weights are stored in panels of this many columns.
const LANES: usize = 16;
/// Rows that share one read of a panel.
const TILE_ROWS: usize = 4;

/// A dense layer with ReLU.
pub(crate) struct Hidden {
    inputs: usize,
    pub(crate) outputs: usize,
    /// Panels of `inputs x LANES` weights, zero beyond the last output.
    panels: Vec<[f32; LANES]>,
    biases: Vec<[f32; LANES]>,
}

/// The last layer: one number.
pub(crate) struct Output {
    weights: Vec<f32>,
    bias: f32,
}

impl Hidden {
    /// `weights` is `[inputs, outputs]`, row-major.
    pub(crate) fn new(weights: &[f32], bias: &[f32]) -> Self {
        let (outputs, inputs) = (bias.len(), weights.len() / bias.len());
        let lanes =
            |values: &[f32], first: usize| std::array::from_fn(|lane| values.get(first + lane).copied().unwrap_or(0.0));
        let starts = (0..outputs).step_by(LANES);
        let panels = starts.clone().flat_map(|first| weights.chunks_exact(outputs).map(move |row| lanes(row, first)));
        Self { inputs, outputs, panels: panels.collect(), biases: starts.map(|first| lanes(bias, first)).collect() }
    }

    /// `y[rows, outputs] = max(0, x[rows, inputs] w + b)`
    #[inline(always)]
    fn apply(&self, x: &[f32], y: &mut [f32]) {
        for (index, (panel, bias)) in self.panels.chunks_exact(self.inputs).zip(&self.biases).enumerate() {
            let first = index * LANES;
            let mut inputs = x.chunks_exact(self.inputs * TILE_ROWS);
            let mut outputs = y.chunks_exact_mut(self.outputs * TILE_ROWS);
            for (x, y) in (&mut inputs).zip(&mut outputs) {
                tile::<TILE_ROWS>(panel, bias, x, &mut y[first..], self.outputs);
            }
            let rest = inputs.remainder().chunks_exact(self.inputs);
            for (x, y) in rest.zip(outputs.into_remainder().chunks_exact_mut(self.outputs)) {
                tile::<1>(panel, bias, x, &mut y[first..], self.outputs);
            }
        }
    }
}

/// One panel for `ROWS` rows of `x`; `y` starts at the panel's first output of the first row.
#[inline(always)]
fn tile<const ROWS: usize>(panel: &[[f32; LANES]], bias: &[f32; LANES], x: &[f32], y: &mut [f32], stride: usize) {
    let mut sums = [*bias; ROWS];
    let rows: [&[f32]; ROWS] = std::array::from_fn(|row| &x[row * panel.len()..(row + 1) * panel.len()]);
    for (i, weights) in panel.iter().enumerate() {
        for (sums, x) in sums.iter_mut().zip(rows) {
            let x = x[i];
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += x * weight;
            }
        }
    }
    let lanes = LANES.min(stride - (stride * ROWS - y.len()));
    for (sums, y) in sums.iter().zip(y.chunks_mut(stride)) {
        for (sum, y) in sums[..lanes].iter().zip(y) {
            *y = sum.max(0.0);
        }
    }
}

impl Output {
    pub(crate) fn new(weights: &[f32], bias: f32) -> Self {
        Self { weights: weights.to_vec(), bias }
    }

    /// Sums in `LANES` interleaved parts, then those pairwise.
    #[inline(always)]
    fn apply(&self, x: &[f32]) -> f32 {
        let (chunks, rest) = x.as_chunks::<LANES>();
        let (weights, weights_rest) = self.weights.as_chunks::<LANES>();
        let mut sums = [0.0f32; LANES];
        for (x, w) in chunks.iter().zip(weights) {
            for ((sum, x), w) in sums.iter_mut().zip(x).zip(w) {
                *sum += x * w;
            }
        }
        for ((sum, x), w) in sums.iter_mut().zip(rest).zip(weights_rest) {
            *sum += x * w;
        }
        let mut width = LANES;
        while width > 1 {
            width /= 2;
            for lane in 0..width {
                sums[lane] += sums[lane + width];
            }
        }
        sums[0] + self.bias
    }
}

/// Room for the activations of one block of rows.
pub(crate) struct Activations {
    front: Vec<f32>,
    back: Vec<f32>,
}

/// Dense layers, one after the other.
pub(crate) struct Stack {
    pub(crate) hidden: Vec<Hidden>,
    pub(crate) output: Output,
}

impl Stack {
    pub(crate) fn activations(&self, rows: usize) -> Activations {
        let widest = self.hidden.iter().map(|layer| layer.outputs).max().unwrap_or(0);
        Activations { front: vec![0.0; rows * widest], back: vec![0.0; rows * widest] }
    }

    /// The output of each row of `x[out.len(), inputs]`.
    pub(crate) fn run(&self, x: &[f32], room: &mut Activations, out: &mut [f32]) {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            #[expect(unsafe_code, reason = "code for a wider vector unit may only run where the processor has it")]
            // SAFETY: the processor was just found to have AVX2, all that `run_avx2` asks for.
            unsafe {
                self.run_avx2(x, room, out);
            }
            return;
        }
        self.run_any(x, room, out);
    }

    /// The same code in wider registers. No fused multiply-add: it would round differently from [`Stack::run_any`].
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn run_avx2(&self, x: &[f32], room: &mut Activations, out: &mut [f32]) {
        self.run_any(x, room, out);
    }

    #[inline(always)]
    fn run_any(&self, x: &[f32], room: &mut Activations, out: &mut [f32]) {
        let rows = out.len();
        let Activations { front, back } = room;
        let mut input = x;
        for layer in &self.hidden {
            let output = &mut front[..rows * layer.outputs];
            layer.apply(input, output);
            std::mem::swap(front, back);
            input = &back[..rows * layer.outputs];
        }
        for (x, out) in input.chunks_exact(input.len() / rows.max(1)).zip(out) {
            *out = self.output.apply(x);
        }
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::randomness::uniform;

    fn stack(sizes: &[usize]) -> Stack {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(5);
        let mut dense =
            |inputs: usize, outputs: usize| (uniform(&mut rng, inputs * outputs, 0.5), uniform(&mut rng, outputs, 0.5));
        let mut hidden = Vec::new();
        for pair in sizes.windows(2) {
            let (weights, bias) = dense(pair[0], pair[1]);
            hidden.push(Hidden::new(&weights, &bias));
        }
        let (weights, bias) = dense(sizes[sizes.len() - 1], 1);
        Stack { hidden, output: Output::new(&weights, bias[0]) }
    }

    #[test]
    fn a_row_gives_the_same_bits_in_every_batch_and_on_every_processor() {
        for sizes in [&[3][..], &[60, 64, 32], &[7, 5, 33, 1], &[200, 17]] {
            let (stack, rows) = (stack(sizes), 67);
            let x = uniform(&mut rand_chacha::ChaCha8Rng::seed_from_u64(9), rows * sizes[0], 3.0);
            let run = |x: &[f32]| {
                let mut out = vec![0.0; x.len() / sizes[0]];
                stack.run(x, &mut stack.activations(out.len()), &mut out);
                out
            };
            let whole = run(&x);
            let single: Vec<f32> = x.chunks_exact(sizes[0]).flat_map(run).collect();
            let mut plain = vec![0.0; rows];
            stack.run_any(&x, &mut stack.activations(rows), &mut plain);
            assert_eq!(whole, single, "{sizes:?}");
            assert_eq!(whole, plain, "{sizes:?}");
        }
    }
}

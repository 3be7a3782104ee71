use crate::panels::{Left, Panels, product};

/// Parts in which the last layer sums.
const PARTS: usize = 16;

/// Dense layers at inference, one after the other: hidden ones with ReLU, then one output. In plain Rust for the reasons
/// in [`crate::panels`], and because a single row takes a microsecond here and 200 in candle.
pub(crate) struct Stack {
    pub(crate) hidden: Vec<Panels>,
    pub(crate) output: Output,
}

/// The last layer: one number.
pub(crate) struct Output {
    pub(crate) weights: Vec<f32>,
    pub(crate) bias: f32,
}

/// Room for the activations of one block of rows.
pub(crate) struct Activations {
    front: Vec<f32>,
    back: Vec<f32>,
}

impl Stack {
    pub(crate) fn activations(&self, rows: usize) -> Activations {
        let widest = self.hidden.iter().map(|layer| layer.columns).max().unwrap_or(0);
        Activations { front: vec![0.0; rows * widest], back: vec![0.0; rows * widest] }
    }

    /// The output of each row of `x[out.len(), inputs]`.
    pub(crate) fn run(&self, x: &[f32], room: &mut Activations, out: &mut [f32]) {
        let rows = out.len();
        let Activations { front, back } = room;
        let mut input = x;
        for layer in &self.hidden {
            product(Left::Rows(input), layer, true, &mut front[..rows * layer.columns]);
            std::mem::swap(front, back);
            input = &back[..rows * layer.columns];
        }
        for (x, out) in input.chunks_exact(self.output.weights.len()).zip(out) {
            *out = self.output.apply(x);
        }
    }
}

impl Output {
    /// Sums in interleaved parts, then those pairwise: an order that depends on the length alone.
    fn apply(&self, x: &[f32]) -> f32 {
        let (chunks, rest) = x.as_chunks::<PARTS>();
        let (weights, weights_rest) = self.weights.as_chunks::<PARTS>();
        let mut sums = [0.0f32; PARTS];
        for (x, w) in chunks.iter().zip(weights) {
            for ((sum, x), w) in sums.iter_mut().zip(x).zip(w) {
                *sum += x * w;
            }
        }
        for ((sum, x), w) in sums.iter_mut().zip(rest).zip(weights_rest) {
            *sum += x * w;
        }
        let mut width = PARTS;
        while width > 1 {
            width /= 2;
            for part in 0..width {
                sums[part] += sums[part + width];
            }
        }
        sums[0] + self.bias
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::randomness::uniform;

    fn stack(sizes: &[usize]) -> Stack {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut numbers = |len: usize| uniform(&mut rng, len, 0.5);
        let hidden = sizes.windows(2).map(|pair| {
            let (weights, bias) = (numbers(pair[0] * pair[1]), numbers(pair[1]));
            Panels::new(&weights, pair[1], &bias)
        });
        let hidden = hidden.collect();
        Stack { hidden, output: Output { weights: numbers(sizes[sizes.len() - 1]), bias: 0.25 } }
    }

    #[test]
    fn a_row_gives_the_same_bits_in_every_batch() {
        for sizes in [&[3][..], &[60, 64, 32], &[7, 5, 33, 1], &[200, 17]] {
            let (stack, rows) = (stack(sizes), 67);
            let x = uniform(&mut ChaCha8Rng::seed_from_u64(9), rows * sizes[0], 3.0);
            let run = |x: &[f32]| {
                let mut out = vec![0.0; x.len() / sizes[0]];
                stack.run(x, &mut stack.activations(out.len()), &mut out);
                out
            };
            let single: Vec<f32> = x.chunks_exact(sizes[0]).flat_map(run).collect();
            assert_eq!(run(&x), single, "{sizes:?}");
        }
    }
}
